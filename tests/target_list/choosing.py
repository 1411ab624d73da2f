"""Customers, and the list that comes of them, without a store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from reclustering.target_list.members import MEMBERS_SCHEMA
from reclustering.target_list.opt_outs import OptOuts
from reclustering.target_list.selection import LIST_SCHEMA, Before, Totals, selection
from reclustering.target_list.settings import ListSettings

DAY = date(2024, 1, 1)
NOBODY = OptOuts(0, frozenset(), frozenset())


class Candidate(NamedTuple):
    """A customer of the cluster."""

    customer: int
    email: str | None
    salutation: str | None = "Ms."
    first_name: str | None = "Ann"
    last_name: str | None = "Lee"
    last_purchase: date | None = None
    orders: int | None = 1
    frequency: int = 0


@dataclass(frozen=True)
class Chosen:
    """What came of it: `entries` are on the list."""

    entries: list[dict[str, Any]]
    totals: Totals
    list: pa.Table

    @property
    def customers(self) -> list[int]:
        return [entry["customer"] for entry in self.entries]

    @property
    def excluded(self) -> dict[str, int]:
        return self.totals.excluded


def choose(
    rows: Iterable[Candidate],
    opt_outs: OptOuts = NOBODY,
    *,
    before: Before | None = None,
    mailed: Iterable[int] = (),
    outcomes: Path | None = None,
    as_of: date = DAY,
    **settings: Any,
) -> Chosen:
    """Choose among customers, whatever their order; leave `target_list.parquet` if a path is given."""
    everybody = sorted(rows)
    members = pa.Table.from_pylist([row._asdict() for row in everybody], schema=MEMBERS_SCHEMA)
    recent = [pa.record_batch({"customer": pa.array([*mailed], pa.int64())})]
    with selection() as chosen:
        chosen.collect([members], opt_outs)
        totals = chosen.decide(ListSettings(**settings), as_of=as_of, before=before, recent=recent)
        if outcomes:
            chosen.write_outcomes(outcomes)
        listed = pa.concat_tables([LIST_SCHEMA.empty_table(), *chosen.listed()])
    return Chosen(listed.to_pylist(), totals, listed)


def on_list(*rows: Candidate, since: date = DAY) -> list[pa.Table]:
    """Give customers as they are listed, whatever would speak against them."""
    entries = [row._asdict() | {"since": since} for row in rows]
    return [pa.Table.from_pylist(entries, schema=LIST_SCHEMA)]
