"""All tasks on a small store: features, labels, suppressions, the list and the send ledger."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from upath import UPath

from reclustering import steps
from reclustering.core.artifacts import read_json
from reclustering.core.errors import BadInputError
from reclustering.core.guards import Bounds
from reclustering.core.run import Run
from reclustering.delivery.settings import MailSettings
from reclustering.engine.duckdb import DuckDBEngine
from reclustering.target_list.settings import ListSettings
from reclustering.warehouse.schema import create_own_objects, require_source
from tests.stores import NOW, Store, extract

ENGINE = DuckDBEngine()

DAY = date(2024, 1, 1)
KEEP, RETURN = range(1, 9), range(9, 12)
"""Customers who returned nothing, and who returned one of their two orders."""


class Mailer:
    """A mail server that accepts everything."""

    sender = "store@example.com"

    def __init__(self) -> None:
        self.accepted: list[str] = []

    @contextmanager
    def connect(self) -> Iterator[Mailer]:
        yield self

    def send(self, recipient: str, message: bytes) -> str:
        self.accepted.append(recipient)
        return "250 OK"


@pytest.fixture
def shop(store: Store) -> Store:
    store.create_source()
    create_own_objects(store.hook())
    store.insert("date_dim", [(1, date(2023, 6, 1)), (2, DAY)])
    store.insert(
        "store_sales",
        [
            (customer, 1, 100 * customer + ticket, 1, 10.0)
            for customer in (*KEEP, *RETURN)
            for ticket in (1, 2)
        ],
    )
    store.insert("store_returns", [(one, 1, 100 * one + 1, 1, 10.0) for one in RETURN])
    store.insert(
        "customer",
        [
            (one, "Ms.", "Zoë", f"N° {one}", None if one == 4 else f"p{one}@example.com")
            for one in (*KEEP, *RETURN)
        ],
    )
    since = date(2023, 1, 1)
    store.insert(
        "email_suppressions", [(None, 2, "by key", since), ("P3@Example.com", None, "mail", since)]
    )
    return store


def walk(store: Store, run: Run, mailer: Mailer) -> dict[str, int]:
    warehouse = store.hook()
    require_source(warehouse)
    settings_of_fit = {"scaling": "none", "outliers": "keep"}
    extract(warehouse, run)
    steps.choose_k(warehouse, ENGINE, run, k=2, k_max=19, patience=7, **settings_of_fit)
    steps.fit_clusters(warehouse, ENGINE, run, **settings_of_fit)
    judged = {"label": 0, "bounds": Bounds()}
    steps.check_fit(warehouse, run, manual=True, **judged)
    steps.write_labels(warehouse, ENGINE, run, now=NOW)
    to = "marketing@example.com"
    settings = MailSettings(recipients=to, store="Shop")
    steps.build_target_list(warehouse, run, who=ListSettings(), settings=settings, **judged)
    steps.email_target_list(
        warehouse,
        run,
        mailer,
        settings,
        label=0,
        who=ListSettings(),
        held=None,
        clock=lambda: NOW,
        today=DAY,
    )
    return read_json(run.path("delivery.json"))["outcomes"]


def test_the_whole_run_twice(shop: Store, tmp_path: Path) -> None:
    run, mailer = Run(DAY, "run", UPath(tmp_path)), Mailer()
    first = walk(shop, run, mailer)

    assert shop.published(DAY) == [
        *((one, 0.0, 0.0, 0.0, 0, 0) for one in KEEP),
        *((one, 0.5, 0.5, 0.5, 1, 1) for one in RETURN),
    ]
    text = run.path("target_list.csv").read_text(encoding="utf-8-sig")
    assert [int(row["customer"]) for row in csv.DictReader(text.splitlines())] == [1, 5, 6, 7, 8]
    assert read_json(run.path("target_list.json"))["excluded"] == {
        "no_address": 1,
        "malformed": 0,
        "suppressed": 2,
        "formula_address": 0,
        "duplicate_address": 0,
        "cool_off": 0,
        "holdout": 0,
    }
    ledger = "SELECT recipient, state, attempts, customers FROM dbo.target_list_deliveries"
    assert shop.run(ledger) == [("marketing@example.com", "sent", 1, 5)]
    assert first["sent"] == 1

    again = walk(shop, run, mailer)
    assert again == first | {"sent": 0, "already_sent": 1}
    assert mailer.accepted == ["marketing@example.com"]
    assert shop.run(ledger) == [("marketing@example.com", "sent", 1, 5)]
    assert shop.count("customer_clusters") == 11


def test_only_a_fit_that_was_checked_is_published(shop: Store, tmp_path: Path) -> None:
    run, warehouse = Run(DAY, "run", UPath(tmp_path)), shop.hook()
    extract(warehouse, run)
    settings = {"scaling": "none", "outliers": "keep"}
    for k in (2, 1):
        steps.choose_k(warehouse, ENGINE, run, k=k, k_max=19, patience=7, **settings)
        steps.fit_clusters(warehouse, ENGINE, run, **settings)
        if k == 2:
            steps.check_fit(warehouse, run, label=0, bounds=Bounds(), manual=False)
    with pytest.raises(BadInputError, match=r"is not the fit that was checked. Clear check_fit"):
        steps.write_labels(warehouse, ENGINE, run, now=NOW)
    assert shop.count("customer_clusters") == 0
