"""The whole pipeline with its files in a bucket, on a local S3 server."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import duckdb
from rich.console import Console

from quickstart.report import print_report
from reclustering.core.artifacts import read_json
from reclustering.retention import delete_address_files
from reclustering.taking_back import take_back
from reclustering.warehouse import connect
from tests.buckets import ARTIFACTS, BUCKET
from tests.dags.conftest import run


def test_every_task_and_command_works_in_a_bucket(
    bucket, s3, warehouse_file, outbox, tmp_path, monkeypatch
):
    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_ARTIFACTS", ARTIFACTS)
    as_of = datetime.now(UTC).date()
    day_before = (as_of - timedelta(days=1)).isoformat()
    first = run(bucket, as_of=day_before, delivery="hold")
    assert first.state == "success", first.failure
    second = run(bucket)
    assert second.state == "success", second.failure

    names = {path.name for path in second.folder.iterdir()}
    assert {"features.parquet", "labels.parquet", "elbow.png", "target_list.csv"} <= names
    (mail,) = (
        message_from_bytes(path.read_bytes(), policy=policy.default) for path in outbox.iterdir()
    )
    (attached,) = mail.iter_attachments()
    assert attached.get_content() == (second.folder / "target_list.xlsx").read_bytes()
    previous = read_json(second.folder / "target_list.json")["previous"]
    assert (previous["as_of"], previous["change"] < 0.01) == (day_before, True)
    assert (
        read_json(second.folder / "clusters.json")["continuity"]["previous"]["as_of"] == day_before
    )

    screen = io.StringIO()
    console = Console(file=screen, width=200)
    print_report(console, bucket, second.run_id, compare_with_tutorial=True, outbox=None)
    assert "31,675" in screen.getvalue()
    assert f"Target list   {second.folder}/target_list.xlsx" in screen.getvalue()

    later = datetime.now(UTC) + timedelta(days=31)
    assert delete_address_files(bucket, days=30, now=later) == {
        "deleted": 4,
        "kept": 0,
        "not_ours": [],
    }
    done = take_back(connect(), bucket, as_of, now=datetime.now(UTC))
    assert (done["labels"], done["folder"]) == (37336, f"{bucket}/as_of={as_of}")
    left = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert all(name.startswith(f"runs/as_of={day_before}/") for name in left)
    with duckdb.connect(str(warehouse_file)) as connection:
        days = connection.execute("SELECT DISTINCT as_of FROM dbo.customer_clusters").fetchall()
    assert [f"{day}" for (day,) in days] == [day_before]
