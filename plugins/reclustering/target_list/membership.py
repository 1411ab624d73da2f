"""Who was on a list that goes out, and who was held out, in the warehouse: `dbo.target_list_members`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reclustering.core.contracts import LISTED
from reclustering.core.errors import TransientError
from reclustering.core.protocols import Session, Warehouse

MEMBERS_SCHEMA = pa.schema(
    [
        ("as_of", pa.date32()),
        ("label", pa.uint8()),
        ("list_sha256", pa.string()),
        ("customer", pa.int64()),
        ("listed", pa.uint8()),
    ]
)
"""Columns of `dbo.target_list_members`, in the table's order."""

RECORDED = (LISTED, "holdout")
"""The outcomes that are written down: they differ in chance alone."""


def record_members(
    warehouse: Warehouse, outcomes: Path, *, as_of: date, label: int, sha256: str
) -> int:
    """Write down who is on a list, and who was held out, unless it is there.

    To be done before the list goes out, so that none is out of which this is not known.

    Parameters
    ----------
    warehouse : Warehouse
        Where to.
    outcomes : Path
        `target_list.parquet`.
    as_of, label, sha256
        What makes it a list of its own.

    Returns
    -------
    int
        How many rows there are of it.

    Raises
    ------
    TransientError
        When not all have arrived.
    """
    this = {"as_of": as_of, "label": label, "list_sha256": sha256}
    expected = sum(batch.num_rows for batch in _rows(outcomes, this))
    lock = f"target_list_members/{as_of}"
    with warehouse.transaction(lock=lock) as session:
        if _count(session, this) != expected:
            session.execute("target_list/delete_members", this)
    # Of two attempts at once, the second finds what the first has written.
    with warehouse.transaction(lock=lock) as session:
        if not _count(session, this):
            rows = pa.RecordBatchReader.from_batches(MEMBERS_SCHEMA, _rows(outcomes, this))
            warehouse.load("target_list_members", rows)
    with warehouse.read() as session:
        found = _count(session, this)
    if found != expected:
        raise TransientError(
            f"dbo.target_list_members has {found:,} rows of the list of {as_of}; expected {expected:,}. "
            "Nothing was mailed; the next attempt writes them again."
        )
    return found


def mailed_lately(session: Session, as_of: date, days: int) -> Iterator[pa.RecordBatch]:
    """Give who was on a list, or held out of one, that went out less than so many days before a day.

    Yields
    ------
    RecordBatch
        Column `customer`.
    """
    if days:
        after = as_of - timedelta(days=days)
        yield from session.stream("target_list/mailed_lately", {"as_of": as_of, "after": after})


def prune_members(warehouse: Warehouse, *, days: int, today: date) -> dict[str, Any]:
    """Delete who was on lists of days more than `days` days ago, day by day.

    Returns
    -------
    dict
        `before`, the first day that is kept (ISO), and how many `days` and rows were `deleted`.
    """
    before = today - timedelta(days=days)
    with warehouse.read() as session:
        old = [row["as_of"] for row in session.query("target_list/member_days", {"before": before})]
    deleted = 0
    for day in old:
        with warehouse.transaction(lock=f"target_list_members/{day}") as session:
            deleted += session.execute("target_list/delete_members_of_day", {"as_of": day})
    return {"before": before.isoformat(), "days": len(old), "deleted": deleted}


def erase_member(warehouse: Warehouse, customer: int) -> int:
    """Delete one customer from all lists that are written down; give from how many."""
    with warehouse.transaction(lock="retention") as session:
        return session.execute("target_list/delete_member", {"customer": customer})


def _count(session: Session, this: dict[str, Any]) -> int:
    return int(session.query("target_list/count_members", this)[0]["n"])


def _rows(outcomes: Path, this: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(outcomes) as file:
        for batch in file.iter_batches(batch_size=100_000):
            kept = batch.filter(pc.is_in(batch["outcome"], value_set=pa.array(RECORDED)))
            columns = [pa.repeat(pa.scalar(this[name]), len(kept)) for name in this]
            listed = pc.equal(kept["outcome"], LISTED).cast(pa.uint8())
            rows = [*columns, kept["customer"], listed]
            yield pa.record_batch(
                [
                    column.cast(field.type)
                    for column, field in zip(rows, MEMBERS_SCHEMA, strict=True)
                ],
                schema=MEMBERS_SCHEMA,
            )
