"""The days as the history shows them."""

from __future__ import annotations

import json
from datetime import date

import pytest
from upath import UPath

from reclustering.report.history import Day, every_day, read_day, read_history
from tests.buckets import BUCKET

LAST = date(2026, 1, 20)


def history(root, days=30):
    return read_history(root, last=LAST, days=days)


def test_before_the_first_run_there_is_nothing(tmp_path):
    assert history(UPath(tmp_path / "artifacts")) == []


def test_a_day_has_its_figures(write, files):
    assert history(write(files)) == [
        Day(date(2026, 1, 15), files["run"]["run_id"], 2, (8, 2), 0.125, 5, None)
    ]


@pytest.mark.parametrize(
    ("change", "mark"),
    [
        ({"run": {"run_id": "backfill__2026-01-15T04:00:00+00:00"}}, "backfill"),
        ({"delivery": {"outcomes": {"held": 1}}}, "held"),
        ({"publication": {"table": None}}, "not published"),
    ],
)
def test_a_day_that_is_not_like_the_others_is_marked(write, files, change, mark):
    for name, content in change.items():
        files[name] |= content
    assert [day.mark for day in history(write(files))] == [mark]


def test_of_several_runs_the_last_that_published_counts(write, files):
    for run, at, k in (
        ("a", "2026-01-15T05:00:00+00:00", 5),
        ("b", "2026-01-15T04:00:00+00:00", 4),
    ):
        files["publication"] |= {"at": at, "k": k}
        root = write(files, run=run)
    files["publication"]["table"] = None
    files["publication"]["at"] = "2026-01-15T06:00:00+00:00"
    write(files, run="preview")
    assert [day.k for day in history(root)] == [5]


def test_other_days_other_folders_and_broken_files_do_no_harm(write, files, tmp_path):
    root = write(files)
    write(files, as_of="2026-01-21")
    write(files, as_of="2025-12-01")
    write({"elbow": files["elbow"]}, as_of="2026-01-16")
    write(files, as_of="2026-02-30")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "as_of=2026-01-18").touch()
    (tmp_path / "as_of=2026-01-17" / "run").mkdir(parents=True)
    (tmp_path / "as_of=2026-01-17" / "run" / "run.json").write_text("{")
    assert [day.as_of.day for day in history(root)] == [15]


def test_a_run_of_an_earlier_version_has_what_it_left(write, files):
    files["publication"] = {"table": "dbo.customer_clusters", "customers": 10}
    assert history(write(files)) == [Day(date(2026, 1, 15), files["run"]["run_id"], listed=5)]


def test_one_day_is_found_by_itself(write, files):
    root = write(files)
    assert read_day(root, date(2026, 1, 15)) == history(root)[0]
    assert read_day(root, date(2026, 1, 16)) is None


def test_tasks_write_to_a_bucket_while_it_is_looked_at(bucket, s3, files):
    def write(as_of):
        for name, content in files.items():
            key = f"runs/as_of={as_of}/run/{name}.json"
            s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(content).encode())

    write("2026-01-15")
    assert len(history(bucket)) == 1
    write("2026-01-16")
    bucket.fs.invalidate_cache()
    assert len(history(bucket)) == 2


def test_a_day_without_a_run_is_a_gap(write, files):
    root = write(files)
    write(files, as_of="2026-01-17")
    days = every_day(history(root))
    assert [(day["as_of"], day.get("k")) for day in days] == [
        ("2026-01-15", 2),
        ("2026-01-16", None),
        ("2026-01-17", 2),
    ]
    assert every_day([]) == []
