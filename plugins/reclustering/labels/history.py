"""What was published before: read back by later runs, and deleted when it is old."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from reclustering.core.contracts import PREVIOUS_LABELS_SCHEMA
from reclustering.core.protocols import Warehouse
from reclustering.core.run import Run


def previous_run(warehouse: Warehouse, run: Run) -> dict[str, Any] | None:
    """Give the newest published run before this one's as_of.

    Returns
    -------
    dict or None
        `as_of` (ISO), `run_id`, `k`, `clusters` (each with label, size and centroid) and `baseline`
        (what guards compare with; empty in a row that is older than that column); None where nothing
        was published before.
    """
    row = _row(warehouse, "labels/previous_run", run.as_of)
    return row and {
        "as_of": row["as_of"].isoformat(),
        "run_id": row["run_id"],
        "k": int(row["k"]),
        "clusters": json.loads(row["centroids"]),
        "baseline": json.loads(row["baseline"] or "{}"),
    }


def published_run(warehouse: Warehouse, run: Run) -> dict[str, Any] | None:
    """Give the run whose labels of this as_of are published.

    Returns
    -------
    dict or None
        `run_id`, `k`, `scaling`, `outliers`, `clusters` (each with label, size and centroid) and
        `features_sha256`; None where nothing is published.
    """
    row = _row(warehouse, "labels/published_run", run.as_of)
    return row and {
        "run_id": row["run_id"],
        "k": int(row["k"]),
        "scaling": row["scaling"],
        "outliers": row["outliers"],
        "clusters": json.loads(row["centroids"]),
        "features_sha256": row["features_sha256"].strip(),
    }


def earlier_choices(
    warehouse: Warehouse, run: Run, *, scaling: str, outliers: str, days: int
) -> list[dict[str, Any]]:
    """Give what earlier runs chose and saw, as far as they were made with the same settings.

    Returns
    -------
    list of dict
        `as_of` (ISO), `k`, `groups` and `clear` (the number of groups that the evidence spoke for, or
        None) of the `days` newest published runs before this one's as_of, newest first.
    """
    settings = {"scaling": scaling, "outliers": outliers}
    with warehouse.read() as session:
        rows = session.query(
            "labels/earlier_choices", {"as_of": run.as_of, "days": days} | settings
        )
    return [
        {
            "as_of": row["as_of"].isoformat(),
            "k": int(row["k"]),
            "groups": int(row["k_groups"]),
            "clear": None if row["k_clear"] is None else int(row["k_clear"]),
        }
        for row in rows
    ]


def fetch_labels(warehouse: Warehouse, as_of: date, out: Path) -> Path:
    """Write the published labels of a day to a Parquet file, with `PREVIOUS_LABELS_SCHEMA`."""
    with pq.ParquetWriter(out, PREVIOUS_LABELS_SCHEMA) as writer, warehouse.read() as session:
        for batch in session.stream("labels/previous_labels", {"as_of": as_of}):
            writer.write_batch(batch.cast(PREVIOUS_LABELS_SCHEMA))
    return out


def prune_labels(warehouse: Warehouse, *, days: int, today: date) -> dict[str, Any]:
    """Delete labels of days more than `days` days ago, day by day; the newest published set stays.

    The description of every run in `dbo.clustering_runs` stays, and so does the send ledger.

    Returns
    -------
    dict
        `before`, the first day that is kept (ISO), and how many `days` and rows were `deleted`.
    """
    before = today - timedelta(days=days)
    old = [day for day in published_days(warehouse)[:-1] if day < before]
    deleted = sum(_delete(warehouse, day, "labels/delete_day", {}) for day in old)
    return {"before": before.isoformat(), "days": len(old), "deleted": deleted}


def erase_labels(warehouse: Warehouse, customer: int) -> int:
    """Delete one customer's labels of every day, day by day; give how many there were."""
    with warehouse.transaction(lock="retention") as session:
        session.execute("labels/delete_staged_customer", {"customer": customer})
    return sum(
        _delete(warehouse, day, "labels/delete_customer", {"customer": customer})
        for day in published_days(warehouse)
    )


def published_days(warehouse: Warehouse) -> list[date]:
    """Give the days that have published labels, oldest first."""
    with warehouse.read() as session:
        return [row["as_of"] for row in session.query("labels/published_days")]


def _delete(warehouse: Warehouse, day: date, statement: str, values: dict[str, Any]) -> int:
    # The lock of whoever publishes this day.
    with warehouse.transaction(lock=f"customer_clusters/{day}") as session:
        return session.execute(statement, {"as_of": day} | values)


def _row(warehouse: Warehouse, statement: str, as_of: date) -> dict[str, Any] | None:
    with warehouse.read() as session:
        rows = session.query(statement, {"as_of": as_of})
    return rows[0] if rows else None
