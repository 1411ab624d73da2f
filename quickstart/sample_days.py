"""The days since the sample store was made up, for a store that sells nothing new is a load that failed.

Each day's sales and returns come from a seed, and change no feature, so the clusters stay the tutorial's:
who buys has never returned anything, and who returns has bought elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from airflow.sdk import timezone

from quickstart.sample_store import (
    LAST_SALE,
    SEED,
    day_key,
    returns_table,
    sales_table,
    unit_prices,
)
from reclustering.core.protocols import Warehouse

ORDERS, MORE_ITEMS, RETURNS = 86, 1.17, 7.7
"""Orders a day, items in each beyond the first, and orders returned a day, on average: as before."""

LATE_RETURNS = 31
"""Days after the last sale for which what was sold before still comes back, ever less."""

FIRST_TICKET = 10_000_000
"""Tickets from here on are those of added days."""

Rows = Callable[[np.random.Generator, date, np.ndarray], pd.DataFrame]
"""Makes up the rows of a day, given the customers to choose from."""


def yesterday() -> date:
    """Give the last whole day in Airflow's default time zone."""
    zone = timezone.datetime(2026, 1, 1).tzinfo
    return datetime.now(zone).date() - timedelta(days=1)


def add_days(warehouse: Warehouse, until: date) -> bool:
    """Add the days up to `until` that the sample store lacks; tell whether there were any."""
    with warehouse.read() as session:
        newest = session.query("sample/newest_days", {"first_ticket": FIRST_TICKET})[0]
        if newest["sold"] == newest["returned"] == day_key(until):
            return False
        shoppers = pd.DataFrame(session.query("sample/shoppers"))
    buys = shoppers["bought"] == 1
    sellers, returners = (shoppers["customer"][who].to_numpy() for who in (buys, ~buys))
    _add(warehouse, "store_sales", sales_table, _sold, sellers, newest["sold"], until)
    _add(warehouse, "store_returns", returns_table, _returned, returners, newest["returned"], until)
    return True


def _add(
    warehouse: Warehouse,
    table: str,
    shape: Callable[[np.random.Generator, pd.DataFrame], pa.Table],
    rows: Rows,
    customers: np.ndarray,
    newest: int | None,
    until: date,
) -> None:
    first = (newest or day_key(LAST_SALE)) + 1
    days = [until - timedelta(days=n) for n in reversed(range(day_key(until) - first + 1))]
    # A day's rows are the same whichever night adds them.
    parts = [
        shape(rng, rows(rng, day, customers))
        for day in days
        for rng in [np.random.default_rng([SEED, day_key(day)])]
    ]
    if parts:
        warehouse.load(table, pa.concat_tables(parts).to_reader())


def _sold(rng: np.random.Generator, day: date, customers: np.ndarray) -> pd.DataFrame:
    orders = 1 + rng.poisson(ORDERS)
    return _rows(rng, day, rng.choice(customers, orders), 1 + rng.poisson(MORE_ITEMS, orders))


def _returned(rng: np.random.Generator, day: date, customers: np.ndarray) -> pd.DataFrame:
    orders = 1 + rng.poisson(RETURNS * min((day - LAST_SALE).days / LATE_RETURNS, 1))
    return _rows(rng, day, rng.choice(customers, orders), 1 + rng.poisson(0.5, orders))


def _rows(
    rng: np.random.Generator, day: date, customers: np.ndarray, items: np.ndarray
) -> pd.DataFrame:
    ticket = FIRST_TICKET + 1000 * day_key(day) + np.arange(len(items))
    quantity = rng.integers(1, 11, items.sum())
    return pd.DataFrame(
        {
            "customer": np.repeat(customers, items),
            "ticket": np.repeat(ticket, items),
            "day": day_key(day),
            "item": rng.integers(1, 17_820, len(quantity)),
            "quantity": quantity,
            "cents": quantity * unit_prices(rng, len(quantity)),
        }
    )
