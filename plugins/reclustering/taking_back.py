"""Take back a published day: its labels, the row that describes them, and its files.

Deleting the run in Airflow removes none of these, and later runs would still be compared with them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from upath import UPath

from reclustering.core.artifacts import explained, remove_folder
from reclustering.core.protocols import Warehouse
from reclustering.delivery import ledger
from reclustering.labels.publication import withdraw_labels


def add_take_back_command(parser: argparse.ArgumentParser, artifacts: Callable[[], UPath]) -> None:
    """Add the command's arguments to a parser; `artifacts` gives the root folder of all runs' files."""
    parser.add_argument("as_of", type=date.fromisoformat, help="the day, as YYYY-MM-DD")
    parser.set_defaults(
        command=lambda warehouse, options: _said(
            take_back(warehouse, artifacts(), options.as_of, now=datetime.now(UTC)), options.as_of
        )
    )


def take_back(
    warehouse: Warehouse, artifacts: UPath, as_of: date, *, now: datetime
) -> dict[str, Any]:
    """Remove what was published of a day, and the files of all its runs.

    Once this is through, later runs are compared with the day before. What was mailed of the day stays in
    the ledger, so that a new list of the day is mailed as a correction. It can be repeated.

    Parameters
    ----------
    warehouse : Warehouse
        Where it was published.
    artifacts : UPath
        The root folder of all runs' files.
    as_of : date
        The day.
    now : datetime
        The time, with its zone.

    Returns
    -------
    dict
        How many `labels` and `runs` were deleted, how many `mails` of the day had gone out or were to, and
        the `folder` that was deleted, or None.
    """
    with warehouse.transaction(lock=f"customer_clusters/{as_of}") as session:
        labels, runs = withdraw_labels(session, as_of)
        mails = ledger.take_back(session, as_of, now=now)
    folder = artifacts / f"as_of={as_of.isoformat()}"
    with explained(folder):
        there = folder.is_dir() and not folder.is_symlink()
    if there:
        remove_folder(folder)
    return {
        "labels": labels,
        "runs": runs,
        "mails": mails,
        "folder": str(folder) if there else None,
    }


def _said(done: dict[str, Any], as_of: date) -> str:
    return (
        f"Took back {as_of}: {done['labels']:,} labels of {done['runs']} published run, and the folder "
        f"{done['folder'] or '(there was none)'}. Its {done['mails']} mails stay in the ledger: tell who has "
        "the list. Nothing is published of this day until a run of it is triggered."
    )
