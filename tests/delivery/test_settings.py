"""Who gets the list, and whether this run sends it."""

from __future__ import annotations

from datetime import date

import pytest
from airflow.utils.types import DagRunType

from reclustering import steps
from reclustering.core.errors import TerminalError
from reclustering.core.guards import Bounds
from reclustering.delivery.settings import (
    MailSettings,
    held_because,
    valid_contact,
    valid_recipients,
    valid_store,
)
from reclustering.target_list.settings import ListSettings
from tests.world import people


def recipients(configured, requested=None):
    return valid_recipients(MailSettings(configured, requested))


@pytest.mark.parametrize(
    "configured",
    ["a@example.com,b@example.org", " A@Example.com ,, b@example.org, a@example.com"],
)
def test_recipients_are_each_named_once(configured):
    assert recipients(configured) == ["a@example.com", "b@example.org"]


def test_an_international_domain_is_written_in_ascii():
    assert recipients("a@bücher.example") == ["a@xn--bcher-kva.example"]


@pytest.mark.parametrize("configured", [None, "", " , ", "@example.com"])
def test_no_recipient_is_an_error(configured):
    with pytest.raises(TerminalError, match="target_list_recipients"):
        recipients(configured)


@pytest.mark.parametrize("wrong", ["marketing", "a@b@c.de", "jo\u00e9@example.com", "a b@c.de"])
def test_an_invalid_recipient_is_named(wrong):
    with pytest.raises(
        TerminalError, match=f"Variable target_list_recipients has '{wrong}', which"
    ):
        recipients(f"a@example.com, {wrong}")
    with pytest.raises(TerminalError, match=f"The parameter recipients has '{wrong}', which is no"):
        recipients("a@example.com", [wrong])


def test_recipients_inside_a_company_are_written_as_people_write_them():
    inside = "Marketing <Marketing@corp.local>; x@exchange, x@[10.0.0.5]"
    expected = ["marketing@corp.local", "x@exchange", "x@[10.0.0.5]"]
    assert recipients(inside) == expected
    assert recipients(inside, ["X@exchange; x@[10.0.0.5]"]) == expected[1:]
    assert recipients("a@b.example; @corp.local", ["Ann <ann@corp.local>"]) == ["ann@corp.local"]
    assert recipients("@bücher.example", ["a@BÜCHER.example"]) == ["a@xn--bcher-kva.example"]


@pytest.mark.parametrize("domain", ["@", "@ example.com", "@nonsense domain!", "@example.com."])
def test_a_domain_that_is_none_is_named(domain):
    with pytest.raises(TerminalError, match="target_list_recipients has 'anybody@"):
        recipients(f"a@example.com, {domain}")


def test_a_run_may_ask_for_some_of_the_recipients_and_for_those_of_an_allowed_domain():
    configured = "a@example.com, b@example.com, @Example.ORG"
    assert recipients(configured) == ["a@example.com", "b@example.com"]
    assert recipients(configured, []) == ["a@example.com", "b@example.com"]
    assert recipients(configured, ["B@example.com "]) == ["b@example.com"]
    assert recipients(configured, ["x@example.org"]) == ["x@example.org"]


@pytest.mark.parametrize(
    ("configured", "asked", "allowed"),
    [
        ("a@example.com", "x@example.com", "expected a@example.com, as the"),
        (
            "a@example.com, @example.org",
            "x@evil.example",
            "a@example.com or anybody@example.org, as",
        ),
        (
            "a@example.com, @example.org",
            "x@sub.example.org",
            "a@example.com or anybody@example.org",
        ),
        ("a@example.com, @example.org", "x@notexample.org", "a@example.com or anybody@example.org"),
        (None, "x@example.com", "expected nobody, as the"),
    ],
)
def test_a_run_cannot_send_the_list_anywhere(configured, asked, allowed):
    with pytest.raises(TerminalError, match=rf"asks for the recipient {asked}.*{allowed}"):
        recipients(configured, ["a@example.com", asked] if configured else [asked])


def test_recipients_are_checked_before_the_list_is_built(world):
    run = world.publish(people(2))
    with pytest.raises(TerminalError, match="Nobody is configured"):
        steps.build_target_list(
            world.warehouse,
            run,
            label=0,
            who=ListSettings(),
            settings=MailSettings(None),
            bounds=Bounds(),
        )
    assert not run.path("target_list.csv").exists()


def test_questions_go_to_the_contact_or_to_the_sender():
    sender = "Corner Store <store@example.com>"
    assert valid_contact(" Data@Example.com", sender=sender) == "data@example.com"
    assert valid_contact("Data <data@corp.local>", sender=sender) == "data@corp.local"
    assert valid_contact(None, sender=sender) == "store@example.com"
    assert valid_contact("  ", sender=sender) == "store@example.com"
    with pytest.raises(TerminalError, match="target_list_contact has 'the data team', which is no"):
        valid_contact("the data team", sender=sender)


def test_the_stores_name_is_a_line_that_can_be_written():
    assert valid_store("  Corner\r\n Store\t") == "Corner Store"
    assert valid_store(" ") == MailSettings.store
    with pytest.raises(TerminalError, match=r"store_name is 'A\\ud800', which is not a text"):
        valid_store("A\ud800")


TODAY, YESTERDAY = date(2026, 3, 6), date(2026, 3, 5)
RUN_TYPES = [
    "scheduled",
    "manual",
    "operator_triggered",
    "asset_triggered",
    "asset_materialization",
]


def held(delivery, run_type, as_of=TODAY, *, preview=False):
    return held_because(delivery, run_type, as_of=as_of, today=TODAY, preview=preview)


@pytest.mark.parametrize("run_type", RUN_TYPES)
def test_every_kind_of_run_mails_todays_list_and_no_other(run_type):
    assert held("auto", run_type) is None
    assert held("auto", run_type, YESTERDAY) == (
        "delivery is auto, which mails today's list, and this is that of 2026-03-05"
    )
    assert held("send", run_type, YESTERDAY) is None
    assert held("hold", run_type) == "delivery is hold"


def test_a_backfill_mails_only_if_it_is_told_to():
    assert held("auto", "backfill") == "delivery is auto, which mails nothing from a backfill"
    assert held("send", "backfill", YESTERDAY) is None


@pytest.mark.parametrize("delivery", ["auto", "send", "hold"])
def test_a_preview_mails_nothing_whatever_it_is_told(delivery):
    assert held(delivery, "scheduled", preview=True) == "the run is a preview"


def test_every_kind_of_run_that_airflow_knows_is_covered():
    assert {one.value for one in DagRunType} == {*RUN_TYPES, "backfill"}


def test_another_word_for_delivery_is_refused():
    with pytest.raises(TerminalError, match="delivery is 'yes'; expected one of auto, send, hold"):
        held("yes", "scheduled")
