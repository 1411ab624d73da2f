"""From Airflow's context to the run that a task belongs to."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from typing import Any

from airflow.sdk import Context

from reclustering.core.errors import BadInputError, TerminalError
from reclustering.core.run import TAB, Run, resolve_as_of
from reclustering.delivery.settings import held_because
from reclustering.orchestration.variables import artifacts

DAG_ID = "customer_reclustering"

FIRST_TASK = "extract_features"
"""The task that resolves as_of; the others read it from what it returned."""


def first_run(context: Context) -> Run:
    """Give the run of the first task, which resolves its as_of.

    Raises
    ------
    BadInputError
        When the requested as_of is no date, in the future, or a backfill's: each of its runs would
        publish that one day.
    """
    dag_run, requested = context["dag_run"], context["params"]["as_of"]
    if requested is not None and dag_run.run_type == "backfill":
        raise BadInputError(
            f"as_of is '{requested}' in a backfill; expected none, for each run has a day of its own. "
            "Create the backfill anew without as_of."
        )
    return _run(context, day_of_run(context, requested))


def day_of_run(context: Context, requested: str | None = None) -> date:
    """Give the day that a run is about: the requested one, or its own.

    Raises
    ------
    BadInputError
        When it is no date, or in the future.
    """
    return resolve_day(context["dag_run"], context["dag"].timezone, requested)


def resolve_day(dag_run: Any, timezone: tzinfo, requested: str | None) -> date:
    """Give the day of a run as the scheduler or a task knows it; see `day_of_run`."""
    return resolve_as_of(
        requested,
        data_interval_end=dag_run.data_interval_end,
        run_after=dag_run.run_after,
        now=datetime.now(UTC),
        timezone=timezone,
    )


def current_run(context: Context) -> Run:
    """Give the run of a later task: the as_of is pinned to what the first task resolved.

    Were it worked out anew, a time zone that was changed meanwhile would send a cleared task to
    another day's folder.

    Raises
    ------
    TerminalError
        When the first task has left none.
    """
    first: dict[str, Any] | None = context["ti"].xcom_pull(task_ids=FIRST_TASK)
    if first is None:
        raise TerminalError(
            f"This run has no as_of, for {FIRST_TASK} has not succeeded in it. "
            f"Clear {FIRST_TASK}, and the tasks after it."
        )
    return _run(context, date.fromisoformat(first["as_of"]))


def _run(context: Context, as_of: date) -> Run:
    return Run(
        as_of=as_of,
        run_id=context["dag_run"].run_id,
        artifacts=artifacts(),
        url=f"{context['ti'].log_url.partition('/tasks/')[0]}/plugin/{TAB}",
        preview=context["params"]["preview"],
    )


def why_held(context: Context, run: Run) -> str | None:
    """Say why a run does not mail its list, if it does not."""
    return held_because(
        context["params"]["delivery"],
        context["dag_run"].run_type,
        as_of=run.as_of,
        today=today(context),
        preview=run.preview,
    )


def today(context: Context) -> date:
    """Give the day that it is in the DAG's time zone."""
    return datetime.now(context["dag"].timezone).date()


def page_of(context: Context, dag_id: str) -> str:
    """Give the address of a DAG in Airflow's UI."""
    return f"{context['ti'].log_url.partition('/dags/')[0]}/dags/{dag_id}"
