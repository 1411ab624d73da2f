"""Forget the questions of tasks that were cleared, so that they ask anew.

Airflow keeps one question for each task of a run, whatever becomes of the task: asked again, it would show
the text of the first time, about a list that is no more.
"""

from __future__ import annotations

from typing import Any

from airflow.listeners import hookimpl

from reclustering.orchestration.runs import DAG_ID


@hookimpl
def on_dag_run_running(dag_run: Any, msg: str) -> None:  # noqa: ARG001 (Airflow passes it by name)
    """Delete them when the run starts again, in the scheduler's own transaction."""
    if dag_run.dag_id != DAG_ID:
        return
    # The scheduler has these; other components, which read this file too, need not.
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import delete, select
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None:
        return
    cleared = select(TaskInstance.id).where(
        TaskInstance.dag_id == DAG_ID,
        TaskInstance.run_id == dag_run.run_id,
        TaskInstance.state.is_(None),
    )
    session.execute(
        delete(HITLDetail).where(HITLDetail.ti_id.in_(cleared)),
        execution_options={"synchronize_session": False},
    )
