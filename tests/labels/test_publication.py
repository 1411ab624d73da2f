"""Labels in the warehouse: one complete set per day, whatever goes wrong on the way."""

from __future__ import annotations

import itertools
import json
import signal
import threading
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from reclustering.core.errors import BadInputError, TerminalError, TransientError
from reclustering.core.protocols import Warehouse
from reclustering.warehouse.duckdb import DuckDBWarehouse
from reclustering.warehouse.schema import create_own_objects
from tests.labels.worker import POINTS, Worker, publish_file
from tests.stores import NOW, Store, publish, rows_of, write_labels_file

DAY = date(2024, 1, 1)
NEXT_DAY = date(2024, 1, 2)
MANY = 120_000
"""More rows than fit into one batch of a bulk load."""


@pytest.fixture
def ready(store: Store) -> Store:
    create_own_objects(store.hook())
    return store


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write_labels_file(tmp_path / "old.parquet", 300, label=0)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Overlaps with the old set: some customers left, others came."""
    return write_labels_file(tmp_path / "new.parquet", 400, label=3, start=100)


def previous_run(store: Store, as_of: date) -> list[dict]:
    with store.hook().read() as session:
        return session.query("labels/previous_run", {"as_of": as_of})


def test_publishes_what_the_file_holds(ready: Store, old: Path) -> None:
    assert publish(ready.hook(), old, DAY, "run-1") == 300
    assert ready.published(DAY) == rows_of(old)
    assert ready.count("customer_clusters_staging") == 0
    columns = "as_of, run_id, k, customers, features_sha256, published_at"
    [row] = ready.run(f"SELECT {columns} FROM dbo.clustering_runs WHERE as_of = '{DAY}'")
    assert tuple(row) == (DAY, "run-1", 4, 300, "0" * 64, NOW.replace(tzinfo=None))


@pytest.mark.parametrize("rows", [2, 300])
def test_several_sessions_publish_what_one_does(
    ready: Store, tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = in_sessions(4, ready, monkeypatch)
    labels = write_labels_file(tmp_path / "labels.parquet", rows, label=2)
    assert publish(hook, labels, DAY) == rows
    assert ready.published(DAY) == rows_of(labels)
    assert ready.count("customer_clusters_staging") == 0


def test_of_several_sessions_one_that_fails_stops_all(
    ready: Store, old: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(ready.hook(), old, DAY)
    hook = in_sessions(3, ready, monkeypatch, fails=1)
    with pytest.raises(TransientError, match="connection was lost"):
        publish(hook, new, DAY)
    assert ready.published(DAY) == rows_of(old)


def in_sessions(
    sessions: int, store: Store, monkeypatch: pytest.MonkeyPatch, fails: int | None = None
) -> Warehouse:
    """Give a hook that is loaded by so many at once; DuckDB, which has one, makes the others wait."""
    hook = store.hook()
    load, calls = hook.load, itertools.count()
    waiting = threading.Lock() if isinstance(hook, DuckDBWarehouse) else nullcontext()

    def load_or_fail(table: str, rows: pa.RecordBatchReader) -> int:
        if next(calls) == fails:
            raise TransientError("The connection was lost.")
        with waiting:
            return load(table, rows)

    monkeypatch.setattr(hook, "load", load_or_fail)
    monkeypatch.setattr(hook, "load_sessions", sessions)
    return hook


def test_publishing_again_replaces_the_day_and_no_other(ready: Store, old: Path, new: Path) -> None:
    publish(ready.hook(), old, DAY, "run-1")
    publish(ready.hook(), old, NEXT_DAY, "run-2")
    publish(ready.hook(), new, DAY, "run-3")
    assert ready.published(DAY) == rows_of(new)
    assert ready.published(NEXT_DAY) == rows_of(old)
    assert ready.count("clustering_runs") == 2


def test_many_customers(ready: Store, tmp_path: Path) -> None:
    labels = write_labels_file(tmp_path / "many.parquet", MANY)
    assert publish(ready.hook(), labels, DAY) == MANY
    assert ready.published(DAY) == rows_of(labels)


def test_the_view_shows_the_newest_day_in_the_tutorials_columns(
    ready: Store, old: Path, new: Path
) -> None:
    publish(ready.hook(), new, NEXT_DAY)
    publish(ready.hook(), old, DAY)
    found = ready.run(
        "SELECT Customer, OrderRatio, itemsRatio, monetaryRatio, frequency, cluster"
        " FROM dbo.py_customer_clusters ORDER BY Customer"
    )
    assert found == rows_of(new)


def test_the_previous_run_is_the_newest_before(ready: Store, old: Path) -> None:
    assert previous_run(ready, DAY) == []
    for day in (DAY - timedelta(days=30), DAY - timedelta(days=7), DAY, NEXT_DAY):
        publish(ready.hook(), old, day, f"run of {day}")
    row = previous_run(ready, DAY)[0]
    assert (row["as_of"], row["run_id"]) == (date(2023, 12, 25), "run of 2023-12-25")
    assert json.loads(row["centroids"])[0]["centroid"] == [0.0, 0.0, 0.0, 0.0]


def test_the_previous_labels_are_those_of_that_day(ready: Store, old: Path, new: Path) -> None:
    publish(ready.hook(), old, DAY)
    publish(ready.hook(), new, NEXT_DAY)
    with ready.hook().read() as session:
        batches = list(session.stream("labels/previous_labels", {"as_of": DAY}))
    labels = {row["customer"]: row["label"] for batch in batches for row in batch.to_pylist()}
    assert labels == dict.fromkeys(range(1, 301), 0)


def test_long_texts_are_kept_whole(ready: Store, old: Path) -> None:
    reason = "Größe “k” bleibt 4, kein Knick. " * 25
    run_id = "manual__2024-01-01T00:00:00+00:00"
    day = {"as_of": DAY}
    with ready.hook().transaction() as session:
        session.execute(
            "labels/insert_run",
            day
            | {
                "run_id": run_id,
                "k": 4,
                "k_method": "kept",
                "k_reason": reason,
                "k_groups": 4,
                "k_clear": None,
                "scaling": "none",
                "outliers": "keep",
                "seed": 111,
                "inertia": 0.1 + 0.2,
                "customers": 2**40,
                "centroids": json.dumps(list(range(5000))),
                "continuity": "{}",
                "baseline": "{}",
                "features_sha256": "f" * 64,
                "published_at": NOW.replace(tzinfo=None),
            },
        )
    found = ready.run("SELECT k_reason, inertia, customers, centroids FROM dbo.clustering_runs")[0]
    assert found == (reason, 0.1 + 0.2, 2**40, json.dumps(list(range(5000))))


def test_an_error_in_the_swap_changes_nothing(
    ready: Store, old: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(ready.hook(), old, DAY, "run-1")
    monkeypatch.setattr(
        "reclustering.labels.publication.json.dumps",
        lambda *_, **__: pytest.fail("no JSON today"),
    )
    with pytest.raises(pytest.fail.Exception, match="no JSON today"):
        publish(ready.hook(), new, DAY, "run-2")
    monkeypatch.undo()
    assert ready.published(DAY) == rows_of(old)
    assert ready.run("SELECT run_id FROM dbo.clustering_runs") == [("run-1",)]


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("DELETE FROM dbo.customer_clusters_staging WHERE customer = 150", TransientError),
        # As if columns had been swapped, or a trigger had changed them: no retry mends that.
        (
            "UPDATE dbo.customer_clusters_staging SET cluster = 1 WHERE customer = 150",
            TerminalError,
        ),
        (
            "UPDATE dbo.customer_clusters_staging SET customer = 9999 WHERE customer = 150",
            TerminalError,
        ),
        (
            (
                "UPDATE dbo.customer_clusters_staging SET itemsRatio = itemsRatio + 0.0000001"
                " WHERE customer = 150"
            ),
            TerminalError,
        ),
        (
            "UPDATE dbo.customer_clusters_staging SET orderRatio = itemsRatio, itemsRatio = orderRatio",
            TerminalError,
        ),
    ],
)
def test_rows_that_did_not_arrive_whole_are_not_published(
    ready: Store,
    old: Path,
    new: Path,
    damage: str,
    kind: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(ready.hook(), old, DAY)
    warehouse = ready.hook()
    load = warehouse.load

    def damaged_load(table: str, rows: object) -> int:
        loaded = load(table, rows)
        ready.run(damage)
        return loaded

    monkeypatch.setattr(warehouse, "load", damaged_load)
    with pytest.raises(kind, match=r"does not hold what labels\.parquet holds"):
        publish(warehouse, new, DAY)
    assert ready.published(DAY) == rows_of(old)


@pytest.mark.parametrize("content", [b"", b"PAR1 and then the disk was full"])
def test_an_unreadable_file_is_not_published(ready: Store, tmp_path: Path, content: bytes) -> None:
    labels = tmp_path / "labels.parquet"
    labels.write_bytes(content)
    with pytest.raises(BadInputError, match=r"labels\.parquet cannot be read"):
        publish(ready.hook(), labels, DAY)
    assert ready.count("customer_clusters_staging") == 0


def test_an_empty_file_is_not_published(ready: Store, old: Path, tmp_path: Path) -> None:
    publish(ready.hook(), old, DAY)
    with pytest.raises(BadInputError, match="has no rows"):
        publish(ready.hook(), write_labels_file(tmp_path / "none.parquet", 0), DAY)
    assert ready.published(DAY) == rows_of(old)


@pytest.mark.parametrize("point", POINTS)
def test_killed_in_the_middle(ready: Store, old: Path, new: Path, point: str) -> None:
    publish(ready.hook(), old, DAY, "run-1")
    assert Worker(publish_file, new, DAY, "run-2", point, "kill").finish() == -signal.SIGKILL

    whole, run_id = (new, "run-2") if point == "after commit" else (old, "run-1")
    [row] = ready.run(f"SELECT run_id FROM dbo.clustering_runs WHERE as_of = '{DAY}'")
    assert tuple(row) == (run_id,)
    assert ready.published(DAY) == rows_of(whole)
    assert ready.count("customer_clusters_staging") == 400

    publish(ready.hook(), new, DAY, "run-2")
    assert ready.published(DAY) == rows_of(new)
    assert ready.run("SELECT run_id FROM dbo.clustering_runs") == [("run-2",)]
    # What the dead attempt loaded may still be that of a living one for a day.
    assert ready.count("customer_clusters_staging") == 400
    publish(ready.hook(), new, DAY, "run-2", now=NOW + timedelta(days=1, seconds=1))
    assert ready.count("customer_clusters_staging") == 0


def test_staging_is_cleared_in_portions(
    ready: Store, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 rows, 100 at once; what a living attempt has loaded stays."""
    living = NOW + timedelta(hours=1)
    Worker(publish_file, old, NEXT_DAY, "living", "loaded", "kill").finish()
    before = ready.count("customer_clusters_staging")
    monkeypatch.setattr("reclustering.labels.publication.PORTION", 100)
    publish(ready.hook(), old, DAY, "run-1", now=living)
    assert (before, ready.count("customer_clusters_staging")) == (300, 300)


def test_two_attempts_for_the_same_day(ready: Store, old: Path, new: Path, tmp_path: Path) -> None:
    publish(ready.hook(), old, DAY)
    newest = write_labels_file(tmp_path / "newest.parquet", 500, label=2)
    first = Worker(publish_file, new, DAY, "first", "deleted", "hold")
    first.wait_until_held()
    second = Worker(publish_file, newest, DAY, "second")
    assert second.is_working(seconds=3)
    first.release()
    assert [first.finish(), second.finish()] == [0, 0]
    assert ready.published(DAY) == rows_of(newest)
    assert ready.run("SELECT run_id FROM dbo.clustering_runs") == [("second",)]
    assert ready.count("customer_clusters_staging") == 0


def test_several_days_at_once(ready: Store, old: Path) -> None:
    days = [DAY + timedelta(days=n) for n in range(3)]
    workers = [Worker(publish_file, old, day, f"run of {day}") for day in days]
    assert [one.finish() for one in workers] == [0, 0, 0]
    assert [ready.published(day) for day in days] == [rows_of(old)] * 3
    assert ready.count("clustering_runs") == 3


def test_readers_see_the_old_set_or_the_new_one(ready: Store, tmp_path: Path) -> None:
    sets = [write_labels_file(tmp_path / f"{n}.parquet", 5_000 + n, label=n) for n in range(3)]
    publish(ready.hook(), sets[0], DAY)
    writers = [Worker(publish_file, one, DAY, one.stem) for one in sets[1:]]
    seen = set()
    while any(one.is_working() for one in writers):
        with ready.hook().read() as session:
            batches = list(session.stream("labels/previous_labels", {"as_of": DAY}))
        labels = {label for batch in batches for label in batch.column("label").to_pylist()}
        seen.add((sum(batch.num_rows for batch in batches), *labels))
    assert [one.finish() for one in writers] == [0, 0]
    assert seen <= {(5_000, 0), (5_001, 1), (5_002, 2)}
