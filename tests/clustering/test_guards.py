"""A fit that would give "label 0" another meaning is not published."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from reclustering.clustering.guards import fit_baseline, judge_fit
from reclustering.core.guards import Bounds

WILD = {
    "customer": 4711,
    "orderRatio": 1.0,
    "itemsRatio": 2.0,
    "monetaryRatio": 5e5,
    "frequency": 1,
    "influence": 0.97,
}
ELBOW = {"k": 4, "groups": 3, "method": "kept", "reason": "k = 4: 3 groups, as on 2024-05-31."}


def fit(returners: int = 0, far: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """A fit of a thousand customers, 800 of whom have label 0."""
    return {
        "rows": 1_000,
        "clusters": [{"label": 0, "size": 800, "returners": returners}],
        "outliers": {"mode": "keep", "customers": list(far)},
        "continuity": {"first_run": True},
    }


def after(
    clusters: dict[str, Any], changed: int = 0, forgotten: int = 0, **baseline: Any
) -> dict[str, Any]:
    """The fit, after a run of the day before."""
    before = {"groups": 3, "returners": 0.0, "far": []} | baseline
    return copy.deepcopy(clusters) | {
        "continuity": {
            "previous": {"as_of": "2024-05-31", "baseline": before},
            "changed": changed,
            "returned": 200,
            "forgotten": forgotten,
            "in_both": 1_000,
            "changed_share": changed / 1_000,
        }
    }


def said(clusters: dict[str, Any], elbow: dict[str, Any] = ELBOW, **bounds: Any) -> list[str]:
    return [one.problem for one in judge_fit(clusters, elbow, Bounds(**bounds))]


def test_a_fit_like_yesterdays_passes_and_so_does_a_first_one() -> None:
    assert said(fit()) == said(after(fit())) == []


@pytest.mark.parametrize(("returners", "stops"), [(40, False), (41, True)])
def test_label_0_are_those_who_returned_nothing(returners: int, stops: bool) -> None:
    problems = said(fit(returners))
    assert bool(problems) is stops
    if stops:
        assert problems[0].startswith(
            "41 of the 800 customers of label 0 (5.1%) have returned something; expected at most 5%"
        )


def test_a_store_in_which_label_0_returned_least_says_so_once() -> None:
    assert said(fit(600), max_returners=1) == []
    assert said(after(fit(600), returners=0.745), max_returners=1) == []
    (problem,) = said(after(fit(600), returners=0.7), max_returners=1)
    assert "(75.0%) have returned something, and 70.0% had on 2024-05-31" in problem


def test_a_few_returners_who_come_to_label_0_at_once_stop_it() -> None:
    (problem,) = said(after(fit(9)))
    assert problem == (
        "9 of the 800 customers of label 0 (1.1%) have returned something, and 0.0% had on 2024-05-31; "
        "expected a change of at most 1.0%"
    )


def test_a_customer_who_weighs_more_than_all_others_is_named_by_key() -> None:
    (problem,) = said(fit(far=(WILD,)))
    assert problem.startswith(
        "1 of 1,000 customers make up 97.0% of the variance of all (customer 4711 with orderRatio 1, "
        "itemsRatio 2, monetaryRatio 500,000, frequency 1: 97.0%); expected at most 70%"
    )


def test_several_count_together_and_the_first_three_are_named() -> None:
    far = tuple(WILD | {"customer": n, "influence": 0.2} for n in range(4))
    (problem,) = said(fit(far=far))
    assert "4 of 1,000 customers make up 80.0%" in problem
    assert [f"customer {n} with" in problem for n in range(4)] == [True, True, True, False]


def test_who_was_there_when_a_run_was_accepted_is_not_asked_about_every_night() -> None:
    assert said(after(fit(far=(WILD,)), far=[4711])) == []
    assert said(after(fit(far=(WILD,)), far=[42])) != []


def test_who_is_set_aside_weighs_nothing() -> None:
    aside = {name: value for name, value in WILD.items() if name != "influence"}
    assert said(fit(far=(aside,))) == []


def test_another_number_of_groups_is_for_a_person_to_decide() -> None:
    elbow = ELBOW | {"groups": 5, "method": "replaced", "reason": "k = 5: 5 groups."}
    assert said(fit(), elbow) == []
    (problem,) = said(after(fit()), elbow)
    assert problem == (
        "there are 5 groups and were 3 on 2024-05-31, so labels mean something else (k = 5: 5 groups)"
    )
    assert said(after(fit()), elbow, max_groups_change=2) == []
    assert said(after(fit()), elbow | {"method": "fixed"}) == []


@pytest.mark.parametrize(("changed", "stops"), [(131, False), (132, True)])
def test_customers_do_not_change_cluster_overnight(changed: int, stops: bool) -> None:
    """A tenth of a thousand, and 32 for chance."""
    problems = said(after(fit(), changed))
    assert bool(problems) is stops
    if stops:
        assert problems == [
            "132 of 1,000 customers (13.2%) have changed cluster since 2024-05-31; expected at most 131"
        ]


@pytest.mark.parametrize(("forgotten", "stops"), [(2, False), (3, True)])
def test_what_was_returned_stays_returned(forgotten: int, stops: bool) -> None:
    problems = said(after(fit(), forgotten=forgotten))
    assert bool(problems) is stops
    if stops:
        assert problems[0].startswith(
            "3 of 200 customers who had returned something on 2024-05-31 now never have; expected at most "
            "2. "
        )


def test_a_run_older_than_the_baseline_is_compared_by_its_labels_alone() -> None:
    clusters = after(fit(9), changed=500)
    clusters["continuity"]["previous"]["baseline"] = None
    (problem,) = said(clusters, ELBOW | {"groups": 7})
    assert "have changed cluster" in problem


def test_what_is_left_for_the_next_night() -> None:
    assert fit_baseline(fit(8, far=(WILD,)), ELBOW) == {
        "groups": 3,
        "returners": 0.01,
        "far": [4711],
    }
