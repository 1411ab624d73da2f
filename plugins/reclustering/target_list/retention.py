"""Delete old lists: the files with addresses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from upath import UPath

from reclustering.core.artifacts import explained
from reclustering.core.contracts import TARGET_LIST, TARGET_LIST_SPREADSHEET
from reclustering.target_list.list_file import CSV_HEADER

_STARTS = {TARGET_LIST: CSV_HEADER, TARGET_LIST_SPREADSHEET: b"PK\x03\x04"}
"""How each file of the list starts, by its name."""


def delete_address_files(artifacts: UPath, *, days: int, now: datetime) -> dict[str, Any]:
    """Delete the lists that were written more than `days` days ago.

    A file goes only if it is beyond doubt the pipeline's: it lies in `as_of=<date>/<run>/`, it is
    named `target_list.csv` or `target_list.xlsx` (or is what a killed attempt left of one), it starts as
    such a file does, and no link leads to it.

    Parameters
    ----------
    artifacts : UPath
        The root folder of all runs' files.
    days : int
        How long to keep them.
    now : datetime
        The time, with its zone.

    Returns
    -------
    dict
        How many were `deleted` and `kept`, and the paths of files `not_ours` that have the name but
        not the content.
    """
    oldest = now - timedelta(days=days)
    deleted, kept, not_ours = 0, 0, []
    with explained(artifacts):
        for path in _lists(artifacts):
            # Not stat(): Airflow's paths report 1970 where a store names this attribute its own way.
            if path.fs.modified(path.path) >= oldest:
                kept += 1
            elif _starts_as_list(path):
                # Not unlink(), which in a bucket takes the path for a pattern.
                path.fs.rm_file(path.path)
                deleted += 1
            else:
                not_ours.append(str(path))
    return {"deleted": deleted, "kept": kept, "not_ours": not_ours}


def _lists(artifacts: UPath) -> Iterator[UPath]:
    if not artifacts.exists():
        return
    for day in artifacts.iterdir():
        if _is_as_of(day.name) and _is_folder(day):
            for run in filter(_is_folder, day.iterdir()):
                yield from (file for file in run.iterdir() if _is_list(file))


def _is_as_of(name: str) -> bool:
    try:
        date.fromisoformat(name.removeprefix("as_of="))
    except ValueError:
        return False
    return name.startswith("as_of=")


def _is_folder(path: UPath) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_list(path: UPath) -> bool:
    named = path.name in _STARTS or _is_scratch(path)
    return named and path.is_file() and not path.is_symlink()


def _is_scratch(path: UPath) -> bool:
    """Tell whether this is what `artifacts.publish` writes before the list has its name."""
    return path.name.startswith(".") and path.name.endswith(tuple(f".{name}" for name in _STARTS))


def _starts_as_list(path: UPath) -> bool:
    expected = _STARTS[f"{path.stem.rpartition('.')[2]}{path.suffix}"]
    with path.open("rb") as file:
        start = file.read(len(expected))
    return start == expected or (_is_scratch(path) and expected.startswith(start))
