"""The day that a run is about, as the run's note: it is seen in Airflow's list of runs.

A listener, which the scheduler calls in its own transaction when a run starts: a task has no way to set
a note.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from airflow.listeners import hookimpl

from reclustering.core.errors import BadInputError
from reclustering.orchestration.runs import DAG_ID, resolve_day

_START = "as of "


@hookimpl
def on_dag_run_running(dag_run: Any, msg: str) -> None:  # noqa: ARG001 (Airflow passes it by name)
    """Put the day before whatever note somebody has written."""
    note = dag_run.note or ""
    if dag_run.dag_id != DAG_ID or note.startswith(_START):
        return
    # The run's first task says what is wrong with a day that is none.
    with suppress(BadInputError):
        requested = (dag_run.conf or {}).get("as_of")
        as_of = resolve_day(dag_run, dag_run.dag.timezone, requested)
        dag_run.note = f"{_START}{as_of}. {note}" if note else f"{_START}{as_of}"
