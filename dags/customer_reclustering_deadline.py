"""See that the list is out in time.

At 07:00 (`RECLUSTERING_DEADLINE`, a cron expression) this looks into the ledger for today's list, and once
more ten minutes later. Fails, and so alerts, when not everybody has it: because the run has failed, hangs,
waits for a place, holds its list, or never started. Airflow's own deadline alerts begin with a run, so they
say nothing of a DAG that is paused.

What to do: see the runs of `customer_reclustering`, and `docs/operations.md`. Once the list is out, clear the
task; it turns green.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any, Unpack

from airflow.sdk import Context, dag, timezone

from reclustering.delivery.deadline import require_mailed
from reclustering.orchestration import (
    DEFAULT_ARGS,
    alert_on_failure,
    day_of_run,
    page_of,
    step,
)
from reclustering.warehouse import connect
from reclustering.warehouse.schema import create_own_objects


@dag(
    schedule=os.environ.get("RECLUSTERING_DEADLINE") or "0 7 * * *",
    start_date=timezone.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    # The second look. Until then a run that was just starting has come to its end.
    default_args=DEFAULT_ARGS | {"retries": 1, "retry_delay": timedelta(minutes=10)},
    on_failure_callback=alert_on_failure,
    doc_md=__doc__,
    tags=["clustering", "marketing"],
)
def customer_reclustering_deadline() -> None:
    """Wire the one task."""

    @step(timedelta(minutes=15))
    def require_list_is_out(**context: Unpack[Context]) -> dict[str, Any]:
        warehouse = connect()
        # On a new deployment this may run before the pipeline itself.
        create_own_objects(warehouse)
        return require_mailed(
            warehouse, day_of_run(context), pipeline=page_of(context, "customer_reclustering")
        )

    require_list_is_out()


customer_reclustering_deadline()
