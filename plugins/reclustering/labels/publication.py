"""Publish the labels of a run: staged, verified, then swapped in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa

from reclustering.core.errors import TerminalError, TransientError
from reclustering.core.protocols import Customers, Session, Warehouse
from reclustering.core.run import Run
from reclustering.core.statements import totals_query
from reclustering.core.tables import count_rows, read_table_batches

CHECKSUM = "labels/staging_checksum"
"""The statement whose result must be the same for the file and for what was staged from it."""

STALE_AFTER = timedelta(days=1)
"""Staging rows older than this belong to an attempt that died."""

PORTION = 250_000
"""Rows of staging that are deleted at once: SQL Server locks each, for a lock on the table would be in the
way of another day's."""

LAST_KEY = 2**63 - 1
"""The greatest that a bigint can be."""

STAGING_SCHEMA = pa.schema(
    [
        ("staging_key", pa.string()),
        ("customer", pa.int64()),
        ("orderRatio", pa.float64()),
        ("itemsRatio", pa.float64()),
        ("monetaryRatio", pa.float64()),
        ("frequency", pa.int32()),
        ("cluster", pa.uint8()),
    ]
)
"""Columns of `dbo.customer_clusters_staging`, in the table's order."""


def publish_labels(
    warehouse: Warehouse,
    run: Run,
    labels: Path,
    *,
    totals: dict[str, int],
    elbow: dict[str, Any],
    clusters: dict[str, Any],
    baseline: dict[str, Any],
    features_sha256: str,
    now: datetime,
) -> int:
    """Replace the published labels of the run's as_of, and the row that describes them.

    Readers see the whole old set or the whole new one. A second attempt for the same as_of waits
    for the first and then publishes the same rows again.

    Parameters
    ----------
    warehouse : Warehouse
        Where to publish.
    run : Run
        Whose as_of to replace.
    labels : Path
        `labels.parquet`.
    totals : dict
        What `staging_totals` says of it.
    elbow, clusters : dict
        The content of `elbow.json` and `clusters.json`.
    baseline : dict
        What the guards of the next run compare with.
    features_sha256 : str
        What `write_features` returned.
    now : datetime
        Time of publication, UTC.

    Returns
    -------
    int
        Number of customers published.

    Raises
    ------
    TransientError
        When staging does not hold as many rows as `labels.parquet`.
    TerminalError
        When it holds as many, and others.
    """
    # Columns of type datetime2 carry no zone; they are UTC by convention.
    published_at = now.replace(tzinfo=None)
    staging_key = _staging_key(published_at)
    _stage(warehouse, labels, staging_key)
    this_attempt = {"staging_key": staging_key}
    this_day = {"as_of": run.as_of}
    with warehouse.transaction(lock=f"customer_clusters/{run.as_of}") as session:
        _require_same(session.query(CHECKSUM, this_attempt)[0], totals)
        session.execute("labels/delete_labels", this_day)
        session.execute("labels/insert_labels", this_day | this_attempt)
        session.execute("labels/delete_run", this_day)
        session.execute(
            "labels/insert_run",
            this_day
            | {
                "run_id": run.run_id,
                "k": clusters["k"],
                "k_method": elbow["method"],
                "k_reason": elbow["reason"],
                "k_groups": elbow["groups"],
                "k_clear": elbow["evidence"]["groups"],
                "scaling": clusters["scaling"]["method"],
                "outliers": clusters["outliers"]["mode"],
                "seed": clusters["seed"],
                "inertia": clusters["inertia"],
                "customers": totals["n"],
                "centroids": json.dumps(_centroids(clusters), allow_nan=False),
                "continuity": json.dumps(clusters["continuity"], allow_nan=False),
                "baseline": json.dumps(baseline, allow_nan=False),
                "features_sha256": features_sha256,
                "published_at": published_at,
            },
        )
    # Apart, so that readers need not wait for it. If it is not reached, the next run does it.
    stale_before = _staging_key(published_at - STALE_AFTER)
    with warehouse.read() as session:
        stale = session.query("labels/stale_staging", {"stale_before": stale_before})
    for one in [*(row["staging_key"] for row in stale), staging_key]:
        _clear_staging(warehouse, one)
    return totals["n"]


def withdraw_labels(session: Session, as_of: date) -> tuple[int, int]:
    """Delete the published labels of a day and the row that describes them; give how many of each."""
    this_day = {"as_of": as_of}
    labels = session.execute("labels/delete_labels", this_day)
    return labels, session.execute("labels/delete_run", this_day)


def _clear_staging(warehouse: Warehouse, staging_key: str) -> None:
    this = {"staging_key": staging_key}
    with warehouse.read() as session:
        rows = session.query("labels/staging_portions", this | {"portion": PORTION})
    ends = [-LAST_KEY - 1, *(row["customer"] for row in rows), LAST_KEY]
    for after, until in pairwise(ends):
        with warehouse.transaction() as session:
            session.execute("labels/delete_staging", this | {"after": after, "until": until})


def _staging_key(moment: datetime) -> str:
    """Give a key of 32 characters for an attempt; later attempts have greater keys."""
    return f"{moment:%Y%m%dT%H%M%S}-{uuid4().hex[:16]}"


def _stage(warehouse: Warehouse, labels: Path, staging_key: str) -> None:
    """Load labels into staging: ranges of keys at once, as many as the warehouse can take."""
    rows, sessions = count_rows(labels), warehouse.load_sessions
    ends = [rows * i // sessions for i in range(sessions + 1)]

    def load(ends: tuple[int, int]) -> None:
        warehouse.load("customer_clusters_staging", _staging_rows(labels, staging_key, *ends))

    if sessions == 1:
        load((0, rows))
        return
    with ThreadPoolExecutor(sessions) as pool:
        list(pool.map(load, pairwise(ends)))


def _staging_rows(labels: Path, staging_key: str, start: int, stop: int) -> pa.RecordBatchReader:
    # The published tables keep the tutorial's name for the label, which is `cluster`.
    columns = ["label" if name == "cluster" else name for name in STAGING_SCHEMA.names]

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in read_table_batches(labels, 100_000, start=start, stop=stop):
            key = pa.repeat(staging_key, batch.num_rows)
            keyed = batch.add_column(0, "staging_key", key).select(columns)
            yield keyed.rename_columns(STAGING_SCHEMA.names).cast(STAGING_SCHEMA)

    return pa.RecordBatchReader.from_batches(STAGING_SCHEMA, batches())


def staging_totals(customers: Customers) -> dict[str, int]:
    """Give what `staging_checksum.sql` is to say once labels.parquet, opened as `labels`, is staged."""
    customers.define("staged", "SELECT *, label AS cluster FROM labels")
    names, sql = totals_query(CHECKSUM, "staged")
    return dict(zip(names, map(int, customers.rows(sql)[0]), strict=True))


def _require_same(found: dict[str, Any], expected: dict[str, int]) -> None:
    wrong = {name: (found[name], value) for name, value in expected.items() if found[name] != value}
    if not wrong:
        return
    differences = ", ".join(f"{name}: {f} for {e}" for name, (f, e) in wrong.items())
    said = (
        f"dbo.customer_clusters_staging does not hold what labels.parquet holds ({differences}). "
        "Nothing was published"
    )
    if "n" in wrong:
        raise TransientError(f"{said}; the next attempt loads it again.")
    raise TerminalError(
        f"{said}. Every row has arrived, with other values, as it would again: compare the table's columns, "
        "their order and types, and its triggers with include/sql/schema/0002_customer_clusters_staging.sql."
    )


def _centroids(clusters: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"label": one["label"], "size": one["size"], "centroid": one["centroid"]}
        for one in clusters["clusters"]
    ]
