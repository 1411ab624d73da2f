"""Who asks to be forgotten is found nowhere any more, and nobody else is touched."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reclustering.__main__ import main
from reclustering.erasure import erase_customer
from tests.parts import into_parts
from tests.world import AS_OF, people

GONE = 2


@pytest.fixture
def runs(world):
    """Two days of three people each; the first has customer 2 in every file, the second has not."""
    everybody = [*people(1), *people(1, start=GONE), *people(1, start=22)]
    first, second = world.run(AS_OF - timedelta(days=1), "run-1"), world.run()
    world.publish(everybody, first)
    world.publish([one for one in everybody if one.customer != GONE], second)
    world.sql("INSERT INTO dbo.customer VALUES (2, 'Ms.', 'Ann', 'Lee', 'p2@example.com')")
    for run in (first, second):
        world.build(run)
        named = [{"customer": 1, "frequency": 3}, {"customer": GONE, "frequency": 9}]
        run.path("features.json").write_text(
            json.dumps({"quarantine": {"customers": 2, "named": named[:1]}, "overrides": []})
        )
        run.path("elbow.json").write_text(
            json.dumps({"k": 2, "outliers": {"customers": named[: 2 if run is first else 1]}})
        )
        said = f"customer {GONE} with frequency 9: 80.0%; customer 22 with frequency 9: 5.0%"
        said = said if run is first else "nobody"
        run.path("fit_check.json").write_text(json.dumps({"findings": [{"problem": said}]}))
        run.path("report.html").write_text(f"<li>({said})</li>")
    world.sql(
        "INSERT INTO dbo.customer_clusters_staging SELECT 'x', customer, 0, 0, 0, 0, 0"
        " FROM (VALUES (1), (2)) t(customer)"
    )
    world.sql(
        "INSERT INTO dbo.target_list_members SELECT DATE '2024-01-01', 0, 'x', customer, 1"
        " FROM (VALUES (1), (2)) t(customer)"
    )
    folder = Path(first.path("x").parent.path)
    (folder / ".abc.labels.parquet").write_bytes(b"PAR1")
    return first, second


def keys(run, name):
    return pq.read_table(str(run.path(name)))["customer"].to_pylist()


def content(run):
    folder = Path(run.path("x").parent.path)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_customer_is_in_no_table_and_no_file(world, runs):
    first, second = runs
    before = content(second)
    done = erase_customer(world.warehouse, first.artifacts, GONE)
    assert done == {"labels": 1, "members": 1, "files": 6, "lists": 2}
    for table in ("customer_clusters", "customer_clusters_staging", "target_list_members"):
        assert world.sql(f"SELECT count(*) FROM dbo.{table} WHERE customer = 2") == [(0,)]
    assert world.sql("SELECT count(*) FROM dbo.customer_clusters") == [(4,)]
    assert world.sql("SELECT count(*) FROM dbo.customer_clusters_staging") == [(1,)]
    for name in ("purchases.parquet", "labels.parquet", "target_list.parquet"):
        assert keys(first, name) == [1, 22], name
    elbow = json.loads(first.path("elbow.json").read_text())
    assert elbow == {"k": 2, "outliers": {"customers": [{"customer": 1, "frequency": 3}]}}
    left = "an erased customer; customer 22 with frequency 9: 5.0%"
    assert json.loads(first.path("fit_check.json").read_text()) == {"findings": [{"problem": left}]}
    assert first.path("report.html").read_text() == f"<li>({left})</li>"
    # With the customer on them; 22 is not 2.
    assert not first.path("target_list.csv").exists()
    assert not first.path("target_list.xlsx").exists()
    assert not first.path(".abc.labels.parquet").exists()
    assert content(second) == before


def test_a_table_in_parts_is_written_without_the_customer_part_by_part(world, runs):
    first, _ = runs
    folder = into_parts(Path(first.path("labels.parquet").path), 2)
    untouched = (folder / "part-00001-x.zstd.parquet").read_bytes()
    left = folder.with_name(".abc.labels.parquet")
    left.unlink()
    left.mkdir()
    (left / "part-0.parquet").write_bytes(b"PAR1")
    assert erase_customer(world.warehouse, first.artifacts, GONE)["files"] == 6
    assert keys(first, "labels.parquet") == [1, 22]
    assert (folder / "part-00001-x.zstd.parquet").read_bytes() == untouched
    assert not left.exists()


def test_again_there_is_nothing_left_to_do(world, runs):
    erase_customer(world.warehouse, runs[0].artifacts, GONE)
    assert erase_customer(world.warehouse, runs[0].artifacts, GONE) == {
        "labels": 0,
        "members": 0,
        "files": 0,
        "lists": 0,
    }


def test_the_schema_of_a_file_stays(world, runs):
    before = {
        name: pq.read_schema(str(runs[0].path(name)))
        for name in ("labels.parquet", "purchases.parquet")
    }
    erase_customer(world.warehouse, runs[0].artifacts, GONE)
    for name, schema in before.items():
        assert pq.read_schema(str(runs[0].path(name))) == schema


def test_the_opt_out_and_the_stores_own_tables_stay(world, runs):
    world.opt_out(customer=GONE)
    erase_customer(world.warehouse, runs[0].artifacts, GONE)
    assert world.sql("SELECT customer FROM dbo.email_suppressions") == [(GONE,)]
    assert world.sql("SELECT count(*) FROM dbo.customer WHERE c_customer_sk = 2") == [(1,)]


def test_the_command_says_what_it_did_and_what_stays(
    world, runs, monkeypatch, capsys, airflow_database
):
    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_ARTIFACTS", (world.folder / "artifacts").as_uri())
    assert main(["erase", str(GONE)]) == 0
    said = capsys.readouterr().out
    assert (
        "Erased customer 2: 1 published labels, and from 1 lists in dbo.target_list_members; 6 f"
        in said
    )
    assert "As long as those have the customer's sales, the next run reads them again." in said
    assert "example.com" not in said


def test_where_nothing_ran_yet_there_is_nothing_to_erase(world):
    assert erase_customer(world.warehouse, world.run().artifacts, 7) == {
        "labels": 0,
        "members": 0,
        "files": 0,
        "lists": 0,
    }
