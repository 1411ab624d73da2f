"""The process is killed at every moment; the next attempt knows what to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from reclustering.core.errors import TerminalError, TransientError
from reclustering.mail import SmtpMailer
from tests.smtp_servers import HANG
from tests.world import MARKETING, NOW, people


@pytest.fixture
def run(world):
    run = world.publish(people(4))
    world.build(run)
    return run


def attempt(world, moment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.delivery.attempt", str(world.folder), moment],
        env=os.environ,
    )


def test_killed_before_the_conversation(world, run, script):
    assert attempt(world, "connecting").wait(60) == -signal.SIGKILL
    assert (script.received(), world.ledger()) == ([], [(MARKETING, "pending", 0)])
    world.email(run, SmtpMailer())
    assert (script.received(), world.ledger()) == ([MARKETING], [(MARKETING, "sent", 1)])


@pytest.mark.parametrize(("moment", "inbox"), [("sending", []), ("accepted", [MARKETING])])
def test_killed_between_the_two_entries_in_the_ledger(world, run, script, moment, inbox):
    assert attempt(world, moment).wait(60) == -signal.SIGKILL
    for minutes, error, said in (
        (1, TransientError, "another attempt is at work on it"),
        (14, TransientError, "another attempt is at work on it"),
        (16, TerminalError, "has the mail is not known"),
        (600, TerminalError, "has the mail is not known"),
    ):
        assert (script.received(), world.ledger()) == (inbox, [(MARKETING, "sending", 1)])
        with pytest.raises(error, match=said):
            world.email(run, SmtpMailer(), now=NOW + timedelta(minutes=minutes))


def test_killed_while_the_server_has_the_mail_and_has_not_answered(world, run, script):
    script.accept_then = HANG
    process = attempt(world, "never")
    assert script.stored.wait(60)
    process.kill()
    process.wait()
    script.accept_then = None
    with pytest.raises(TerminalError, match="not known"):
        world.email(run, SmtpMailer(), now=NOW + timedelta(minutes=20))
    assert (script.received(), world.ledger()) == ([MARKETING], [(MARKETING, "sending", 1)])
