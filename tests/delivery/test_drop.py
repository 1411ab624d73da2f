"""The list as a file for machines: once, whole, and the manifest last."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import stat
from pathlib import Path

import pytest
from upath import UPath

from reclustering.core.errors import TransientError
from reclustering.delivery import drop
from reclustering.mail import SmtpMailer
from tests.world import MARKETING, NEXT, people, read_json


@pytest.fixture
def folder(world):
    return UPath(world.folder / "drop")


def files(folder) -> list[str]:
    root = Path(folder.path)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def mailed(world, run, **how):
    world.build(run)
    return world.email(run, SmtpMailer(), **how)


def test_the_list_and_a_manifest_that_describes_it(world, script, folder):
    run = world.publish(people(3))
    mailed(world, run, drop=folder)
    sha256 = read_json(run, "target_list.json")["sha256"]
    name = f"target_list_0_{sha256[:12]}"
    day = "as_of=2024-01-01"
    assert files(folder) == [f"{day}/{name}.csv", f"{day}/{name}.manifest.json"]
    content = (folder / day / f"{name}.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() == sha256
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    manifest = json.loads((folder / day / f"{name}.manifest.json").read_text())
    assert manifest == {
        "schema_version": 1,
        "run_id": "scheduled__1",
        "file": f"{name}.csv",
        "bytes": len(content),
        "columns": list(rows[0]),
        "as_of": "2024-01-01",
        "label": 0,
        "customers": 3,
        "new": None,
        "excluded": read_json(run, "target_list.json")["excluded"],
        "sha256": sha256,
    }
    path = Path((folder / day / f"{name}.csv").path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (mail,) = script.inbox(MARKETING)
    assert list(mail.iter_attachments()) == []
    for kind in ("plain", "html"):
        words = " ".join(mail.get_body((kind,)).get_content().split())
        assert "They are in this file:" in words
        assert str(path) in words


def test_it_is_left_once(world, script, folder):
    run = world.publish(people(3))
    mailed(world, run, drop=folder)
    for name in files(folder):
        (folder / name).unlink()
    again = world.email(run, SmtpMailer(), drop=folder)
    assert files(folder) == []
    assert (again["outcomes"]["already_sent"], again["outcomes"]["left"]) == (1, 1)
    assert [state for _, state, _ in world.ledger()] == ["sent", "sent"]


def test_nobody_is_mailed_about_a_file_that_is_not_there(world, script, folder, monkeypatch):
    run = world.publish(people(3))
    with monkeypatch.context() as broken:

        def fail(*_: object) -> None:
            raise TransientError("the disk is full")

        broken.setattr(drop, "write_json", fail)
        with pytest.raises(TransientError, match="the disk is full"):
            mailed(world, run, drop=folder)
    assert script.received() == []
    assert [(state, tries) for _, state, tries in world.ledger()] == [
        ("pending", 1),
        ("pending", 0),
    ]
    assert not any(name.endswith("manifest.json") for name in files(folder))
    world.email(run, SmtpMailer(), drop=folder)
    assert len(files(folder)) == 2
    assert len(script.received()) == 1


def test_an_attempt_that_died_on_the_way_is_repeated(world, script, folder):
    """Unlike a mail, a file is there once however often it is written."""
    run = world.publish(people(3))
    world.build(run)
    world.email(run, SmtpMailer(), drop=folder)
    world.sql("UPDATE dbo.target_list_deliveries SET state = 'sending' WHERE recipient LIKE '/%'")
    again = world.email(run, SmtpMailer(), drop=folder)
    assert again["outcomes"]["left"] == 1
    assert {state for _, state, _ in world.ledger()} == {"sent"}


def test_a_list_that_the_folder_has_is_not_left_again(world, script, folder):
    mailed(world, world.publish(people(3)), drop=folder)
    mailed(world, world.publish(people(3), world.run(NEXT, "scheduled__2")), drop=folder)
    assert {name.partition("/")[0] for name in files(folder)} == {"as_of=2024-01-01"}


def test_a_held_list_is_left_nowhere(world, script, folder):
    mailed(world, world.publish(people(3)), drop=folder, held="delivery is hold")
    assert not folder.exists()


def test_a_bucket_takes_it_too(world, script, bucket):
    run = world.publish(people(3))
    mailed(world, run, drop=bucket)
    left = sorted(path.name for path in (bucket / "as_of=2024-01-01").iterdir())
    sha256 = read_json(run, "target_list.json")["sha256"]
    assert left == [f"target_list_0_{sha256[:12]}{end}" for end in (".csv", ".manifest.json")]
    (mail,) = script.inbox(MARKETING)
    assert "s3://" in mail.get_body(("plain",)).get_content()


def test_whom_it_is_mailed_to_finds_it_there(world, script, folder):
    """The folder has the same list of the day before; somebody new has none."""
    mailed(world, world.publish(people(3)), drop=folder)
    second = world.publish(people(3), world.run(NEXT, "scheduled__2"))
    mailed(world, second, drop=folder, recipients=f"{MARKETING}, new@example.com")
    (mail,) = script.inbox("new@example.com")
    named = [name for name in files(folder) if name.startswith("as_of=2024-01-02/")]
    assert len(named) == 2
    assert named[0] in mail.get_body(("plain",)).get_content()


def test_a_folder_that_is_none_is_still_to_get_the_list(world, script, folder):
    Path(folder.path).write_text("in the way")
    run = world.publish(people(3))
    with pytest.raises(OSError, match="drop"):
        mailed(world, run, drop=folder)
    assert {state for _, state, _ in world.ledger()} == {"pending"}
    assert script.received() == []
    Path(folder.path).unlink()
    assert world.email(run, SmtpMailer(), drop=folder)["outcomes"]["left"] == 1


def test_what_has_gone_out_is_told_again_by_a_task_that_is_cleared(world, script, folder):
    run = world.publish(people(3))
    assert mailed(world, run, drop=folder)["out"]["customers"] == 3
    assert world.email(run, SmtpMailer(), drop=folder)["out"]["customers"] == 3
    second = world.publish(people(3), world.run(NEXT, "scheduled__2"))
    assert mailed(world, second, drop=folder)["out"] is None
