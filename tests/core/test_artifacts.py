"""Files appear whole or not at all, in a folder as in a bucket."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from contextlib import suppress

import pytest
from upath import UPath

from reclustering.core.artifacts import OWNER_ONLY, fetch, publish, read_json, write_json
from reclustering.core.errors import BadInputError


@pytest.fixture(params=["folder", "bucket"])
def root(request, tmp_path):
    if request.param == "folder":
        return UPath(tmp_path.as_uri())
    return UPath(f"memory://{tmp_path.name}")


def test_what_was_published_is_what_is_fetched(root):
    with publish(root / "run" / "file.txt") as scratch:
        scratch.write_text("whole")
    with fetch(root / "run" / "file.txt") as local:
        assert local.read_text() == "whole"


def test_a_failing_writer_leaves_the_old_file(root):
    target = root / "file.txt"
    with publish(target) as scratch:
        scratch.write_text("old")
    with suppress(ZeroDivisionError), publish(target) as scratch:
        scratch.write_text("ne")
        raise ZeroDivisionError
    with fetch(target) as local:
        assert local.read_text() == "old"


def test_a_killed_writer_leaves_nothing_at_the_final_name(tmp_path):
    script = f"""
        import os, signal
        from upath import UPath
        from reclustering.core.artifacts import publish
        with publish(UPath({(tmp_path / "file.txt").as_uri()!r})) as scratch:
            scratch.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "file.txt").exists()


def test_private_files_are_readable_by_their_owner_alone(tmp_path):
    with publish(UPath(tmp_path / "list.csv"), mode=OWNER_ONLY) as scratch:
        assert scratch.stat().st_mode & 0o077 == 0, "private while it is written, too"
        scratch.write_text("")
    assert (tmp_path / "list.csv").stat().st_mode & 0o777 == 0o600


def test_a_missing_file_says_which_task_to_clear(root):
    with pytest.raises(BadInputError, match=r"There is no .*elbow.json\. Clear the task"):
        read_json(root / "elbow.json")


def test_json_that_is_cut_short_is_refused(root):
    with publish(root / "elbow.json") as scratch:
        scratch.write_text('{"k": 4')
    with pytest.raises(BadInputError, match="not readable JSON"):
        read_json(root / "elbow.json")


def test_json_holds_no_nan(root):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(root / "clusters.json", {"inertia": float("nan")})
    assert not (root / "clusters.json").exists()
