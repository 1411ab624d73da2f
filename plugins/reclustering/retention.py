"""Delete old files that hold people: lists with addresses, and tables of customers by key."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from upath import UPath

from reclustering.core.artifacts import explained, remove_table
from reclustering.core.contracts import KEYED_FILES, TARGET_LIST, TARGET_LIST_SPREADSHEET
from reclustering.core.run import day_of_folder
from reclustering.core.tables import is_part
from reclustering.target_list.list_file import CSV_HEADER

ADDRESS_FILES = (TARGET_LIST, TARGET_LIST_SPREADSHEET)

_STARTS = {TARGET_LIST: CSV_HEADER, TARGET_LIST_SPREADSHEET: b"PK\x03\x04"} | dict.fromkeys(
    KEYED_FILES, b"PAR1"
)
"""How each file starts, by its name."""


def delete_address_files(artifacts: UPath, *, days: int, now: datetime) -> dict[str, Any]:
    """Delete the lists, CSV and spreadsheet, that were written more than `days` days ago.

    See `delete_customer_files`.
    """
    return _delete_old(artifacts, ADDRESS_FILES, kept_day=None, days=days, now=now)


def delete_customer_files(artifacts: UPath, *, days: int, now: datetime) -> dict[str, Any]:
    """Delete the Parquet files that were written more than `days` days ago; those of the newest day stay.

    A file goes only if it is beyond doubt the pipeline's: it lies in `as_of=<date>/<run>/`, it has the name
    of one (or is what a killed attempt left of it), it starts as such a file does, and no link leads to it.

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
    with explained(artifacts):
        # The next list is compared with it.
        newest = max(
            (path.parent.parent.name for path in _files(artifacts, KEYED_FILES)), default=None
        )
    return _delete_old(artifacts, KEYED_FILES, kept_day=newest, days=days, now=now)


def run_folders(artifacts: UPath) -> Iterator[UPath]:
    """Give the folder of every run, links left out."""
    if not artifacts.exists():
        return
    for day in artifacts.iterdir():
        if day_of_folder(day.name) and _is_folder(day):
            yield from filter(_is_folder, day.iterdir())


def is_scratch(path: UPath, names: Collection[str]) -> bool:
    """Tell whether this is what `artifacts.publish` writes before one of these files has its name."""
    return path.name.startswith(".") and path.name.endswith(tuple(f".{name}" for name in names))


def _delete_old(
    artifacts: UPath, names: Collection[str], *, kept_day: str | None, days: int, now: datetime
) -> dict[str, Any]:
    oldest = now - timedelta(days=days)
    deleted, kept, not_ours = 0, 0, []
    with explained(artifacts):
        for path in _files(artifacts, names):
            # Not stat(): Airflow's paths report 1970 where a store names this attribute its own way.
            young = _written(path) >= oldest
            if young or path.parent.parent.name == kept_day:
                kept += 1
            elif _starts_as_ours(path, names):
                remove_table(path)
                deleted += 1
            else:
                not_ours.append(str(path))
    return {"deleted": deleted, "kept": kept, "not_ours": not_ours}


def _files(artifacts: UPath, names: Collection[str]) -> Iterator[UPath]:
    """Give the files, and folders of part files, with these names."""
    for run in run_folders(artifacts):
        for path in run.iterdir():
            named = path.name in names or is_scratch(path, names)
            if named and not path.is_symlink():
                yield path


def _is_folder(path: UPath) -> bool:
    return path.is_dir() and not path.is_symlink()


def _written(path: UPath) -> datetime:
    """Give when a file was last written, or the newest in a folder."""
    files = path.fs.find(path.path) if path.is_dir() else [path.path]
    return max((path.fs.modified(one) for one in files), default=datetime.min.replace(tzinfo=UTC))


def _starts_as_ours(path: UPath, names: Collection[str]) -> bool:
    if path.is_dir():
        return all(is_part(one) for one in path.iterdir())
    expected = next(_STARTS[name] for name in names if path.name.endswith(name))
    with path.open("rb") as file:
        start = file.read(len(expected))
    return start == expected or (is_scratch(path, names) and expected.startswith(start))
