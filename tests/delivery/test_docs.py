"""What docs/mail.md tells people to run works."""

from __future__ import annotations

import re

import pytest
import sqlglot

from quickstart.environment import PROJECT
from reclustering.__main__ import main
from reclustering.core.errors import TerminalError
from reclustering.mail import SmtpMailer
from tests.smtp_servers import DROP
from tests.world import MARKETING, people

TEXT = (PROJECT / "docs" / "mail.md").read_text(encoding="utf-8")


def test_the_queries_answer_their_questions(world, script):
    run = world.publish(people(4))
    world.build(run)
    world.email(run, SmtpMailer(), recipients="sales@example.com")
    script.accept_then = DROP
    with pytest.raises(TerminalError):
        world.email(run, SmtpMailer())
    (identifier,) = world.sql(
        "SELECT message_id FROM dbo.target_list_deliveries WHERE state <> 'sent'"
    )

    blocks = "\n".join(re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL))
    blocks = blocks.replace("<the Message-ID>", identifier[0])
    sent, doubt, update = (
        world.sql(statement) for statement in sqlglot.transpile(blocks, read="tsql", write="duckdb")
    )
    assert [row[2] for row in sent] == ["sales@example.com"]
    assert [row[2] for row in doubt] == [MARKETING]
    assert update == [(1,)]
    assert (MARKETING, "sent", 1) in world.ledger()


def test_the_commands_exist(capsys):
    commands = set(re.findall(r"python -m reclustering ledger (\w+)", TEXT))
    assert commands == {"all", "sent", "doubt", "clear"}
    for command in commands:
        with pytest.raises(SystemExit) as stop:
            main(["ledger", command, "--help"])
        assert stop.value.code == 0
    capsys.readouterr()
