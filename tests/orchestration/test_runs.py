"""A run describes one day, whatever changes while it is under way."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from reclustering.core.errors import BadInputError, TerminalError

pytestmark = pytest.mark.usefixtures("airflow_database")

# 23:30 in Reykjavik, half past noon of the next day in Auckland.
EVENING = datetime(2026, 3, 5, 23, 30, tzinfo=UTC)


def context(zone: str, first: dict[str, str] | None, *, run_type="scheduled", as_of=None):
    ti = SimpleNamespace(
        log_url="http://localhost/dags/d/runs/r/tasks/t?try=1",
        xcom_pull=lambda task_ids: first if task_ids == "extract_features" else None,
    )
    dag_run = SimpleNamespace(
        run_id="r", run_type=run_type, data_interval_end=EVENING, run_after=EVENING
    )
    return {
        "ti": ti,
        "dag_run": dag_run,
        "dag": SimpleNamespace(timezone=ZoneInfo(zone)),
        "params": {"as_of": as_of, "preview": False},
    }


def test_the_first_task_resolves_as_of_and_the_others_keep_it():
    from reclustering.orchestration import current_run, first_run

    run = first_run(context("Atlantic/Reykjavik", None))
    assert (run.as_of, run.run_id) == (date(2026, 3, 5), "r")
    assert run.url == "http://localhost/dags/d/runs/r/plugin/customer-clusters-of-run"
    # The time zone is changed, and a task is cleared: its folder stays the same.
    moved = context("Pacific/Auckland", {"as_of": run.as_of.isoformat()})
    assert first_run(moved).as_of == date(2026, 3, 6)
    assert current_run(moved) == run


def test_without_the_first_task_there_is_no_as_of():
    from reclustering.orchestration import current_run

    with pytest.raises(TerminalError, match=r"has no as_of.*Clear extract_features"):
        current_run(context("UTC", None))


def test_a_backfill_cannot_be_told_one_day():
    from reclustering.orchestration import first_run

    with pytest.raises(BadInputError, match="as_of is '2026-01-01' in a backfill; expected none"):
        first_run(context("UTC", None, run_type="backfill", as_of="2026-01-01"))
    assert first_run(context("UTC", None, as_of="2026-01-01")).as_of == date(2026, 1, 1)
