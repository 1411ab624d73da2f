"""What a mail brought about, on buyers whose lift is known."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from reclustering.delivery.ledger import Ledger, ListKey
from reclustering.warehouse.schema import create_own_objects
from tests.world import AS_OF, MARKETING, NOW

SHA256 = "ab" * 32
LIFT = 0.4
N = 900
"""Customers of the simulation; every third is held out."""


@pytest.fixture
def sent(store):
    """A store that has mailed a list; what each customer bought and returned in the week after it."""
    store.create_source()
    hook = store.hook()
    create_own_objects(hook)
    random = np.random.default_rng(7)
    listed = np.arange(N) % 3 > 0
    orders = random.poisson(np.where(listed, 1 + LIFT, 1.0))
    returned = random.random(N) < 0.1
    days = [(n, AS_OF + timedelta(days=n)) for n in range(-1, 9)]
    store.insert("date_dim", [(100 + n, day) for n, day in days])
    sales, returns, ticket = [], [], 0
    for customer, number in enumerate(orders.tolist()):
        for _ in range(number):
            ticket += 1
            # Two items to an order.
            sales += [(customer, 100 + ticket % 7, ticket, item, 10.5) for item in (1, 2)]
        # The day before, and the eighth after.
        sales += [(customer, 99, -customer - 1, 1, 99), (customer, 107, -N - customer - 1, 1, 99)]
        if returned[customer]:
            returns.append((customer, 101, ticket, 1, 4.25))
    store.insert("store_sales", sales)
    store.insert("store_returns", returns)
    store.insert(
        "target_list_members",
        [(AS_OF, 0, SHA256, customer, int(listed[customer])) for customer in range(N)],
    )
    mail(hook, SHA256)
    return (
        store,
        listed,
        {
            "bought": (orders > 0).astype(float),
            "orders": orders.astype(float),
            "paid": orders * 21.0,
            "returned": returned * 4.25,
        },
    )


def mail(hook, sha256):
    ledger = Ledger(hook, ListKey(AS_OF, 0, sha256), run_id="run", clock=lambda: NOW)
    (row,) = ledger.enter([MARKETING], customers=N, sender="store@example.com")
    assert ledger.claim(row)
    assert ledger.settle(row, state="sent")


def lift(store, days=7):
    with store.hook().read() as session:
        return session.query("analysis/lift", {"as_of": AS_OF, "label": 0, "days": days})


def test_the_lift_and_its_interval_are_those_of_welchs_test(sent):
    store, listed, values = sent
    rows = lift(store)
    assert [row["measure"] for row in rows] == sorted(values)
    for row in rows:
        there, not_there = values[row["measure"]][listed], values[row["measure"]][~listed]
        assert (row["listed"], row["held_out"]) == (600, 300)
        assert row["mean_listed"] == pytest.approx(there.mean())
        assert row["mean_held_out"] == pytest.approx(not_there.mean())
        interval = stats.ttest_ind(there, not_there, equal_var=False).confidence_interval(0.95)
        # The normal's 1.96 for the t distribution's 1.965.
        assert [row["low"], row["high"]] == pytest.approx([*interval], abs=0.02 * (there.std() + 1))


def test_the_known_lift_lies_within_and_none_where_there_is_none(sent):
    found = {row["measure"]: row for row in lift(sent[0])}
    assert 0 < found["orders"]["low"] < LIFT < found["orders"]["high"]
    assert 0 < found["paid"]["low"] < LIFT * 21 < found["paid"]["high"]
    assert found["returned"]["low"] < 0 < found["returned"]["high"]


def test_a_list_that_was_never_sent_has_none(store):
    store.create_source()
    create_own_objects(store.hook())
    store.insert("target_list_members", [(AS_OF, 0, SHA256, i, i % 2) for i in range(10)])
    assert lift(store) == []
