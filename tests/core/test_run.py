"""The day that a run describes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from upath import UPath

from reclustering.core.errors import BadInputError
from reclustering.core.run import Run, resolve_as_of

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def as_of(requested: str | None = None, **changes: object) -> date:
    arguments = {
        "data_interval_end": None,
        "run_after": NOW,
        "now": NOW,
        "timezone": ZoneInfo("UTC"),
    } | changes
    return resolve_as_of(requested, **arguments)  # type: ignore[arg-type]


def test_the_requested_day_comes_first():
    assert as_of("2026-03-01", data_interval_end=NOW) == date(2026, 3, 1)


def test_then_the_end_of_the_data_interval():
    end = datetime(2026, 3, 5, 4, tzinfo=UTC)
    assert as_of(data_interval_end=end) == date(2026, 3, 5)


def test_then_the_moment_from_which_the_run_may_start():
    assert as_of(run_after=datetime(2026, 3, 7, 1, tzinfo=UTC)) == date(2026, 3, 7)


def test_days_are_those_of_the_dags_time_zone():
    # 23:30 UTC on the 5th is half past noon on the 6th in Auckland.
    end = datetime(2026, 3, 5, 23, 30, tzinfo=UTC)
    assert as_of(data_interval_end=end, timezone=ZoneInfo("Pacific/Auckland")) == date(2026, 3, 6)


def test_today_is_allowed_and_tomorrow_is_not():
    assert as_of("2026-03-10") == date(2026, 3, 10)
    with pytest.raises(BadInputError, match=r"2026-03-11 is in the future \(today is 2026-03-10"):
        as_of("2026-03-11")


def test_what_is_not_a_date_is_named():
    with pytest.raises(BadInputError, match=r"'10\.03\.2026'; expected a date as YYYY-MM-DD"):
        as_of("10.03.2026")


def test_a_runs_files_are_under_its_day_and_its_name():
    run = Run(date(2026, 3, 10), "manual__2026-03-10T04:00:00+00:00", UPath("/artifacts"))
    assert run.path("elbow.json").as_posix() == (
        "/artifacts/as_of=2026-03-10/manual__2026-03-10T04-00-00+00-00/elbow.json"
    )
