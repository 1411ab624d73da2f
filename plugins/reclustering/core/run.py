"""One run of the pipeline: the day it describes, and where its files are."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo

from upath import UPath

from reclustering.core.errors import BadInputError

TAB = "customer-clusters-of-run"
"""The route of the tab that a run has in Airflow's UI."""


@dataclass(frozen=True)
class Run:
    """A run of the pipeline.

    Attributes
    ----------
    as_of : date
        The run describes the store as it stood at the start of this day.
    run_id : str
        Airflow's name for the run.
    artifacts : UPath
        The root folder of all runs' files.
    url : str or None
        The run's tab in Airflow's UI.
    preview : bool
        Whether it only shows what it would do: nothing is published, nothing mailed.
    """

    as_of: date
    run_id: str
    artifacts: UPath
    url: str | None = field(default=None, compare=False)
    preview: bool = field(default=False, compare=False)

    def path(self, name: str) -> UPath:
        """Give the path of one of this run's files."""
        return self.artifacts / day_folder(self.as_of) / folder_name(self.run_id) / name


def day_folder(as_of: date) -> str:
    """Give the name of the folder of a day's runs."""
    return f"as_of={as_of.isoformat()}"


def day_of_folder(name: str) -> date | None:
    """Give the day whose runs a folder of this name holds; None if it is no such name."""
    if not name.startswith("as_of="):
        return None
    try:
        return date.fromisoformat(name.removeprefix("as_of="))
    except ValueError:
        return None


_AIRFLOWS_OWN = re.compile(
    r"[a-z_]+__\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d(_[A-Za-z0-9]+)?", re.ASCII
)
"""Ids that Airflow makes up, such as `scheduled__2026-11-25T04:00:00+00:00`."""


def folder_name(run_id: str) -> str:
    """Give the name of a run's folder; no two ids have the same.

    Airflow's own ids keep their form but for the colons, which file systems and URLs dislike. People may
    choose any other, even `..`, or two that differ in nothing but such a sign: of these it is as much as
    reads well, and a hash.
    """
    readable = re.sub(r"[^A-Za-z0-9_.+-]", "-", run_id)
    if _AIRFLOWS_OWN.fullmatch(run_id):
        return readable
    digest = hashlib.sha256(run_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{readable[:100].strip('.') or 'run'}~{digest[:16]}"


def resolve_as_of(
    requested: str | None,
    *,
    data_interval_end: datetime | None,
    run_after: datetime,
    now: datetime,
    timezone: tzinfo,
) -> date:
    """Choose the day that a run describes.

    The requested day, else the day on which the run's data interval ends, else the day from which
    the run may start (a manual run can have no data interval). Days are those of `timezone`.

    Raises
    ------
    BadInputError
        When the requested day is not a date (YYYY-MM-DD), or the day is in the future.
    """
    as_of = (data_interval_end or run_after).astimezone(timezone).date()
    if requested is not None:
        try:
            as_of = date.fromisoformat(requested)
        except ValueError as error:
            raise BadInputError(
                f"as_of is '{requested}'; expected a date as YYYY-MM-DD."
            ) from error
    today = now.astimezone(timezone).date()
    if as_of > today:
        raise BadInputError(
            f"as_of {as_of} is in the future (today is {today} in {timezone}); expected today at the "
            "latest, for later sales are not known yet."
        )
    return as_of
