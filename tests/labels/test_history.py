"""What later runs learn of earlier ones."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reclustering.labels.history import earlier_choices, erase_labels, prune_labels
from reclustering.warehouse.schema import create_own_objects
from tests.stores import Store, make_run, publish, write_labels_file

DAYS = [date(2024, 1, day) for day in (1, 2, 3, 4, 5)]


@pytest.fixture
def ready(store: Store, tmp_path: Path) -> Store:
    """Five days: of the fourth, outliers were set aside."""
    create_own_objects(store.hook())
    labels = write_labels_file(tmp_path / "labels.parquet", 3)
    for day, clear, outliers in zip(
        DAYS, (None, 5, 5, 6, 3), ("keep", "keep", "keep", "set_aside", "keep"), strict=True
    ):
        publish(store.hook(), labels, day, clear=clear, outliers=outliers)
    return store


def seen(store: Store, as_of: date, days: int = 7, outliers: str = "keep") -> list[Any]:
    rows = earlier_choices(
        store.hook(), make_run(as_of), scaling="none", outliers=outliers, days=days
    )
    return [(row["as_of"], row["k"], row["groups"], row["clear"]) for row in rows]


def test_a_run_knows_the_days_before_its_own_and_no_later_ones(ready: Store) -> None:
    assert seen(ready, DAYS[2]) == [("2024-01-02", 4, 4, 5), ("2024-01-01", 4, 4, None)]


def test_runs_with_other_settings_say_nothing_of_it(ready: Store) -> None:
    assert [row[0] for row in seen(ready, date(2024, 2, 1), days=2)] == ["2024-01-05", "2024-01-03"]
    assert [row[0] for row in seen(ready, DAYS[4], outliers="set_aside")] == ["2024-01-04"]


def test_a_run_older_than_the_columns_says_nothing(ready: Store) -> None:
    ready.run("UPDATE dbo.clustering_runs SET k_groups = NULL, k_clear = NULL, outliers = NULL")
    assert seen(ready, date(2024, 2, 1)) == []


def test_old_days_are_forgotten_and_the_newest_set_never(ready: Store) -> None:
    done = prune_labels(ready.hook(), days=1, today=DAYS[3])
    assert done == {"before": "2024-01-03", "days": 2, "deleted": 6}
    assert [len(ready.published(day)) for day in DAYS] == [0, 0, 3, 3, 3]
    assert prune_labels(ready.hook(), days=1, today=date(2030, 1, 1))["days"] == 2
    assert [len(ready.published(day)) for day in DAYS] == [0, 0, 0, 0, 3]
    assert ready.count("clustering_runs") == 5


def test_one_customer_is_erased_from_every_day_and_from_what_attempts_have_left(
    ready: Store,
) -> None:
    ready.insert(
        "customer_clusters_staging",
        [("x" * 32, customer, 0.0, 0.0, 0.0, 0, 0) for customer in (2, 3)],
    )
    assert erase_labels(ready.hook(), 2) == 5
    assert [[row[0] for row in ready.published(day)] for day in DAYS] == [[1, 3]] * 5
    assert ready.run("SELECT customer FROM dbo.customer_clusters_staging") == [(3,)]
    assert erase_labels(ready.hook(), 2) == 0
