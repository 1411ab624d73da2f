"""The runs of many days, one line each, from the smallest of their files."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from upath import UPath

from reclustering.core.artifacts import explained, find_json
from reclustering.core.errors import BadInputError
from reclustering.core.run import day_folder, day_of_folder

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
    sizes : tuple of int
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
            if (as_of := day_of_folder(folder.name)) is not None and first <= as_of <= last
        ]
    with ThreadPoolExecutor(READERS) as readers:
        read = readers.map(lambda one: _read_day(*one), sorted(found, key=lambda one: one[0]))
        return [day for day in read if day is not None]


def read_day(artifacts: UPath, as_of: date) -> Day | None:
    """Read one day; None if it has no run."""
    return _read_day(as_of, artifacts / day_folder(as_of))


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
    with explained(folder):
        folders = list(folder.iterdir()) if folder.is_dir() else []
    runs = [one for run in folders if (one := _read_run(as_of, run)) is not None]
    # Of runs that published, the last counts; ISO times in one zone sort as they follow each other.
    return max(runs, key=lambda one: one[0])[1] if runs else None


def _read_run(as_of: date, folder: UPath) -> tuple[tuple[bool, str], Day] | None:
    run = _find(folder, "run")
    if not run:
        return None
    run_id, publication = run["run_id"], _find(folder, "publication")
    if not publication.get("table"):
        return (False, ""), Day(as_of, run_id, mark="not published")
    mark = None
    if run_id.startswith("backfill__"):
        mark = "backfill"
    elif _find(folder, "delivery").get("outcomes", {}).get("held"):
        mark = "held"
    # Earlier versions wrote less.
    day = Day(
        as_of,
        run_id,
        k=publication.get("k"),
        sizes=tuple(publication.get("sizes", ())),
        changed=publication.get("changed"),
        listed=_find(folder, "target_list").get("customers"),
        mark=mark,
    )
    return (True, publication.get("at", "")), day


def _find(folder: UPath, name: str) -> dict[str, Any]:
    """Read a file; nothing where it is not there yet, or no JSON."""
    with suppress(BadInputError):
        return find_json(folder / f"{name}.json") or {}
    return {}
