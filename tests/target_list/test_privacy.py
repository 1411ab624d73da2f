"""No customer's name or address leaves the list and the mail that carries it."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path

import pytest

from reclustering.core.errors import TerminalError
from reclustering.mail import SmtpMailer
from tests.smtp_servers import DROP
from tests.world import Person

PERSON = Person(1, "zebedee.quux@wobble.example", first="Zebedee", last="Quux")
DIRT = [
    Person(2, "zebedee.quux wobble.example", first="Zebedee", last="Quux"),
    Person(3, "ZEBEDEE.QUUX@wobble.example", first="Zebedee", last="Quux"),
    Person(4, "quux@wobble.example", first="=Zebedee", last="Quux"),
]
SECRETS = ("zebedee", "quux", "wobble")


def secrets_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text.lower()]


@pytest.mark.parametrize("refusal", [None, "554 rejected: <zebedee.quux@wobble.example>", DROP])
def test_names_and_addresses_are_in_the_list_alone(world, script, caplog, capsys, refusal):
    caplog.set_level(logging.DEBUG)
    world.opt_out(email="quux@wobble.example")
    run = world.publish([PERSON, *DIRT])
    said = [json.dumps(world.build(run))]
    script.on_data = refusal
    try:
        said.append(json.dumps(world.email(run, SmtpMailer())))
    except TerminalError as error:
        said += [str(error), repr(error.__cause__), repr(error.__context__)]
    said += [caplog.text, *capsys.readouterr()]
    said += [str(row) for row in world.sql("SELECT * FROM dbo.target_list_deliveries")]
    for mail in script.mails:
        html, text = (
            part.get_content()
            for part in script.inbox(mail.rcpt_tos[0])[0].walk()
            if part.get_content_type() in {"text/html", "text/plain"}
        )
        said += [html, text]
    assert [secrets_in(text) for text in said] == [[] for _ in said]

    files = [path for path in Path(run.path("x").parent.path).iterdir() if path.is_file()]
    telling = [path for path in files if secrets_in(path.read_bytes().decode("latin-1"))]
    assert [path.name for path in telling] == ["target_list.csv"]
    assert stat.S_IMODE(telling[0].stat().st_mode) == 0o600


def test_what_is_asked_for_an_unreadable_row_names_nobody(world):
    run = world.publish([PERSON])
    world.sql("INSERT INTO dbo.customer SELECT * FROM dbo.customer")
    with pytest.raises(Exception, match="c_customer_sk") as error:
        world.build(run)
    assert secrets_in(str(error.value)) == []
