"""The pipeline's own tables and view: created once, whoever asks, and nothing else touched."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from reclustering.core.errors import BadInputError, TerminalError
from reclustering.warehouse.schema import create_own_objects, require_source
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


def test_an_older_table_gets_its_new_columns_and_keeps_its_rows(
    store: Store, tmp_path: Path
) -> None:
    create_own_objects(store.hook())
    publish(store.hook(), write_labels_file(tmp_path / "labels.parquet", 3), date(2024, 1, 1))
    for column in ("k_groups", "k_clear", "outliers", "baseline"):
        store.run(f"ALTER TABLE dbo.clustering_runs DROP COLUMN {column}")
    create_own_objects(store.hook())
    [row] = store.run("SELECT k, k_groups, k_clear, outliers, baseline FROM dbo.clustering_runs")
    assert tuple(row) == (4, None, None, None, None)
    publish(store.hook(), tmp_path / "labels.parquet", date(2024, 1, 2))
    assert store.count("clustering_runs") == 2


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
        "reclustering.warehouse.schema.OWN_OBJECTS",
        {"clustering_runs": "BASE TABLE", "nowhere": "BASE TABLE"},
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
    assert "lacks column dbo.store_sales.ss_net_paid, table dbo.customer, or" in str(error.value)
