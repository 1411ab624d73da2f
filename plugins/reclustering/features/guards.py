"""What must hold of a load before it is taken for the day's.

A clock says that it is four; it does not say that yesterday's sales are there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from statistics import median
from typing import Any

from reclustering.core.guards import Bounds, Finding, allowed
from reclustering.features.load import Load, Source, months

WEEKS = 8
"""What is usual is the median of this many earlier weeks."""

WINDOWS = (1, 2, 4, 7, 28)
"""Days up to as_of that are compared with what is usual."""

CHANCE = 6
"""Square roots of the usual rows that they may be fewer by chance. Rows come several to an order."""

NOTHING = (0, 0.0)
"""Rows and money of a month that is not there."""

AMOUNT_SWING = 0.5
"""Money swings more from day to day than rows do: it may fall this much lower."""


def judge_load(
    load: Load, as_of: date, previous: Mapping[str, Any] | None, bounds: Bounds
) -> Iterator[Finding]:
    """Say what speaks against this being the whole of the store's data.

    Parameters
    ----------
    load : Load
        What the store holds.
    as_of : date
        The day of the run.
    previous : mapping or None
        `as_of` (ISO) and `baseline` (with a `Load.summary` as `load`) of the last published run.
    bounds : Bounds
        How far it may differ.
    """
    ages = {"store_sales": bounds.max_sales_age, "store_returns": bounds.max_returns_age}
    for name, source in load.sources.items():
        yield from _guard_dates(name, source, bounds)
        yield from _guard_age(name, source, as_of, ages[name])
        yield from _guard_recent(name, source, as_of, bounds)
    if previous and "load" in previous["baseline"]:
        then_day = date.fromisoformat(previous["as_of"])
        yield from _guard_history(load, previous["baseline"]["load"], then_day, bounds)
    else:
        for name, source in load.sources.items():
            yield from _guard_holes(name, source, bounds)


def _guard_dates(name: str, source: Source, bounds: Bounds) -> Iterator[Finding]:
    most = allowed(source.total, bounds.max_undated)
    if source.undated > most:
        yield Finding(
            "dates",
            f"{source.undated:,} of {source.total:,} rows of dbo.{name} have no date, or one that is not in "
            f"dbo.date_dim; expected at most {most:,.0f}",
        )
    if source.rows and not any(source.amounts.values()):
        yield Finding(
            "amounts", f"all money in dbo.{name} is 0 in {source.total:,} rows; expected amounts"
        )


def _guard_age(name: str, source: Source, as_of: date, most: int) -> Iterator[Finding]:
    days = (as_of - (source.last_day or date.min)).days
    if days > most:
        found = (
            f"the newest row of dbo.{name} is of {source.last_day}, {days} days before {as_of}"
            if source.last_day
            else f"dbo.{name} has no row with a date before {as_of}"
        )
        yield Finding("age", f"{found}; expected one of at most {most} days before")


def _guard_recent(name: str, source: Source, as_of: date, bounds: Bounds) -> Iterator[Finding]:
    measures = ((source.rows, 1.0, "rows"), (source.amounts, AMOUNT_SWING, "money"))
    for days in WINDOWS:
        usual_rows = _usual(source.rows, as_of, days)
        for values, swing, unit in measures:
            found, usual = _window(values, as_of, days), _usual(values, as_of, days)
            least = _least(usual_rows, bounds) * swing * usual
            if found < least:
                before = "day" if days == 1 else f"{days} days"
                yield Finding(
                    "recent",
                    f"dbo.{name} has {found:,.0f} {unit} of the {before} before {as_of}, and {usual:,.0f} as "
                    f"a rule ({WEEKS} weeks' median); expected at least {least:,.0f}",
                )
                return


def _window(values: Mapping[date, float], end: date, days: int) -> float:
    return sum(values.get(end - timedelta(days=n), 0) for n in range(1, days + 1))


def _usual(values: Mapping[date, float], end: date, days: int) -> float:
    weeks = range(1, WEEKS + 1)
    return median(_window(values, end - timedelta(weeks=week), days) for week in weeks)


def _guard_holes(name: str, source: Source, bounds: Bounds) -> Iterator[Finding]:
    """Find a month that holds less than both of its neighbours, where there is no run to compare with."""
    rows = {month: n for month, (n, _) in months(source).items()}
    first, last = min(source.rows, default=date.max), max(source.rows, default=date.min)
    whole = [f"{n // 12}-{n % 12 + 1:02}" for n in range(_month(first) + 1, _month(last))]
    for before, month, after in zip(whole, whole[1:], whole[2:], strict=False):
        usual = min(rows.get(before, 0), rows.get(after, 0))
        least = _least(usual, bounds) * usual
        if rows.get(month, 0) < least:
            yield Finding(
                "history",
                f"dbo.{name} has {rows.get(month, 0):,} rows of {month}, {rows[before]:,} of the month "
                f"before and {rows[after]:,} of the one after; expected at least {least:,.0f}",
            )
            return


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _least(usual_rows: float, bounds: Bounds) -> float:
    """Give the least share of what is usual that is no sign of a fault, chance in a small store included."""
    chance = 1 - CHANCE / math.sqrt(usual_rows) if usual_rows else 0.0
    return min(bounds.min_recent, chance)


def _guard_history(
    load: Load, then: Mapping[str, Any], then_day: date, bounds: Bounds
) -> Iterator[Finding]:
    share = bounds.max_history_change
    for name, source in load.sources.items():
        now = months(source, before=then_day)
        yield from _compare_months(name, then[name]["months"], now, then_day, share)
    then_customers = then["customer"]["rows"]
    if load.customers < then_customers * (1 - share):
        yield Finding(
            "history",
            f"dbo.customer has {load.customers:,} rows and had {then_customers:,} on {then_day}; "
            f"expected at most {then_customers * share:,.0f} fewer",
        )


def _compare_months(
    name: str,
    then: Mapping[str, Sequence[float]],
    now: Mapping[str, Sequence[float]],
    then_day: date,
    share: float,
) -> Iterator[Finding]:
    rows = sum(n for n, _ in then.values())
    for unit, position in (("rows", 0), ("money", 1)):
        total = sum(values[position] for values in then.values())
        moved = {
            month: now.get(month, NOTHING)[position] - then.get(month, NOTHING)[position]
            for month in then.keys() | now.keys()
        }
        gone = -sum(change for change in moved.values() if change < 0)
        come = sum(change for change in moved.values() if change > 0)
        # Rows come late, in a small store by chance; what was there does not go by chance.
        most_gone = share * total
        most_come = allowed(rows, share) * total / rows if rows else math.inf
        if gone > most_gone or come > most_come:
            month = max(moved, key=lambda one: abs(moved[one]))
            was, found = (one.get(month, NOTHING)[position] for one in (then, now))
            yield Finding(
                "history",
                f"dbo.{name} has other {unit} of the days before {then_day} than the run of that day saw: of "
                f"{total:,.0f} {gone:,.0f} are gone (expected at most {most_gone:,.0f}) and {come:,.0f} have "
                f"come (at most {most_come:,.0f}); in {month} there are {found:,.0f} and were {was:,.0f}",
            )
            return
