"""The statements of the list, on every kind of warehouse."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reclustering.core.contracts import OUTCOMES_SCHEMA, PURCHASES_SCHEMA
from reclustering.delivery.ledger import Ledger, ListKey
from reclustering.labels.history import prune_labels
from reclustering.target_list.members import read_members
from reclustering.target_list.membership import (
    erase_member,
    mailed_lately,
    prune_members,
    record_members,
)
from reclustering.target_list.opt_outs import OptOuts, load_opt_outs
from reclustering.target_list.selection import require_whole_cluster, selection
from reclustering.target_list.settings import ListSettings
from reclustering.warehouse.schema import create_own_objects
from tests.stores import publish, write_labels_file
from tests.world import AS_OF, MARKETING, NEXT, NOW

KEY = ListKey(AS_OF, 0, "ab" * 32)


@pytest.fixture
def hook(store):
    store.create_source()
    hook = store.hook()
    create_own_objects(hook)
    return hook


def test_the_list(store, hook, tmp_path):
    store.insert(
        "customer",
        [
            (1, "Ms.", "Zo\u00eb", "Lee  ", "  One@Example.com   "),
            (2, None, None, None, "two@example.com"),
            (3, "Mr.", "Al", "Oz", "THREE@example.com"),
            (4, "Mr.", "Bo", "Oz", "four@example.com"),
            (5, "Mr.", "Cy", "Oz", None),
        ],
    )
    store.insert("email_suppressions", [("three@EXAMPLE.com", None, "asked", AS_OF)])
    store.insert("email_suppressions", [(None, 4, None, None)])
    labels = write_labels_file(tmp_path / "labels.parquet", 6)
    purchases = tmp_path / "purchases.parquet"
    day = date(2023, 12, 31)
    bought = [{"customer": i, "orders": i, "last_purchase": day} for i in range(1, 7)]
    pq.write_table(pa.Table.from_pylist(bought, schema=PURCHASES_SCHEMA), purchases)

    with hook.read() as session, selection() as chosen:
        members = read_members(session.stream("target_list/customers"), labels, purchases, 0)
        chosen.collect(members, load_opt_outs(hook))
        totals = chosen.decide(ListSettings(), as_of=AS_OF, before=None, recent=())
        (listed,) = chosen.listed()
    assert {reason: n for reason, n in totals.excluded.items() if n} == {
        "no_address": 2,
        "suppressed": 2,
    }
    columns = ("email", "last_name", "last_purchase", "orders")
    assert [tuple(row[name] for name in columns) for row in listed.to_pylist()] == [
        ("One@Example.com", "Lee  ", day, 1),
        ("two@example.com", None, day, 2),
    ]
    require_whole_cluster(totals, label=0, size=6)


def test_a_customers_own_address_is_opted_out_with_the_customer(store, hook):
    store.insert("customer", [(4, "Mr.", "Bo", "Oz", "Four@example.com")])
    store.insert("email_suppressions", [(None, 4, "asked", None)])
    opt_outs = load_opt_outs(hook)
    assert opt_outs == OptOuts(1, frozenset({4}), frozenset({"four@example.com"}))


def test_what_was_mailed_comes_first_and_then_what_was_published(store, hook, tmp_path):
    """Of the day itself, only what was mailed counts: a list is compared with those before it."""
    labels = write_labels_file(tmp_path / "labels.parquet", 3)
    before = AS_OF - timedelta(days=1)
    for day in (before, AS_OF, NEXT):
        publish(hook, labels, day, run_id=f"run-{day}")
    for day, minute in ((before, 0), (AS_OF, 1), (NEXT, 2)):
        key = ListKey(day, 0, "ab" * 32)
        now = NOW + timedelta(minutes=minute)
        ledger = Ledger(hook, key, run_id=f"mailed-{day}", clock=lambda now=now: now)
        (row,) = ledger.enter([MARKETING], customers=7, sender="Store <store@example.com>")
        if day != before:
            assert ledger.claim(row)

    def found(day, label=0):
        with hook.read() as session:
            rows = session.query("target_list/earlier_lists", {"as_of": day, "label": label})
        return [(row["run_id"], row["mailed"]) for row in rows]

    assert found(NEXT) == [
        ("mailed-2024-01-02", 1),
        ("mailed-2024-01-01", 1),
        ("run-2024-01-01", 0),
        ("run-2023-12-31", 0),
    ]
    assert found(AS_OF) == [("mailed-2024-01-01", 1), ("run-2023-12-31", 0)]
    assert found(AS_OF, label=1) == [("run-2023-12-31", 0)]


def test_who_is_on_record_has_a_rest_once_the_list_has_gone_out(store, hook, tmp_path):
    outcomes = tmp_path / "target_list.parquet"
    everybody = range(1, 150_001)
    became = ["holdout" if i % 10 == 0 else "listed" for i in everybody]
    became[:2] = ["cool_off", "suppressed"]
    rows = {"customer": everybody, "outcome": became, "since": [AS_OF] * len(everybody)}
    pq.write_table(pa.table(rows, schema=OUTCOMES_SCHEMA), outcomes)
    key = {"as_of": AS_OF, "label": 0, "sha256": KEY.sha256}
    # As an attempt leaves it that was killed while it loaded.
    store.insert("target_list_members", [(AS_OF, 0, KEY.sha256, 3, 1)])
    for _ in range(2):
        assert record_members(hook, outcomes, **key) == 149_998
    counted = "SELECT listed, COUNT(*) FROM dbo.target_list_members GROUP BY listed ORDER BY listed"
    assert [tuple(row) for row in store.run(counted)] == [(0, 15_000), (1, 134_998)]

    def resting(day, rest):
        with hook.read() as session:
            return sum(batch.num_rows for batch in mailed_lately(session, day, rest))

    ledger = Ledger(hook, KEY, run_id="run", clock=lambda: NOW)
    (row,) = ledger.enter([MARKETING], customers=1, sender="store@example.com")
    assert resting(NEXT, 30) == 0
    assert ledger.claim(row)
    later = AS_OF + timedelta(days=3)
    assert [resting(AS_OF, 30), resting(NEXT, 30), resting(later, 4)] == [0, 149_998, 149_998]
    assert resting(later, 3) == 0

    assert erase_member(hook, 3) == 1
    assert prune_members(hook, days=0, today=NEXT)["deleted"] == 149_997
    assert store.count("target_list_members") == 0


def test_old_labels_go(store, hook, tmp_path):
    labels = write_labels_file(tmp_path / "labels.parquet", 3)
    for day in (AS_OF - timedelta(days=1), AS_OF, NEXT):
        publish(hook, labels, day)
    assert prune_labels(hook, days=1, today=NEXT)["deleted"] == 3
    assert prune_labels(hook, days=1, today=NEXT + timedelta(days=99))["deleted"] == 3
    assert store.count("customer_clusters") == 3
    assert store.count("clustering_runs") == 3
