"""The ledger on the command line."""

from __future__ import annotations

import pytest

from reclustering.__main__ import main
from reclustering.core.errors import TerminalError
from reclustering.mail import SmtpMailer
from tests.smtp_servers import DROP
from tests.world import MARKETING, people


@pytest.fixture
def in_doubt(world, script) -> str:
    """One mail that is sent and one in doubt; give the Message-ID of the latter."""
    run = world.publish(people(4))
    world.build(run)
    world.email(run, SmtpMailer(), recipients="sales@example.com")
    script.accept_then = DROP
    with pytest.raises(TerminalError):
        world.email(run, SmtpMailer())
    script.accept_then = None
    return world.sql("SELECT message_id FROM dbo.target_list_deliveries WHERE state = 'sending'")[
        0
    ][0]


def test_what_was_sent_and_what_is_in_doubt(in_doubt, capsys):
    assert main(["ledger", "sent"]) == 0
    sent = capsys.readouterr().out
    assert "sales@example.com" in sent
    assert MARKETING not in sent
    assert main(["ledger", "doubt"]) == 0
    doubt = capsys.readouterr().out
    assert MARKETING in doubt
    assert in_doubt in doubt
    assert "no answer to the complete mail" in doubt
    assert "sales@example.com" not in doubt
    assert main(["ledger", "all"]) == 0
    assert "sales@example.com" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "state"), [("--arrived", "sent"), ("--not-arrived", "pending")])
def test_clearing_the_doubt(world, in_doubt, capsys, answer, state):
    assert main(["ledger", "clear", in_doubt.strip("<>"), answer]) == 0
    assert f"Written down as {state}" in capsys.readouterr().out
    assert (MARKETING, state, 1) in world.ledger()
    assert main(["ledger", "doubt"]) == 0
    assert capsys.readouterr().out == "Nothing.\n"
    assert main(["ledger", "clear", in_doubt, answer]) == 1
    assert f"it is {state}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["ledger"], ["ledger", "clear", "<id>"], ["ledger", "burn"]]
)
def test_a_command_that_is_not_whole_says_how_it_goes(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: python -m reclustering" in capsys.readouterr().err
