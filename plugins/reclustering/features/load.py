"""The night's load: how much the store holds, day by day, and how far it reaches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from reclustering.core.protocols import Session

EVENTS = ("store_sales", "store_returns")
"""The tables whose rows have a day."""


@dataclass
class Source:
    """What one table holds by day: number of rows and sum of money; `undated` rows have no day."""

    rows: dict[date, int] = field(default_factory=dict)
    amounts: dict[date, float] = field(default_factory=dict)
    undated: int = 0

    @property
    def last_day(self) -> date | None:
        """The newest day, if any row has one."""
        return max(self.rows, default=None)

    @property
    def total(self) -> int:
        """All rows, dated or not."""
        return sum(self.rows.values()) + self.undated


@dataclass
class Load:
    """What the store held when a run read it.

    Attributes
    ----------
    sources : dict of str to Source
        By table, of `EVENTS`.
    customers : int
        Rows of `customer`.
    """

    sources: dict[str, Source]
    customers: int

    def summary(self) -> dict[str, Any]:
        """Give what is kept of it, to compare later runs with: totals, and rows and money by month."""
        return {
            name: {
                "rows": one.total,
                "undated": one.undated,
                "last_day": one.last_day.isoformat() if one.last_day else None,
                "months": months(one),
            }
            for name, one in self.sources.items()
        } | {"customer": {"rows": self.customers}}


def read_load(session: Session, as_of: date) -> Load:
    """Read what the store holds of the days before one."""
    return collect(session.query("features/source_days", {"as_of": as_of}))


def collect(rows: Iterable[Mapping[str, Any]]) -> Load:
    """Collect the rows of `features/source_days.sql`."""
    load = Load({name: Source() for name in EVENTS}, customers=0)
    for row in rows:
        day, n = row["day_date"], int(row["n"])
        if row["source"] == "customer":
            load.customers = n
        elif day is None:
            load.sources[row["source"]].undated += n
        else:
            load.sources[row["source"]].rows[day] = n
            amount = float(row["amount"])
            # NaN and infinity are for the customers' features to refuse.
            load.sources[row["source"]].amounts[day] = amount if math.isfinite(amount) else 0.0
    return load


def months(source: Source, *, before: date | None = None) -> dict[str, list[float]]:
    """Give rows and money of each month, of the days before one."""
    found: dict[str, list[float]] = {}
    for day, n in sorted(source.rows.items()):
        if before is None or day < before:
            month = found.setdefault(f"{day:%Y-%m}", [0, 0.0])
            month[0] += n
            month[1] += source.amounts[day]
    return {name: [n, round(amount, 2)] for name, (n, amount) in found.items()}
