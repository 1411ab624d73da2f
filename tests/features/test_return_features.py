"""The feature query: expectations worked out by hand, by pandas, and by the other warehouse."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from reclustering.core.contracts import FEATURES_SCHEMA, PURCHASES_SCHEMA
from reclustering.core.protocols import Warehouse
from tests.stores import DuckDBStore, Store, requires_mssql

BIG = 2**53 + 1
"""A key that no float can hold."""

# The keys do not follow the days, and key 99 has no day.
CALENDAR = [
    (13, date(2024, 1, 2)),
    (10, date(2023, 12, 30)),
    (12, date(2024, 1, 1)),
    (11, date(2023, 12, 31)),
    (99, None),
]
NOWHERE = 777
"""A date key that is not in date_dim."""

SALES = [
    # customer, day, ticket, item, paid
    (1, 10, 100, 1, 10.00),
    (1, 10, 100, 2, 20.00),
    (1, 11, 101, 3, 30.00),
    (1, 12, 102, 4, 1000.00),
    (2, None, 200, 1, 5.00),
    (3, NOWHERE, 300, 1, 0.00),
    (4, 13, 400, 1, 9.00),
    (None, 10, 500, 1, 7.00),
    (6, 99, 600, 1, 50.00),
    (7, 10, 700, 1, None),
    (BIG, 10, 900, 1, 3.00),
]
RETURNS = [
    (1, 11, 100, 1, 10.00),
    (1, 12, 101, 3, 30.00),
    (3, NOWHERE, 300, 1, 0.00),
    (4, 10, 400, 1, 4.50),
    (5, 10, 550, 1, 2.00),
    (None, 10, 500, 1, 7.00),
    (6, None, 600, 1, 125.25),
    (6, None, 600, 2, 0.75),
    (7, 10, 700, 1, None),
    (BIG, 10, 900, 1, 1.00),
]

# On New Year: customer 1 bought tickets 100 and 101, three items, 60.00, and brought back one ticket,
# one item, 10.00. Customer 4 has not bought yet, customer 5 never has.
ON_NEW_YEAR = [
    (1, 0.5, 0.3333333, 0.1666667, 1),
    (2, 0.0, 0.0, 0.0, 0),
    (3, 1.0, 1.0, 0.0, 1),
    (6, 1.0, 2.0, 2.52, 1),
    (7, 1.0, 1.0, 0.0, 1),
    (BIG, 1.0, 1.0, 0.3333333, 1),
]
# A day later: three tickets, four items, 1060.00 bought; two, two and 40.00 brought back.
A_DAY_LATER = [(1, 0.6666667, 0.5, 0.0377358, 2), *ON_NEW_YEAR[1:]]
# Customer 4 bought on that day, so appears the day after.
TWO_DAYS_LATER = [*A_DAY_LATER[:3], (4, 1.0, 1.0, 0.5, 1), *A_DAY_LATER[3:]]
# Before the first day there are only rows that have no day.
BEFORE_ALL = [row for row in ON_NEW_YEAR if row[0] in {2, 3, 6}]


def features(warehouse: Warehouse, as_of: date) -> pa.Table:
    with warehouse.read() as session:
        batches = list(session.stream("features/return_features", {"as_of": as_of}))
    table = pa.Table.from_batches(batches)
    assert set(table["customers"].to_pylist()) == {table.num_rows}
    return table.select(FEATURES_SCHEMA.names)


def purchases(warehouse: Warehouse, as_of: date) -> list[tuple[object, ...]]:
    with warehouse.read() as session:
        table = pa.Table.from_batches(session.stream("features/return_features", {"as_of": as_of}))
    return [tuple(row.values()) for row in table.select(PURCHASES_SCHEMA.names).to_pylist()]


def rows(warehouse: Warehouse, as_of: date) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in features(warehouse, as_of).to_pylist()]


@pytest.fixture
def shop(store: Store) -> Store:
    store.create_source()
    fill(store, CALENDAR, SALES, RETURNS)
    return store


def fill(store: Store, calendar: list, sales: list, returns: list) -> None:
    for table, content in (
        ("date_dim", calendar),
        ("store_sales", sales),
        ("store_returns", returns),
    ):
        for at in range(0, len(content), 500):
            store.insert(table, content[at : at + 500])


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (date(2023, 12, 30), BEFORE_ALL),
        (date(2024, 1, 1), ON_NEW_YEAR),
        (date(2024, 1, 2), A_DAY_LATER),
        (date(2024, 1, 3), TWO_DAYS_LATER),
        (date(2999, 1, 1), TWO_DAYS_LATER),
    ],
)
def test_worked_out_by_hand(shop: Store, as_of: date, expected: list) -> None:
    assert rows(shop.hook(), as_of) == expected


def test_purchases_are_those_of_the_same_sales(shop: Store) -> None:
    """A customer with undated orders alone has no last purchase; as_of itself is not before it."""
    last_year = [date(2023, 12, 30), date(2023, 12, 31)]
    new_year = date(2024, 1, 1)
    assert purchases(shop.hook(), new_year) == [
        (1, 2, last_year[1]),
        (2, 1, None),
        (3, 1, None),
        (6, 1, None),
        (7, 1, last_year[0]),
        (BIG, 1, last_year[0]),
    ]
    assert purchases(shop.hook(), date(2024, 1, 3))[0] == (1, 3, new_year)


def test_a_day_that_is_there_twice_counts_once(shop: Store) -> None:
    store_rows = rows(shop.hook(), date(2024, 1, 1))
    shop.insert("date_dim", [(10, date(2023, 12, 30))])
    assert rows(shop.hook(), date(2024, 1, 1)) == store_rows


def test_the_types_are_those_of_the_contract(shop: Store) -> None:
    schema = features(shop.hook(), date(2024, 1, 1)).schema
    assert schema.types == [pa.int64(), pa.float64(), pa.float64(), pa.float64(), pa.int64()]


@pytest.mark.parametrize(
    ("money", "key"), [("double precision", "bigint"), ("decimal(15, 2)", "int")]
)
def test_other_column_types_give_the_same(store: Store, money: str, key: str) -> None:
    store.create_source(money, key)
    small = [[row for row in part if row[0] != BIG] for part in (SALES, RETURNS)]
    fill(store, CALENDAR, *small)
    assert rows(store.hook(), date(2024, 1, 1)) == ON_NEW_YEAR[:-1]


def made_up_store() -> tuple[list, list, list]:
    rng = np.random.default_rng(7)
    calendar = [(int(k), date(2023, 1, 1) + timedelta(days=int(k) - 500)) for k in range(500, 865)]

    def lines(n: int, tickets: int) -> list:
        parts = zip(
            rng.integers(0, 300, n),
            rng.integers(490, 870, n),
            rng.integers(0, tickets, n),
            rng.integers(0, 40, n),
            rng.integers(0, 9_999_999, n),
            strict=True,
        )
        return [
            (int(c) or None, None if d == 490 else int(d), int(t), int(i), round(int(m) / 100, 2))
            for c, d, t, i, m in parts
        ]

    return calendar, lines(3000, 1500), lines(900, 400)


def by_pandas(calendar: list, sales: list, returns: list, as_of: date) -> list[tuple]:
    """The exact ratios, by another route: Python's fractions over pandas' groups."""
    known = {key for key, day in calendar if day >= as_of}

    def totals(part: list) -> dict[int, tuple[int, int, Fraction]]:
        frame = pd.DataFrame(part, columns=["customer", "day", "ticket", "item", "money"])
        frame = frame[frame.customer.notna() & ~frame.day.isin(known)]
        return {
            int(customer): (
                group.ticket.nunique(),
                len(group),
                sum((Fraction(str(money)) for money in group.money), Fraction(0)),
            )
            for customer, group in frame.groupby("customer")
        }

    bought, returned = totals(sales), totals(returns)
    none = (0, 0, Fraction(0))
    return [
        (
            customer,
            *(Fraction(r) / b if b else Fraction(0) for r, b in zip(back, total, strict=True)),
            back[0],
        )
        for customer, total in sorted(bought.items())
        for back in [returned.get(customer, none)]
    ]


def test_worked_out_by_pandas(store: Store) -> None:
    calendar, sales, returns = made_up_store()
    as_of = date(2023, 7, 1)
    store.create_source()
    fill(store, calendar, sales, returns)
    found, expected = rows(store.hook(), as_of), by_pandas(calendar, sales, returns, as_of)
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert [row[4] for row in found] == [row[4] for row in expected]
    # Rounded to seven decimals: off by half a unit of the seventh, and a float's precision.
    half_a_unit = Fraction(1, 2 * 10**7)
    for row, exact in zip(found, expected, strict=True):
        for value, ratio in zip(row[1:4], exact[1:4], strict=True):
            assert abs(Fraction(value) - ratio) <= half_a_unit + ratio * Fraction(1, 10**15)


@pytest.mark.parametrize("store", [requires_mssql], indirect=True)
def test_both_warehouses_give_the_same_bits(store: Store, tmp_path: Path) -> None:
    calendar, sales, returns = made_up_store()
    store.create_source()
    fill(store, calendar, sales, returns)
    on_mssql = features(store.hook(), date(2023, 7, 1))
    other = DuckDBStore(tmp_path)
    other.clear()
    other.create_source()
    fill(other, calendar, sales, returns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", other.uri)
        on_duckdb = features(other.hook(), date(2023, 7, 1))
    assert on_mssql.num_rows > 250
    assert on_mssql.equals(on_duckdb)
