"""What is published in a bucket is whole, whatever breaks."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from reclustering.core.artifacts import (
    OWNER_ONLY,
    fetch,
    publish,
    publish_parts,
    read_json,
    remove_folder,
)
from reclustering.core.errors import BadInputError, TerminalError, TransientError
from reclustering.core.tables import COMPLETE, part_files
from reclustering.retention import delete_address_files
from reclustering.target_list.list_file import CSV_HEADER
from tests.buckets import ARTIFACTS, BUCKET

LARGE = 120_000_000
"""Bytes that s3fs uploads in parts."""


def content(path) -> bytes:
    with fetch(path) as local:
        return local.read_bytes()


def write(path, size: int, *, then: Exception | None = None) -> None:
    with publish(path) as scratch:
        scratch.write_bytes(b"x" * size)
        if then:
            raise then


def complain_about(path) -> None:
    with fetch(path) as local:
        raise BadInputError(f"There is something wrong with {local}.")


@pytest.mark.parametrize("size", [0, 11, LARGE])
def test_what_was_published_is_what_is_fetched(bucket, size):
    with publish(bucket / "a" / "file.bin", mode=OWNER_ONLY) as scratch:
        scratch.write_bytes(b"x" * size)
    assert content(bucket / "a" / "file.bin") == b"x" * size


def in_parts(target, *parts: bytes) -> None:
    """Write a table as an engine does that knows the bucket by itself."""
    with publish_parts(target) as folder:
        for i, part in enumerate(parts):
            (folder / f"part-{i}.parquet").write_bytes(part)
        (folder / COMPLETE).write_bytes(b"")


def parts_of(target) -> list[bytes]:
    with fetch(target) as local:
        return [part.read_bytes() for part in part_files(local)]


def test_a_table_in_parts_is_fetched_whole(bucket):
    target = bucket / "labels.parquet"
    in_parts(target, b"first", b"second", b"third")
    assert parts_of(target) == [b"first", b"second", b"third"]
    in_parts(target, b"new")
    assert parts_of(target) == [b"new"]
    (target / COMPLETE).fs.rm_file((target / COMPLETE).path)
    with pytest.raises(BadInputError, match=r"has no _SUCCESS.*Clear the task") as caught:
        parts_of(target)
    assert str(target) in str(caught.value)


def test_of_a_table_that_was_in_parts_a_file_takes_the_place_and_the_other_way_round(bucket):
    target = bucket / "labels.parquet"
    for _ in range(2):
        in_parts(target, b"part")
        assert parts_of(target) == [b"part"]
        with publish(target) as scratch:
            scratch.write_bytes(b"file")
        assert content(target) == b"file"
    assert [path.name for path in bucket.iterdir()] == ["labels.parquet"]


@pytest.mark.parametrize("size", [11, LARGE])
def test_a_writer_that_breaks_leaves_the_old_object(bucket, size):
    target = bucket / "file.bin"
    with publish(target) as scratch:
        scratch.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        write(target, size, then=ZeroDivisionError())
    assert content(target) == b"old"


@pytest.mark.parametrize(
    ("size", "call"),
    [(11, "put_object"), (LARGE, "upload_part"), (LARGE, "complete_multipart_upload")],
)
def test_an_upload_that_breaks_leaves_the_old_object_and_no_parts(
    bucket, s3, size, call, monkeypatch
):
    target = bucket / "file.bin"
    with publish(target) as scratch:
        scratch.write_bytes(b"old")
    ask, asked = type(target.fs)._call_s3, []

    async def break_the_second_time(self, method, *arguments, **values):
        asked.append(method)
        if method == call and asked.count(call) == (2 if call == "upload_part" else 1):
            raise ConnectionResetError("gone")
        return await ask(self, method, *arguments, **values)

    monkeypatch.setattr(type(target.fs), "_call_s3", break_the_second_time)
    with pytest.raises(TransientError, match=r"file\.bin: the object store failed \(Connection"):
        write(target, size)
    monkeypatch.undo()
    assert content(target) == b"old"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


def test_a_bucket_that_is_not_there_is_named(bucket, s3):
    missing = type(bucket)("s3://store_bucket@elsewhere/runs/file.txt")
    with pytest.raises(TerminalError, match=r"elsewhere/runs/file\.txt: the object store refuses"):
        write(missing, 1)
    with pytest.raises(BadInputError, match=r"There is no s3://.*elsewhere/runs/file\.txt"):
        read_json(missing)


@pytest.mark.parametrize("prefix", ["runs*", "[a]", "**", "#", "a b", "ü"])
def test_a_folder_is_deleted_by_its_name_and_not_as_a_pattern(s3, prefix, airflow_database):
    root = ObjectStoragePath(f"s3://store_bucket@{BUCKET}/{prefix}")
    kept = ["runs1/as_of=2024-01-01/keep.txt", "a/as_of=2024-01-01/keep.txt", f"{prefix}/keep.txt"]
    for key in kept:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
    for name in ("one/a.txt", "two/b.txt", "target_list.csv"):
        write(root / "as_of=2024-01-01" / name, 1)
    remove_folder(root / "as_of=2024-01-01")
    assert sorted(one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]) == sorted(
        kept
    )


def test_a_list_in_a_bucket_whose_prefix_is_a_pattern_is_deleted(s3, airflow_database):
    root = ObjectStoragePath(f"s3://store_bucket@{BUCKET}/[a]")
    with publish(root / "as_of=2024-01-01" / "run" / "target_list.csv") as scratch:
        scratch.write_bytes(CSV_HEADER)
    later = datetime.now(UTC) + timedelta(days=31)
    assert delete_address_files(root, days=30, now=later)["deleted"] == 1


def test_a_bucket_that_does_not_answer_is_asked_again_later(bucket, monkeypatch):
    async def refuse(self, *arguments, **values):
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(type(bucket.fs), "_call_s3", refuse)
    for ask in (
        lambda: delete_address_files(bucket, days=30, now=datetime.now(UTC)),
        lambda: remove_folder(bucket / "as_of=2024-01-01"),
        lambda: read_json(bucket / "x.json"),
    ):
        with pytest.raises(TransientError, match="the object store failed"):
            ask()


def test_an_error_names_the_object_and_not_the_copy(bucket):
    with publish(bucket / "elbow.json") as scratch:
        scratch.write_text("{")
    with pytest.raises(BadInputError, match=r"^There is something wrong with s3://.*/elbow\.json"):
        complain_about(bucket / "elbow.json")


def test_nothing_stays_in_the_temporary_folder_of_a_worker_that_is_killed(
    bucket, tmp_path, s3_endpoint
):
    """Neither what it writes nor what it reads, for both may be addresses."""
    with publish(bucket / "list.csv") as scratch:
        scratch.write_text("jane@example.com")
    script = f"""
        import os, signal
        from airflow.sdk import ObjectStoragePath
        from reclustering.core.artifacts import fetch, publish
        root = ObjectStoragePath({ARTIFACTS!r})
        with fetch(root / "list.csv") as local, publish(root / "new.csv", mode=0o600) as scratch:
            scratch.write_text(local.read_text() * 1000)
            assert scratch.stat().st_size == 16_000
            os.kill(os.getpid(), signal.SIGKILL)
    """
    environment = os.environ | {
        "TMPDIR": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path),
    }
    command = [sys.executable, "-c", textwrap.dedent(script)]
    killed = subprocess.run(command, env=environment, check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr.decode()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not (bucket / "new.csv").exists()


def test_what_a_killed_process_has_spilled_is_removed_by_the_next(tmp_path, monkeypatch):
    from reclustering.core.scratch import spill_folder

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = """
        import os, signal
        from reclustering.core.scratch import spill_folder
        with spill_folder() as folder:
            (folder / "spill").write_text("x")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=environment, check=False)
    (left,) = tmp_path.iterdir()
    with spill_folder() as fresh:
        assert left.exists(), "one that may only just have been made is left alone"
        os.utime(left, (0, 0))
        os.utime(fresh, (0, 0))
        with spill_folder():
            assert not left.exists()
            assert fresh.exists(), "one in use is left alone, however old"
    assert list(Path(tmp_path).iterdir()) == []
