"""The pipeline's own tables and view: created once, whoever asks, and nothing else touched."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from reclustering.__main__ import main
from reclustering.core.errors import BadInputError, TerminalError
from reclustering.core.statements import SQL_FOLDER
from reclustering.warehouse.schema import (
    MIGRATIONS,
    Migration,
    create_own_objects,
    require_source,
)
from tests.labels.worker import Worker, create
from tests.stores import OWN, Store, publish, write_labels_file


def objects(store: Store) -> dict[str, str]:
    rows = store.run("SELECT table_name, table_type FROM information_schema.tables")
    return {name.lower(): kind for name, kind in rows}


def test_creates_every_object(store: Store) -> None:
    create_own_objects(store.hook())
    assert set(OWN) <= set(objects(store))
    assert objects(store)["py_customer_clusters"] == "VIEW"


def test_creating_again_keeps_what_is_there(store: Store) -> None:
    create_own_objects(store.hook())
    store.insert("email_suppressions", [("a@example.com", None, "asked", date(2024, 1, 1))])
    create_own_objects(store.hook())
    assert store.count("email_suppressions") == 1


def test_creates_what_is_missing(store: Store) -> None:
    create_own_objects(store.hook())
    store.run("DROP TABLE dbo.customer_clusters_staging")
    create_own_objects(store.hook())
    assert "customer_clusters_staging" in objects(store)


def test_what_was_made_anew_is_kept_as_it_should_be(store: Store) -> None:
    create_own_objects(store.hook())
    store.run("DROP TABLE dbo.customer_clusters_staging")
    assert create_own_objects(store.hook()) == [
        "0002_customer_clusters_staging",
        "0013_customer_clusters_staging_row_locks",
    ]
    assert create_own_objects(store.hook()) == []


def versions(store: Store) -> list[int]:
    return [
        v for (v,) in store.run("SELECT version FROM dbo.reclustering_migrations ORDER BY version")
    ]


def columns(store: Store) -> set[tuple[str, str]]:
    rows = store.run("SELECT table_name, column_name FROM information_schema.columns")
    return {(table.lower(), column) for table, column in rows}


def test_every_statement_of_the_folder_is_a_migration_in_its_order() -> None:
    files = sorted(path.stem for path in (SQL_FOLDER / "schema").glob("[0-9]*.sql"))
    assert [one.name for one in MIGRATIONS] == files
    assert [one.version for one in MIGRATIONS] == [*range(1, len(files) + 1)]


@pytest.mark.parametrize("released", range(6, len(MIGRATIONS)))
def test_the_tables_of_every_version_come_up_to_date_and_keep_their_rows(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, released: int
) -> None:
    """The first version had six statements."""
    with monkeypatch.context() as older:
        older.setattr("reclustering.warehouse.schema.MIGRATIONS", MIGRATIONS[:released])
        create_own_objects(store.hook())
    assert versions(store) == [*range(1, released + 1)]
    row = (date(2024, 1, 1), "run", 4, "clear", "", "none", 111, 1.0, 3, "[]", "{}", "a" * 64)
    named = "as_of, run_id, k, k_method, k_reason, scaling, seed, inertia, customers, centroids, "
    values = ", ".join(repr(str(v)) if isinstance(v, (str, date)) else str(v) for v in row)
    store.run(
        f"INSERT INTO dbo.clustering_runs ({named}continuity, features_sha256, published_at)"
        f" VALUES ({values}, '2024-01-01')"
    )
    assert create_own_objects(store.hook()) == [one.name for one in MIGRATIONS[released:]]
    assert create_own_objects(store.hook()) == []
    assert versions(store) == [one.version for one in MIGRATIONS]
    [kept] = store.run("SELECT k, k_groups, k_clear, outliers, baseline FROM dbo.clustering_runs")
    assert tuple(kept) == (4, None, None, None, None)
    publish(store.hook(), write_labels_file(tmp_path / "labels.parquet", 3), date(2024, 1, 2))
    assert store.count("clustering_runs") == 2


def test_tables_that_are_older_than_the_migrations_are_taken_as_they_are(store: Store) -> None:
    create_own_objects(store.hook())
    before = columns(store)
    store.insert("email_suppressions", [("a@example.com", None, "asked", date(2024, 1, 1))])
    store.run("DROP TABLE dbo.reclustering_migrations")
    assert create_own_objects(store.hook()) == [one.name for one in MIGRATIONS if one.sets]
    assert versions(store) == [one.version for one in MIGRATIONS]
    assert columns(store) == before
    assert store.count("email_suppressions") == 1


def test_tables_of_a_later_version_are_refused(store: Store) -> None:
    create_own_objects(store.hook())
    store.run(
        "INSERT INTO dbo.reclustering_migrations (version, name, applied_at)"
        " VALUES (999, 'later', '2030-01-01')"
    )
    with pytest.raises(TerminalError, match="has version 999; this pipeline knows those up to 14"):
        create_own_objects(store.hook())


def test_the_command_says_what_it_ran(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.hook()
    assert main(["migrate"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"Ran {one.name}." for one in MIGRATIONS]
    assert main(["migrate"]) == 0
    assert capsys.readouterr().out == "The tables are up to date.\n"


def test_several_may_create_at_once(store: Store) -> None:
    workers = [Worker(create) for _ in range(3)]
    assert [one.finish() for one in workers] == [0, 0, 0]
    assert set(OWN) <= set(objects(store))


def test_what_another_run_created_meanwhile_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = store.hook()
    transaction = warehouse.transaction

    def after_the_other(**named: str) -> object:
        create_own_objects(store.hook())
        return transaction(**named)

    monkeypatch.setattr(warehouse, "transaction", after_the_other)
    create_own_objects(warehouse)
    assert set(OWN) <= set(objects(store))


def test_a_failed_creation_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "reclustering.warehouse.schema.MIGRATIONS",
        (
            Migration("0003_clustering_runs", "clustering_runs"),
            Migration("0004_nowhere", "nowhere"),
        ),
    )
    with pytest.raises(FileNotFoundError, match="nowhere"):
        create_own_objects(store.hook())
    assert "clustering_runs" not in objects(store)


def test_the_tutorials_table_is_left_as_it_is(store: Store) -> None:
    store.run("CREATE TABLE dbo.py_customer_clusters (Customer bigint NOT NULL)")
    store.insert("py_customer_clusters", [(1,), (2,)])
    with pytest.raises(
        TerminalError, match=r"py_customer_clusters exists as BASE TABLE.*sp_rename"
    ):
        create_own_objects(store.hook())
    assert store.count("py_customer_clusters") == 2
    assert "customer_clusters" not in objects(store)


def test_the_source_is_complete(store: Store) -> None:
    store.create_source()
    require_source(store.hook())


def test_every_missing_table_and_column_is_named(store: Store) -> None:
    store.create_source()
    store.run("DROP TABLE dbo.customer", "ALTER TABLE dbo.store_sales DROP COLUMN ss_net_paid")
    with pytest.raises(BadInputError) as error:
        require_source(store.hook())
    assert "lacks table dbo.customer, column dbo.store_sales.ss_net_paid, or" in str(error.value)


@pytest.mark.parametrize(
    ("money", "key", "says"),
    [
        (
            "int",
            "bigint",
            (
                "dbo.store_returns.sr_return_amt is int; expected decimal, money or float, and "
                "dbo.store_sales.ss_net_paid is int; expected decimal, money or float."
            ),
        ),
        (
            "decimal(7, 2)",
            "varchar(10)",
            "dbo.store_sales.ss_customer_sk is varchar; expected a whole number, such as bigint",
        ),
        ("decimal(7, 2)", "decimal(9, 2)", "dbo.date_dim.d_date_sk is decimal"),
        ("float", "decimal(9, 0)", None),
        ("decimal(38, 4)", "smallint", None),
    ],
)
def test_a_column_of_a_type_that_will_not_do_is_named_with_what_will(
    store: Store, money: str, key: str, says: str | None
) -> None:
    store.create_source(money, key)
    if says is None:
        require_source(store.hook())
        return
    with pytest.raises(BadInputError) as error:
        require_source(store.hook())
    # DuckDB calls them integer and decimal(9,2).
    said = re.sub(r"\(\d+,\d+\)", "", str(error.value)).replace("integer", "int")
    assert says in said


def test_a_date_that_is_text_is_named(store: Store) -> None:
    store.create_source()
    store.run(
        "DROP TABLE dbo.date_dim",
        "CREATE TABLE dbo.date_dim (d_date_sk bigint, d_date varchar(10))",
    )
    with pytest.raises(BadInputError, match=r"dbo\.date_dim\.d_date is varchar; expected date"):
        require_source(store.hook())


def test_a_key_that_is_there_twice_is_named(store: Store) -> None:
    store.create_source()
    store.insert("date_dim", [(7, "2024-01-01"), (8, "2024-01-02"), (8, "2024-01-03")])
    store.insert("customer", [(n, None, None, None, None) for n in (1, 4, 4, 5, 5, 5)])
    with pytest.raises(BadInputError) as error:
        require_source(store.hook())
    assert str(error.value).startswith(
        "The store cannot be read: dbo.date_dim.d_date_sk has 8 twice; dbo.customer.c_customer_sk has 4 "
        "twice (2 keys are repeated); expected every key once."
    )


def test_dates_without_a_key_are_no_repeated_key(store: Store) -> None:
    store.create_source()
    store.run(
        "DROP TABLE dbo.date_dim",
        "CREATE TABLE dbo.date_dim (d_date_sk bigint NULL, d_date date NULL)",
    )
    store.insert("date_dim", [(None, "2024-01-01"), (None, "2024-01-02")])
    require_source(store.hook())


@pytest.mark.parametrize("store", ["duckdb"], indirect=True)
def test_names_are_the_same_in_any_case_where_they_are_for_the_database(store: Store) -> None:
    store.create_source()
    store.run("ALTER TABLE dbo.store_sales RENAME TO SALES_OF_STORE")
    store.run("ALTER TABLE dbo.SALES_OF_STORE RENAME TO Store_Sales")
    store.run("ALTER TABLE dbo.Store_Sales RENAME COLUMN ss_net_paid TO SS_NET_PAID")
    require_source(store.hook())
