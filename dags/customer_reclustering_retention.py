"""Forget addresses, old files of customers, and old labels.

Every day this deletes

- the target lists (`target_list.csv`, `target_list.xlsx`) that are older than the Variable
  `target_list_retention_days` (30);
- the Parquet files with a row for each customer, by key (`features`, `purchases`, `labels`, `target_list`),
  that are older than `customer_files_retention_days` (90), except those of the newest day;
- the labels in `dbo.customer_clusters` and who was on a list (`dbo.target_list_members`) of days more than
  `label_history_days` (730) ago, except the newest published labels, day by day. What each run was
  (`dbo.clustering_runs`) and what was mailed (`dbo.target_list_deliveries`) stays.

Only files in the artifacts' own layout go that have such a name and start as such a file does; a file that
has the name and not the content is named in the log and left alone. A run whose files are gone can only be
run again from its first task on.

To erase one customer: `python -m reclustering erase <key>`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import dag, timezone

from reclustering import retention
from reclustering.labels.history import prune_labels as prune
from reclustering.orchestration import (
    DEFAULT_ARGS,
    alert_on_failure,
    artifacts,
    step,
    whole_number,
)
from reclustering.target_list.membership import prune_members as prune_lists
from reclustering.warehouse import connect
from reclustering.warehouse.schema import create_own_objects

A_CENTURY = 36_500
"""Days; beyond it there may be no date."""


@dag(
    schedule="30 6 * * *",
    start_date=timezone.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=alert_on_failure,
    doc_md=__doc__,
    tags=["clustering", "marketing"],
)
def customer_reclustering_retention() -> None:
    """Wire the tasks; none waits for another."""

    @step(timedelta(hours=1))
    def delete_address_files() -> dict[str, Any]:
        return retention.delete_address_files(
            artifacts(),
            days=whole_number("target_list_retention_days", default=30, most=A_CENTURY),
            now=datetime.now(UTC),
        )

    @step(timedelta(hours=1))
    def delete_customer_files() -> dict[str, Any]:
        return retention.delete_customer_files(
            artifacts(),
            days=whole_number("customer_files_retention_days", default=90, most=A_CENTURY),
            now=datetime.now(UTC),
        )

    @step(timedelta(hours=1))
    def prune_labels() -> dict[str, Any]:
        warehouse = connect()
        # On a new deployment this may run before the pipeline itself.
        create_own_objects(warehouse)
        return prune(
            warehouse,
            days=whole_number("label_history_days", default=730, most=A_CENTURY),
            today=datetime.now(UTC).date(),
        )

    @step(timedelta(hours=1))
    def prune_members() -> dict[str, Any]:
        warehouse = connect()
        create_own_objects(warehouse)
        return prune_lists(
            warehouse,
            days=whole_number("label_history_days", default=730, most=A_CENTURY),
            today=datetime.now(UTC).date(),
        )

    delete_address_files()
    delete_customer_files()
    prune_members()
    prune_labels()


customer_reclustering_retention()
