"""What a person tries by hand does not silently replace what another run has published."""

from __future__ import annotations

from datetime import date

import pytest

from reclustering.labels.guards import judge_replacement
from reclustering.labels.history import published_run
from reclustering.warehouse.schema import create_own_objects
from tests.stores import Store, make_run, publish, write_labels_file

DAY = date(2024, 1, 1)
SAME = {
    "k": 4,
    "scaling": {"method": "none"},
    "outliers": {"mode": "keep"},
    "clusters": [{"label": 0, "size": 2}],
}


def said(
    store: Store, clusters: dict, sha256: str = "0" * 64, run_id: str = "manual__2"
) -> list[str]:
    run = make_run(DAY, run_id)
    published = published_run(store.hook(), run)
    return [one.problem for one in judge_replacement(run, published, clusters, sha256)]


@pytest.fixture
def ready(store: Store, tmp_path) -> Store:
    create_own_objects(store.hook())
    publish(store.hook(), write_labels_file(tmp_path / "labels.parquet", 2), DAY, "scheduled__1")
    return store


def test_another_outcome_shows_both(ready: Store) -> None:
    other = SAME | {
        "k": 2,
        "scaling": {"method": "robust"},
        "clusters": [{"size": 1}, {"size": 1_000}],
    }
    assert said(ready, other) == [
        (
            "run scheduled__1 has published the labels of 2024-01-01 with k = 4 (2 customers), scaling none, "
            "outliers keep; this run would put k = 2 (1 + 1,000 customers), scaling robust, outliers keep in "
            "their place, from the same data (to look without publishing, trigger with preview)"
        )
    ]


def test_the_same_outcome_from_other_data_is_another(ready: Store) -> None:
    (problem,) = said(ready, SAME, "1" * 64)
    assert "in their place, from other data" in problem


def test_the_same_run_the_same_outcome_and_a_day_of_its_own_replace_nothing(ready: Store) -> None:
    assert said(ready, SAME) == []
    assert said(ready, SAME | {"k": 9}, run_id="scheduled__1") == []
    assert list(judge_replacement(make_run(date(2024, 1, 2)), None, SAME, "0" * 64)) == []
