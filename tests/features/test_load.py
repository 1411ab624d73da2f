"""A night's load that has not happened, or half of it, is not taken for the day."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from reclustering import steps
from reclustering.core.artifacts import read_json
from reclustering.core.errors import TerminalError, TransientError
from reclustering.core.guards import Bounds
from reclustering.core.run import Run
from reclustering.features.guards import judge_load
from reclustering.features.load import EVENTS, Load, Source, collect, read_load
from reclustering.warehouse.schema import create_own_objects
from tests.stores import Store

TODAY = date(2024, 6, 12)
"""A Wednesday."""


def rows(source: str, each_day: int, *, until: date = TODAY) -> Iterator[dict[str, Any]]:
    """As many rows on each of the 400 days before today, as far as they are over, of 10 each."""
    for n in range(1, 401):
        day = TODAY - timedelta(days=n)
        if day < until:
            yield {"source": source, "day_date": day, "n": each_day, "amount": 10.0 * each_day}


def shop(until: date = TODAY) -> Load:
    customers = {"source": "customer", "day_date": None, "n": 9_000, "amount": 0.0}
    return collect(
        [*rows("store_sales", 200, until=until), *rows("store_returns", 30, until=until), customers]
    )


def said(load: Load, previous: Any = None, as_of: date = TODAY, **bounds: Any) -> list[str]:
    return [one.problem for one in judge_load(load, as_of, previous, Bounds(**bounds))]


def published(load: Load, as_of: date) -> dict[str, Any]:
    """What a run of that day left behind, as it is read back."""
    return {
        "as_of": as_of.isoformat(),
        "baseline": json.loads(json.dumps({"load": load.summary()})),
    }


YESTERDAY = published(shop(TODAY - timedelta(days=1)), TODAY - timedelta(days=1))


def change(
    source: Source, share: float, first: date = date.min, money: float | None = None
) -> None:
    for day in source.rows:
        if day >= first:
            source.rows[day] = round(source.rows[day] * share)
            source.amounts[day] *= share if money is None else money


def test_a_whole_load_passes_alone_and_after_yesterdays() -> None:
    assert said(shop()) == said(shop(), YESTERDAY) == []


def test_the_same_load_as_yesterday_is_not_todays() -> None:
    (problem, *_) = said(shop(TODAY - timedelta(days=1)), YESTERDAY)
    assert problem == (
        "the newest row of dbo.store_sales is of 2024-06-10, 2 days before 2024-06-12; expected one of at "
        "most 1 days before"
    )


def test_a_store_that_is_closed_on_some_days_has_a_bound_of_its_own() -> None:
    # The day itself is still missed: it is a Tuesday on which the store was open for eight weeks.
    load = shop(TODAY - timedelta(days=1))
    assert "newest row" not in " ".join(said(load, max_sales_age=2))


@pytest.mark.parametrize(("age", "stops"), [(7, False), (8, True)])
def test_returns_may_be_a_week_old(age: int, stops: bool) -> None:
    load = shop()
    for n in range(1, age):
        del load.sources["store_returns"].rows[TODAY - timedelta(days=n)]
        del load.sources["store_returns"].amounts[TODAY - timedelta(days=n)]
    problems = [one for one in said(load) if "newest row of dbo.store_returns" in one]
    assert bool(problems) is stops


@pytest.mark.parametrize(("left", "stops"), [(0.58, False), (0.57, True), (0.5, True), (0, True)])
def test_a_day_that_is_half_there_stops_the_run(left: float, stops: bool) -> None:
    load = shop()
    change(load.sources["store_sales"], left, first=TODAY - timedelta(days=1))
    problems = said(load)
    assert bool(problems) is stops
    if stops:
        assert problems[0] == (
            f"dbo.store_sales has {200 * left:,.0f} rows of the day before 2024-06-12, and 200 as a rule (8 "
            "weeks' median); expected at least 115"
        )


def test_a_weekday_is_compared_with_its_like() -> None:
    """Tuesdays are slow here; a Tuesday's sales on a Wednesday are half a load."""
    load = shop()
    sales = load.sources["store_sales"]
    for day in sales.rows:
        if day.weekday() == 1:
            sales.rows[day] = 100
    assert said(load) == []
    sales.rows[TODAY], sales.amounts[TODAY] = 100, 2_000.0
    (problem,) = said(load, as_of=TODAY + timedelta(days=1))
    assert "has 100 rows of the day before 2024-06-13, and 200 as a rule" in problem


def test_few_returns_a_day_are_judged_by_several_days() -> None:
    load = shop()
    change(load.sources["store_returns"], 0, first=TODAY - timedelta(days=1))
    assert said(load) == []
    change(load.sources["store_returns"], 0, first=TODAY - timedelta(days=2))
    (problem,) = said(load)
    assert "dbo.store_returns has 0 rows of the 2 days before 2024-06-12, and 60 as" in problem
    load = shop()
    change(load.sources["store_returns"], 0.5, first=TODAY - timedelta(days=7))
    (problem,) = said(load)
    assert "dbo.store_returns has 105 rows of the 7 days before 2024-06-12, and 210 as" in problem


def test_sales_without_money_stop_the_run() -> None:
    load = shop()
    change(load.sources["store_sales"], 1, first=TODAY - timedelta(days=1), money=0)
    (problem,) = said(load)
    assert "has 0 money of the day before 2024-06-12, and 2,000 as a rule" in problem
    change(load.sources["store_sales"], 1, money=0)
    assert said(load) == ["all money in dbo.store_sales is 0 in 80,000 rows; expected amounts"]


@pytest.mark.parametrize("source", ["store_sales", "store_returns"])
@pytest.mark.parametrize("share", [0.6, 2])
def test_history_that_went_or_came_twice_stops_the_run(source: str, share: float) -> None:
    load = shop()
    change(load.sources[source], share)
    (problem,) = [one for one in said(load, YESTERDAY) if "other rows" in one]
    assert (
        f"dbo.{source} has other rows of the days before 2024-06-11 than the run of that day"
        in problem
    )


def test_a_month_that_is_missing_is_named() -> None:
    load = shop()
    for day in [day for day in load.sources["store_returns"].rows if f"{day:%Y-%m}" == "2023-11"]:
        del load.sources["store_returns"].rows[day]
        del load.sources["store_returns"].amounts[day]
    (problem,) = said(load, YESTERDAY)
    assert problem.endswith(
        "of 11,970 900 are gone (expected at most 120) and 0 have come (at most 229); in 2023-11 there are "
        "0 and were 900"
    )


def test_a_first_run_sees_a_month_between_two_others_that_is_missing() -> None:
    load = shop()
    for name in ("store_returns", "store_sales"):
        for day in [day for day in load.sources[name].rows if f"{day:%Y-%m}" == "2023-12"]:
            load.sources[name].rows[day] //= 10
    assert [one for one in said(load) if "2023-12" in one] == [
        (
            "dbo.store_sales has 620 rows of 2023-12, 6,000 of the month before and 6,200 of the one after; "
            "expected at least 3,600"
        ),
        (
            "dbo.store_returns has 93 rows of 2023-12, 900 of the month before and 930 of the one after; "
            "expected at least 540"
        ),
    ]


def test_a_first_run_takes_a_growing_and_a_young_store_as_they_are() -> None:
    grown = shop()
    for source in grown.sources.values():
        for day in source.rows:
            source.rows[day] = 2 ** (400 // (1 + (TODAY - day).days) % 20) * 10
    assert [one for one in said(grown) if "of the month before" in one] == []
    young = collect(
        [row for row in rows("store_sales", 200) if row["day_date"] >= date(2024, 5, 20)]
    )
    assert [one for one in said(young) if "of the month before" in one] == []


def test_money_that_changed_in_rows_that_stayed_stops_the_run() -> None:
    load = shop()
    change(load.sources["store_returns"], 1, money=0.9)
    (problem,) = said(load, YESTERDAY)
    assert "dbo.store_returns has other money of the days before 2024-06-11" in problem


def test_a_small_store_forgets_nothing() -> None:
    """Two returns of forty; that many may come late."""
    then = Load(
        {name: Source({date(2024, 6, 1): 40}, {date(2024, 6, 1): 400.0}) for name in EVENTS}, 9
    )
    now = copy.deepcopy(then)
    now.sources["store_returns"] = Source({date(2024, 6, 1): 38}, {date(2024, 6, 1): 380.0})
    ages = {"max_sales_age": 30, "max_returns_age": 30}
    (problem,) = said(now, published(then, date(2024, 6, 10)), **ages)
    assert "of 40 2 are gone (expected at most 0) and 0 have come (at most 7)" in problem
    assert said(then, published(now, date(2024, 6, 10)), **ages) == []


def test_late_rows_are_ordinary() -> None:
    load = shop()
    change(load.sources["store_returns"], 1.5, first=TODAY - timedelta(days=10))
    assert said(load, YESTERDAY) == []


@pytest.mark.parametrize(("left", "stops"), [(8_910, False), (8_909, True), (18_000, False)])
def test_customers_do_not_vanish(left: int, stops: bool) -> None:
    load = shop()
    load.customers = left
    assert bool(said(load, YESTERDAY)) is stops


def test_dates_that_the_calendar_does_not_know_stop_the_run() -> None:
    load = shop()
    load.sources["store_returns"].undated = 1_000
    (problem,) = said(load)
    assert problem == (
        "1,000 of 13,000 rows of dbo.store_returns have no date, or one that is not in dbo.date_dim; "
        "expected at most 764"
    )


def test_a_store_without_a_single_dated_row_is_no_load() -> None:
    load = collect([{"source": "store_sales", "day_date": None, "n": 10, "amount": 5.0}])
    problems = " ".join(said(load))
    assert "dbo.store_sales has no row with a date before 2024-06-12" in problems
    assert "dbo.store_returns has no row with a date before 2024-06-12" in problems


def test_a_run_older_than_the_baseline_says_nothing() -> None:
    assert said(shop(), {"as_of": "2024-06-11", "baseline": {}}) == []


def test_the_store_is_counted_by_day(store: Store) -> None:
    store.create_source()
    store.insert("date_dim", [(1, date(2024, 1, 1)), (2, date(2024, 1, 2)), (3, date(2024, 1, 3))])
    store.insert(
        "store_sales",
        [
            (7, 1, 1, 1, 10.0),
            (8, 1, 2, 1, 5.5),
            (7, 2, 3, 1, None),
            (7, 3, 4, 1, 99.0),  # on the day itself
            (None, 1, 5, 1, 99.0),  # nobody's
            (7, None, 6, 1, 1.0),
            (7, 404, 7, 1, 1.0),  # a day that is not in the calendar
        ],
    )
    store.insert("store_returns", [(7, 2, 3, 1, 4.0)])
    store.insert("customer", [(7, None, None, None, None), (8, None, None, None, None)])
    with store.hook().read() as session:
        load = read_load(session, date(2024, 1, 3))
    sales, returns = load.sources["store_sales"], load.sources["store_returns"]
    assert sales == Source(
        {date(2024, 1, 1): 2, date(2024, 1, 2): 1},
        {date(2024, 1, 1): 15.5, date(2024, 1, 2): 0.0},
        2,
    )
    assert returns == Source({date(2024, 1, 2): 1}, {date(2024, 1, 2): 4.0}, 0)
    assert load.customers == 2
    assert load.summary()["store_sales"] == {
        "rows": 5,
        "undated": 2,
        "last_day": "2024-01-02",
        "months": {"2024-01": [3, 15.5]},
    }


@pytest.mark.parametrize(
    ("today", "error"), [(date(2024, 1, 3), TransientError), (date(2024, 1, 4), TerminalError)]
)
def test_todays_load_may_be_late_and_that_of_a_day_that_is_over_may_not(
    store: Store, tmp_path: Path, today: date, error: type[Exception]
) -> None:
    store.create_source()
    create_own_objects(store.hook())
    store.insert("date_dim", [(1, date(2024, 1, 1))])
    store.insert("store_sales", [(7, 1, 1, 1, 10.0)])
    run = Run(date(2024, 1, 3), "run", UPath(tmp_path))
    judged = {"bounds": Bounds(max_returns_age=10**6), "today": today}
    with pytest.raises(
        error, match=r"newest row of dbo.store_sales is of 2024-01-01, 2 days before"
    ):
        steps.extract_features(store.hook(), run, accept_change=False, **judged)
    assert not run.path("features.parquet").exists()
    assert not run.path("features.json").exists()
    steps.extract_features(store.hook(), run, accept_change=True, **judged)
    assert read_json(run.path("features.json"))["load"]["store_sales"]["last_day"] == "2024-01-01"
