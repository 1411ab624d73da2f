"""What Airflow itself knows of a run: its state, its day, and its tasks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from airflow import settings
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.models.xcom import XComModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from reclustering.core.errors import BadInputError, without_addresses
from reclustering.orchestration.failure import FAILURE
from reclustering.orchestration.runs import DAG_ID, FIRST_TASK, resolve_day
from reclustering.report.view import DECISIONS, WRITTEN_BY


@dataclass(frozen=True)
class Task:
    """One task of a run."""

    task_id: str
    state: str | None
    attempts: int
    seconds: float | None
    url: str


@dataclass(frozen=True)
class AirflowRun:
    """A run as Airflow knows it; `as_of` is None where its day cannot be said."""

    run_id: str
    state: str
    as_of: date | None
    tasks: list[Task]
    failure: str

    @property
    def done(self) -> set[str]:
        """The tasks whose files are of this run as it is now, and not of an attempt before it was cleared."""
        done = {task.task_id for task in self.tasks if task.state == "success"}
        # These leave what was decided, and what became of each mail, and then fail.
        leave_first = {WRITTEN_BY[name] for name in (*DECISIONS, "delivery")}
        return done | (leave_first & {self.failed_task})

    @property
    def asking(self) -> Task | None:
        """The task that waits for an answer."""
        return next((task for task in self.tasks if task.state == "awaiting_input"), None)

    @property
    def failed_task(self) -> str | None:
        """The task at which it failed."""
        return _failed(self.tasks)


def find_run(session: Session, run_id: str) -> AirflowRun | None:
    """Give a run of the pipeline; None if there is none of that id."""
    dag_run = session.scalar(select(DagRun).filter_by(dag_id=DAG_ID, run_id=run_id))
    if dag_run is None:
        return None
    instances = {
        one.task_id: one
        for one in session.scalars(select(TaskInstance).filter_by(dag_id=DAG_ID, run_id=run_id))
    }
    # In their order; a run of another version of the DAG may have others.
    names = [*WRITTEN_BY.values(), *sorted(instances.keys() - set(WRITTEN_BY.values()))]
    tasks = [_task(instances[name]) for name in names if name in instances]
    failed = _failed(tasks)
    return AirflowRun(
        run_id=run_id,
        state=str(dag_run.state),
        as_of=_as_of(session, dag_run),
        tasks=tasks,
        # It may name who is mailed.
        failure=without_addresses(_xcom(session, run_id, failed, FAILURE) or "") if failed else "",
    )


def run_again(session: Session, run_id: str, task_ids: Iterable[str]) -> None:
    """Clear some tasks of a run, so that Airflow runs them once more."""
    instances = session.scalars(
        select(TaskInstance).where(
            TaskInstance.dag_id == DAG_ID,
            TaskInstance.run_id == run_id,
            TaskInstance.task_id.in_(task_ids),
        )
    ).all()
    clear_task_instances([*instances], session)
    session.commit()


def _failed(tasks: list[Task]) -> str | None:
    return next((task.task_id for task in tasks if task.state == "failed"), None)


def _task(instance: TaskInstance) -> Task:
    return Task(
        task_id=instance.task_id,
        state=str(instance.state) if instance.state else None,
        attempts=instance.try_number,
        seconds=instance.duration,
        # The id of a run may hold any sign; the page's own address is one folder below Airflow's.
        url=f"../dags/{DAG_ID}/runs/{quote(instance.run_id, safe='')}/tasks/{instance.task_id}",
    )


def _as_of(session: Session, dag_run: DagRun) -> date | None:
    """Give the day that the first task has resolved; before it has, the day that it will."""
    first = _xcom(session, dag_run.run_id, FIRST_TASK, "return_value")
    if first is not None:
        return date.fromisoformat(first["as_of"])
    try:
        return resolve_day(dag_run, settings.TIMEZONE, (dag_run.conf or {}).get("as_of"))
    except BadInputError:
        return None


def _xcom(session: Session, run_id: str, task_id: str, key: str) -> Any:
    query = XComModel.get_many(run_id=run_id, key=key, task_ids=task_id, dag_ids=DAG_ID, limit=1)
    found = session.scalars(query).first()
    return None if found is None else XComModel.deserialize_value(found)
