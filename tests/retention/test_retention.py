"""Retention deletes what is the pipeline's and old, and nothing else."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from upath import UPath

from reclustering.core.errors import TransientError
from reclustering.core.run import Run
from reclustering.labels.history import prune_labels
from reclustering.retention import delete_address_files, delete_customer_files
from reclustering.target_list.list_file import CSV_HEADER
from tests.parts import into_parts
from tests.world import AS_OF, NEXT, NOW, people

OLD = NOW - timedelta(days=31)


def age(path: Path, when: datetime) -> None:
    os.utime(path, (when.timestamp(), when.timestamp()))


@pytest.fixture
def listed(world) -> Run:
    run = world.publish(people(3))
    world.build(run)
    for file in Path(run.path("x").parent.path).iterdir():
        age(file, OLD)
    return run


def clean(run: Run, *, days: int = 30) -> dict:
    return delete_address_files(run.artifacts, days=days, now=NOW)


def test_an_old_list_goes_and_all_else_of_the_run_stays(listed):
    before = {path.name for path in listed.path("x").parent.iterdir()}
    assert clean(listed) == {"deleted": 2, "kept": 0, "not_ours": []}
    after = {path.name for path in listed.path("x").parent.iterdir()}
    assert before - after == {"target_list.csv", "target_list.xlsx"}
    assert clean(listed) == {"deleted": 0, "kept": 0, "not_ours": []}


@pytest.mark.parametrize("file", [True, False])
def test_a_list_goes_on_the_day_after_its_last(listed, file):
    path = Path(listed.path("target_list.csv").path)
    age(path, NOW - timedelta(days=30, seconds=1 if file else -1))
    assert clean(listed)["deleted"] == 1 + file
    assert path.exists() is not file


def test_what_a_killed_attempt_left_goes_too(listed):
    folder = Path(listed.path("x").parent.path)
    leftovers = {
        ".abc.target_list.csv": Path(listed.path("target_list.csv").path).read_bytes(),
        ".def.target_list.csv": b"",
        ".ghi.target_list.csv": b"\xef\xbb\xbfcustomer,em",
        ".jkl.target_list.xlsx": b"PK\x03\x04...",
        ".mno.target_list.xlsx": b"",
    }
    for name, content in leftovers.items():
        (folder / name).write_bytes(content)
        age(folder / name, OLD)
    assert clean(listed)["deleted"] == 7


def test_what_is_not_beyond_doubt_the_pipelines_stays(listed, tmp_path):
    root, content = (
        Path(listed.artifacts.path),
        Path(listed.path("target_list.csv").path).read_bytes(),
    )
    listed.path("target_list.csv").unlink()
    listed.path("target_list.xlsx").unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    others = [
        root / "target_list.csv",
        root / "as_of=2024-01-01" / "target_list.csv",
        root / "as_of=soon" / "run" / "target_list.csv",
        root / "2024-01-01" / "run" / "target_list.csv",
        root / "as_of=2024-01-01" / "run" / "deep" / "target_list.csv",
        root / "as_of=2024-01-01" / "run" / "my_target_list.csv",
        elsewhere / "target_list.csv",
    ]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        age(path, OLD)
    (root / "as_of=2024-01-02").symlink_to(root / "2024-01-01")
    (root / "as_of=2024-01-01" / "link").symlink_to(elsewhere)
    (root / "as_of=2024-01-01" / "run" / "target_list.csv").symlink_to(others[-1])
    assert clean(listed) == {"deleted": 0, "kept": 0, "not_ours": []}
    assert all(path.exists() for path in others)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("target_list.csv", b"customer,email\r\n"),
        ("target_list.csv", b""),
        ("target_list.csv", b"\xef\xbb\xbfcustomer"),
        ("target_list.csv", b"PK\x03\x04"),
        ("target_list.xlsx", CSV_HEADER),
        ("target_list.xlsx", b""),
    ],
)
def test_a_file_with_the_name_and_not_the_content_is_named_and_left(listed, name, content):
    path = Path(listed.path(name).path)
    path.write_bytes(content)
    age(path, OLD)
    assert clean(listed) == {"deleted": 1, "kept": 0, "not_ours": [str(path)]}
    assert path.exists()


def test_lists_in_a_bucket_go_too():
    artifacts = UPath("memory://retention/artifacts")
    path = artifacts / "as_of=2024-01-01" / "run" / "target_list.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(CSV_HEADER)
    soon, later = (datetime.now(UTC) + timedelta(days=days) for days in (29, 31))
    assert delete_address_files(artifacts, days=30, now=soon)["kept"] == 1
    assert delete_address_files(artifacts, days=30, now=later)["deleted"] == 1
    assert not path.exists()


def test_artifacts_that_are_not_there_yet_are_no_error(world):
    assert clean(world.run())["deleted"] == 0


def test_old_labels_go_and_the_newest_set_the_runs_and_the_ledger_stay(world):
    days = [AS_OF - timedelta(days=n) for n in (0, 9, 10, 11, 400)]
    for day in days:
        world.publish(people(2), world.run(day, f"run-{day}"))
    result = prune_labels(world.warehouse, days=10, today=AS_OF)
    assert result == {"before": "2023-12-22", "days": 2, "deleted": 4}
    kept = world.sql("SELECT DISTINCT as_of FROM dbo.customer_clusters ORDER BY 1")
    assert [day for (day,) in kept] == [days[2], days[1], days[0]]

    prune_labels(world.warehouse, days=10, today=date(2030, 1, 1))
    assert world.sql("SELECT as_of, count(*) FROM dbo.customer_clusters GROUP BY 1") == [(AS_OF, 2)]
    assert world.sql("SELECT count(*) FROM dbo.clustering_runs") == [(5,)]


def test_each_day_is_a_transaction_of_its_own(world, monkeypatch):
    for n in (0, 1, 2, 3):
        world.publish(people(2), world.run(AS_OF - timedelta(days=n), f"run-{n}"))
    begin, begun = world.warehouse.transaction, []

    def failing_at_the_third(**named):
        begun.append(named["lock"])
        if len(begun) == 3:
            raise TransientError("the connection was lost")
        return begin(**named)

    monkeypatch.setattr(world.warehouse, "transaction", failing_at_the_third)
    with pytest.raises(TransientError):
        prune_labels(world.warehouse, days=1, today=NEXT)
    assert begun == [f"customer_clusters/2023-12-{day}" for day in (29, 30, 31)]
    left = world.sql("SELECT DISTINCT as_of FROM dbo.customer_clusters ORDER BY 1")
    assert [day for (day,) in left] == [date(2023, 12, 31), AS_OF]


KEYED = {"features.parquet", "purchases.parquet", "labels.parquet", "target_list.parquet"}


def leave_files(world, day, *, run_id="run"):
    run = world.publish(people(2), world.run(day, run_id))
    world.build(run)
    Path(run.path("features.parquet").path).write_bytes(b"PAR1...")
    for file in Path(run.path("x").parent.path).iterdir():
        age(file, NOW - timedelta(days=91))
    return run


def names(run):
    return {path.name for path in Path(run.path("x").parent.path).iterdir()}


def test_old_files_of_customers_go_but_those_of_the_newest_day(world):
    old, newest = leave_files(world, AS_OF - timedelta(days=1)), leave_files(world, AS_OF)
    before = names(old)
    assert before >= KEYED
    clean = {"days": 90, "now": NOW}
    assert delete_customer_files(old.artifacts, **clean)["deleted"] == 4
    assert names(old) == before - KEYED
    assert names(newest) == before
    young = leave_files(world, AS_OF - timedelta(days=2))
    for name in KEYED:
        age(Path(young.path(name).path), NOW - timedelta(days=89))
    assert delete_customer_files(old.artifacts, **clean) == {
        "deleted": 0,
        "kept": 8,
        "not_ours": [],
    }


def test_what_a_killed_attempt_left_of_them_goes_and_what_is_none_stays(world):
    old = leave_files(world, AS_OF - timedelta(days=1))
    leave_files(world, AS_OF)
    folder = Path(old.path("x").parent.path)
    stranger = folder / "labels.parquet"
    for name, content in {
        ".abc.features.parquet": b"PAR1",
        ".def.labels.parquet": b"",
        "labels.parquet": b"mine",
        "my_labels.parquet": b"PAR1",
    }.items():
        (folder / name).write_bytes(content)
        age(folder / name, NOW - timedelta(days=91))
    done = delete_customer_files(old.artifacts, days=90, now=NOW)
    assert (done["deleted"], done["not_ours"]) == (5, [str(stranger)])
    assert stranger.exists()
    assert (folder / "my_labels.parquet").exists()


def test_tables_in_parts_go_when_all_of_them_are_old(world):
    run = leave_files(world, AS_OF - timedelta(days=1))
    leave_files(world, AS_OF)
    labels, purchases = (
        into_parts(Path(run.path(f"{name}.parquet").path), 1) for name in ("labels", "purchases")
    )
    killed = labels.with_name(".abc.labels.parquet")
    killed.mkdir()
    for name in ("_temporary", "part-0.parquet", ".part-0.parquet.crc"):
        (killed / name).touch()
    strangers = labels.with_name("features.parquet")
    strangers.unlink()
    strangers.mkdir()
    (strangers / "thesis.docx").touch()
    for folder in (labels, purchases, killed, strangers):
        for file in folder.iterdir():
            age(file, NOW - timedelta(days=91))
    age(purchases / "part-00001-x.zstd.parquet", NOW - timedelta(days=89))
    age(Path(run.path("target_list.parquet").path), NOW - timedelta(days=89))
    done = delete_customer_files(run.artifacts, days=90, now=NOW)
    assert (done["deleted"], done["not_ours"]) == (2, [str(strangers)])
    assert [path.exists() for path in (labels, killed)] == [False, False]
    assert [path.exists() for path in (purchases, strangers)] == [True, True]


def test_on_a_new_deployment_there_is_nothing_to_prune(world, monkeypatch, airflow_database):
    """Its first run may come before the pipeline's, which creates the tables."""
    from airflow.dag_processing.dagbag import DagBag

    for name in ("customer_clusters", "clustering_runs"):
        world.sql(f"DROP TABLE IF EXISTS dbo.{name} CASCADE")
    dag = DagBag().dags["customer_reclustering_retention"]
    assert dag.test().state == "success"
    assert world.sql("SELECT count(*) FROM dbo.customer_clusters") == [(0,)]


def test_the_dag_does_all_of_it(listed, world, monkeypatch, airflow_database):
    from airflow.dag_processing.dagbag import DagBag

    age(Path(listed.path("target_list.csv").path), datetime(2024, 1, 1, tzinfo=UTC))
    world.publish(people(1), world.run(date(2020, 1, 1), "run-2020"))
    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_ARTIFACTS", f"file://{listed.artifacts.path}")
    dag = DagBag().dags["customer_reclustering_retention"]
    assert dag.test().state == "success"
    assert not listed.path("target_list.csv").exists()
    assert world.sql("SELECT DISTINCT as_of FROM dbo.customer_clusters") == [(AS_OF,)]
