"""The day that a run describes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from reclustering.core.errors import BadInputError
from reclustering.core.run import Run, folder_name, resolve_as_of

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


@pytest.mark.parametrize(
    ("run_id", "folder"),
    [
        ("manual__2026-03-10T04:00:00+00:00", "manual__2026-03-10T04-00-00+00-00"),
        (
            "scheduled__2026-03-10T04:00:00.123456+02:00",
            "scheduled__2026-03-10T04-00-00.123456+02-00",
        ),
        ("asset_triggered__2026-03-10T04:00:00+00:00_Ab12", None),
    ],
)
def test_a_runs_files_are_under_its_day_and_its_name(run_id, folder):
    run = Run(date(2026, 3, 10), run_id, UPath("/artifacts"))
    folder = folder or run_id.replace(":", "-")
    assert run.path("x.json").as_posix() == f"/artifacts/as_of=2026-03-10/{folder}/x.json"


AWKWARD = [
    *(
        "",
        ".",
        "..",
        "...",
        "~",
        "a/b",
        "/",
        "//",
        "a:b",
        "a-b",
        "a~b",
        "a b",
        "A-b",
        "a\\b",
        "a\nb",
        "%2e",
    ),
    *(
        "ü",
        "u\u0308",
        "\ud800",
        "x" * 250,
        "x" * 249 + "y",
        "manual__2026-03-10T04-00-00+00-00",
        "CON",
    ),
    *("manual__2026-03-10T04:00:00+00:00", "manual__2026-03-10T04:00:00+00:00/..", "." + "x" * 200),
]


def test_whatever_a_run_is_called_its_folder_is_its_own_and_in_the_layout():
    names = [folder_name(run_id) for run_id in AWKWARD]
    assert len({name.lower() for name in names}) == len(AWKWARD)
    assert len(set(names)) == len(set(AWKWARD))
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_.+~-]{1,255}", name), name
        assert not name.startswith("."), name


@given(st.text(max_size=20), st.text(max_size=20))
def test_two_ids_never_share_a_folder(one, other):
    assert (folder_name(one) == folder_name(other)) is (one == other)
