"""The runs of many days, one line each, from the smallest of their files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from upath import UPath

from reclustering.core.artifacts import explained, read_json
from reclustering.core.errors import BadInputError

READERS = 16
"""Files that are read at a time; a bucket takes tens of milliseconds for each."""


@dataclass(frozen=True)
class Day:
    """What the last run of a day that published something left, or, if none has, the last run.

    Attributes
    ----------
    as_of : date
        The day.
    run_id : str
        Airflow's name for the run.
    k : int or None
        Clusters published.
    sizes : list of int
        Customers of labels 0, 1, …
    changed : float or None
        Share of the customers of both runs who changed cluster since the run before, 0 to 1.
    listed : int or None
        Customers on the list.
    mark : str or None
        `backfill`, `held`, or `not published`.
    """

    as_of: date
    run_id: str
    k: int | None = None
    sizes: tuple[int, ...] = ()
    changed: float | None = None
    listed: int | None = None
    mark: str | None = None


def read_history(artifacts: UPath, *, last: date, days: int) -> list[Day]:
    """Read the days that have a run, up to and with `last`, oldest first.

    Parameters
    ----------
    artifacts : UPath
        The folder of all runs' files.
    last : date
        The newest day.
    days : int
        How many days.
    """
    first = last - timedelta(days=days - 1)
    with explained(artifacts):
        if not artifacts.exists():
            return []
        found = [
            (as_of, folder)
            for folder in artifacts.iterdir()
            if (as_of := _day_of(folder)) is not None and first <= as_of <= last
        ]
    with ThreadPoolExecutor(READERS) as readers:
        read = readers.map(lambda one: _read_day(*one), sorted(found, key=lambda one: one[0]))
        return [day for day in read if day is not None]


def every_day(days: Iterable[Day]) -> list[dict[str, Any]]:
    """Give each day from the first to the last as what a chart draws; of a gap only the day is known."""
    known = {day.as_of: day for day in days}
    if not known:
        return []
    first, last = min(known), max(known)
    dates = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [
        {"as_of": as_of.isoformat()}
        | (
            {
                "k": day.k,
                "sizes": list(day.sizes),
                "changed": day.changed,
                "listed": day.listed,
                "mark": day.mark,
            }
            if (day := known.get(as_of))
            else {}
        )
        for as_of in dates
    ]


def _read_day(as_of: date, folder: UPath) -> Day | None:
    runs = [one for run in folder.iterdir() if (one := _read_run(as_of, run)) is not None]
    # Of runs that published, the last counts; ISO times in one zone sort as they follow each other.
    return max(runs, key=lambda one: one[0])[1] if runs else None


def _read_run(as_of: date, folder: UPath) -> tuple[tuple[bool, str], Day] | None:
    files: dict[str, dict[str, Any]] = {}
    for name in ("run", "publication", "target_list", "delivery"):
        # Not there yet, or just being replaced.
        with suppress(BadInputError):
            files[name] = read_json(folder / f"{name}.json")
    if "run" not in files:
        return None
    run_id, publication = files["run"]["run_id"], files.get("publication", {})
    published = bool(publication.get("table"))
    mark = None
    if not published:
        mark = "not published"
    elif run_id.startswith("backfill__"):
        mark = "backfill"
    elif files.get("delivery", {}).get("outcomes", {}).get("held"):
        mark = "held"
    day = Day(
        as_of,
        run_id,
        k=publication.get("k") if published else None,
        sizes=tuple(publication["sizes"]) if published else (),
        changed=publication.get("changed") if published else None,
        listed=files.get("target_list", {}).get("customers") if published else None,
        mark=mark,
    )
    return (published, publication.get("at") or ""), day


def _day_of(folder: UPath) -> date | None:
    match = re.fullmatch(r"as_of=(\d{4}-\d\d-\d\d)", folder.name)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None
