"""The sample store lives on: each day sells something, and no customer's features change."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from quickstart.load_sample import is_sample_store, load_sample
from quickstart.sample_days import add_days, yesterday
from quickstart.sample_store import LAST_RETURN, day_key, tables
from quickstart.warehouse_file import create_warehouse
from reclustering.core.statements import for_duckdb
from reclustering.warehouse import connect

UNTIL = date(2026, 2, 10)


@pytest.fixture(scope="module")
def young_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("young") / "store.duckdb"
    create_warehouse(path)
    return path


@pytest.fixture
def store(young_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "store.duckdb"
    path.write_bytes(young_store.read_bytes())
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"duckdb://{path}")
    return path


def rows(path: Path, statement: str, values: object = None) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(statement, values).fetchall()


def contents(path: Path) -> list[tuple]:
    return rows(
        path,
        "SELECT sum(hash(s)), count(*) FROM dbo.store_sales s"
        " UNION ALL SELECT sum(hash(r)), count(*) FROM dbo.store_returns r",
    )


def features(path: Path) -> list[tuple]:
    statement = for_duckdb("features/return_features").partition("ORDER BY")[0]
    names = "customer, orderRatio, itemsRatio, monetaryRatio, frequency"
    return rows(path, f"SELECT {names} FROM ({statement}) ORDER BY 1", {"as_of": UNTIL})


def test_every_day_has_sales_and_returns(store: Path) -> None:
    assert add_days(connect(), UNTIL)
    for table, column in (("store_sales", "ss_sold"), ("store_returns", "sr_returned")):
        days = rows(
            store,
            f"SELECT count(DISTINCT {column}_date_sk), max({column}_date_sk) FROM dbo.{table}"
            f" WHERE {column}_date_sk > {day_key(LAST_RETURN)}",
        )
        assert days == [((UNTIL - LAST_RETURN).days, day_key(UNTIL))]


def test_no_feature_changes(store: Path) -> None:
    before = features(store)
    add_days(connect(), UNTIL)
    assert features(store) == before
    assert len(before) == 37_336


def test_days_come_out_the_same_one_by_one_and_only_once(store: Path, young_store: Path) -> None:
    warehouse = connect()
    for days in (30, 1, 0):
        assert add_days(warehouse, UNTIL - timedelta(days=days))
        assert not add_days(warehouse, UNTIL - timedelta(days=days))
    one_by_one = contents(store)
    store.write_bytes(young_store.read_bytes())
    add_days(connect(), UNTIL)
    assert contents(store) == one_by_one


def test_days_of_one_table_that_were_not_added_are_added_later(store: Path) -> None:
    add_days(connect(), UNTIL)
    whole = contents(store)
    with duckdb.connect(str(store)) as connection:
        connection.execute(
            f"DELETE FROM dbo.store_returns WHERE sr_ticket_number >= 10000000"
            f" AND sr_returned_date_sk > {day_key(UNTIL) - 5}"
        )
    assert add_days(connect(), UNTIL)
    assert contents(store) == whole


def test_loading_the_sample_store_again_adds_the_days_since(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_sample_store(connect(), tables())
    load_sample(connect())
    assert f"up to {yesterday()}" in capsys.readouterr().out
    newest = rows(store, "SELECT max(ss_sold_date_sk) FROM dbo.store_sales")
    assert newest == [(day_key(yesterday()),)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE dbo.customer SET c_customer_id = 'AAAAAAAABAAAAAAA' WHERE c_customer_sk = 1",
        "DELETE FROM dbo.store_returns WHERE sr_customer_sk = 26070",
    ],
)
def test_another_store_is_left_alone(store: Path, change: str) -> None:
    with duckdb.connect(str(store)) as connection:
        connection.execute(change)
    assert not is_sample_store(connect(), tables())
