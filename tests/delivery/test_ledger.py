"""The rows of the ledger, on every kind of warehouse."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from reclustering.delivery.ledger import (
    Delivery,
    Ledger,
    ListKey,
    clear_doubt,
    message_id,
    read_ledger,
)
from reclustering.warehouse.schema import create_own_objects
from tests.world import AS_OF, MARKETING, NEXT, NOW

KEY = ListKey(AS_OF, 0, "ab" * 32)


@pytest.fixture
def hook(store):
    hook = store.hook()
    create_own_objects(hook)
    return hook


@pytest.fixture
def ledger(hook):
    return Ledger(hook, KEY, run_id="manual__1", clock=lambda: NOW)


def enter(ledger: Ledger) -> Delivery:
    (row,) = ledger.enter([MARKETING], customers=7, sender="Store <store@example.com>")
    return row


def test_a_mail_from_pending_to_sent(hook, ledger):
    row = enter(ledger)
    assert ledger.enter([MARKETING], customers=7, sender="other@example.org") == [row]
    assert (row.state, row.attempts) == ("pending", 0)

    assert ledger.claim(row)
    assert not ledger.claim(row)
    assert ledger.state(MARKETING) == "sending"

    clear_doubt(hook, row.message_id, arrived=False, now=NOW)
    assert ledger.state(MARKETING) == "pending"
    row = enter(ledger)
    assert ledger.claim(row)
    assert ledger.settle(row, state="sent")
    assert not ledger.settle(row, state="pending")
    (entry,) = read_ledger(hook)
    assert entry["changed_at"] == NOW.replace(tzinfo=None)
    assert (entry["state"], entry["attempts"], entry["customers"]) == ("sent", 2, 7)
    assert (entry["list_sha256"].strip(), entry["run_id"]) == (KEY.sha256, "manual__1")


def test_another_list_of_the_day_is_a_correction_once_one_went_out(hook, ledger):
    other = Ledger(hook, ListKey(AS_OF, 0, "cd" * 32), run_id="manual__2", clock=lambda: NOW)
    row = enter(ledger)
    assert not other.corrects()
    assert ledger.claim(row)
    assert other.corrects()
    assert not ledger.corrects()


def test_a_long_reason_is_cut_to_what_the_column_holds(hook, ledger):
    row = enter(ledger)
    assert ledger.claim(row)
    assert ledger.settle(row, state="pending", detail="x" * 1001)
    (entry,) = read_ledger(hook)
    assert entry["detail"] == "x" * 1000


def test_a_message_id_is_made_of_what_makes_the_mail_and_of_the_senders_domain():
    """An attempt of a later version must find the same mail."""
    known = message_id(KEY, MARKETING, "Store <store@example.com>")
    text = f"2024-01-01/0/{'ab' * 32}/marketing@example.com"
    assert known == f"<{hashlib.sha256(text.encode()).hexdigest()[:40]}@example.com>"
    assert len(known) == 40 + len("<@example.com>")


def test_what_somebody_has_is_what_was_sent_last(hook):
    """Another list of the same label is had by those to whom nothing has gone since."""

    def send(as_of, sha256, minute, *recipients, state="sent"):
        key, now = ListKey(as_of, 0, sha256), NOW + timedelta(minutes=minute)
        ledger = Ledger(hook, key, run_id="run", clock=lambda: now)
        for row in ledger.enter(recipients, customers=7, sender="store@example.com"):
            assert ledger.claim(row)
            if state == "sent":
                assert ledger.settle(row, state=state)
        return ledger

    first, second = "ab" * 32, "cd" * 32
    send(AS_OF, first, 0, "a@x", "b@x", "c@x", "d@x")
    send(NEXT, second, 1, "b@x")
    send(NEXT, second, 1, "c@x", state="sending")
    # A correction of the earlier day, later.
    ledger = send(AS_OF, second, 2, "d@x")
    assert ledger.who_has_last(AS_OF, first) == {"a@x"}
    assert ledger.who_has_last(NEXT, second) == {"b@x"}
    assert ledger.who_has_last(AS_OF, second) == {"d@x"}
