"""Who gets the list, and whether this run sends it."""

from __future__ import annotations

import pytest

from reclustering import steps
from reclustering.core.errors import TerminalError
from reclustering.core.guards import Bounds
from reclustering.delivery.settings import should_send, valid_contact, valid_recipients
from tests.world import people


@pytest.mark.parametrize(
    "configured",
    [
        "a@example.com,b@example.org",
        " A@Example.com ,, b@example.org, a@example.com",
        ["a@example.com", "B@example.org"],
    ],
)
def test_recipients_are_each_named_once(configured):
    assert valid_recipients(configured) == ["a@example.com", "b@example.org"]


def test_an_international_domain_is_written_in_ascii():
    assert valid_recipients("a@bücher.example") == ["a@xn--bcher-kva.example"]


@pytest.mark.parametrize("configured", [None, "", " , ", []])
def test_no_recipient_is_an_error(configured):
    with pytest.raises(TerminalError, match="target_list_recipients"):
        valid_recipients(configured)


@pytest.mark.parametrize("wrong", ["marketing", "a@b@c.de", "jo\u00e9@example.com", "a b@c.de"])
def test_an_invalid_recipient_is_named(wrong):
    with pytest.raises(TerminalError, match=f"'{wrong}' is not a valid recipient"):
        valid_recipients(f"a@example.com, {wrong}")


def test_recipients_are_checked_before_the_list_is_built(world):
    run = world.publish(people(2))
    with pytest.raises(TerminalError, match="Nobody is configured"):
        steps.build_target_list(
            world.warehouse, run, label=0, recipients=None, bounds=Bounds(), accept_change=False
        )
    assert not run.path("target_list.csv").exists()


def test_questions_go_to_the_contact_or_to_the_sender():
    sender = "Corner Store <store@example.com>"
    assert valid_contact(" Data@Example.com", sender=sender) == "data@example.com"
    assert valid_contact(None, sender=sender) == "store@example.com"
    with pytest.raises(TerminalError, match="'the data team' is not a valid contact"):
        valid_contact("the data team", sender=sender)


@pytest.mark.parametrize(
    ("delivery", "run_type", "sends"),
    [
        ("auto", "scheduled", True),
        ("auto", "manual", True),
        ("auto", "backfill", False),
        ("auto", "asset_triggered", False),
        ("send", "backfill", True),
        ("hold", "scheduled", False),
        ("hold", "manual", False),
    ],
)
def test_who_sends(delivery, run_type, sends):
    assert should_send(delivery, run_type) is sends


def test_an_unknown_delivery_is_refused():
    with pytest.raises(TerminalError, match="delivery is 'yes'; expected one of auto, send, hold"):
        should_send("yes", "manual")
