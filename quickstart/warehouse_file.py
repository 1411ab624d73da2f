"""Create the embedded warehouse: the sample store in a DuckDB file."""

from __future__ import annotations

from pathlib import Path

import duckdb
from airflow.sdk import Connection

from quickstart import sample_store
from quickstart.sample_days import add_days, yesterday
from reclustering.core.statements import for_duckdb
from reclustering.warehouse.duckdb import DuckDBWarehouse


def create_warehouse(path: Path) -> None:
    """Write the sample store, with marketing's suppressions, to a new DuckDB file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".partial")
    scratch.unlink(missing_ok=True)
    with duckdb.connect(str(scratch)) as connection:
        connection.execute("CREATE SCHEMA dbo")
        for name, rows in sample_store.tables().items():
            connection.execute(for_duckdb(sample_store.statement(name)))
            connection.from_arrow(rows).insert_into(f"dbo.{name}")
    scratch.replace(path)


def create_warehouse_until_yesterday(path: Path) -> None:
    """Write the sample store with the days since its own to a new DuckDB file."""
    create_warehouse(path)
    connection = Connection(conn_id="warehouse", conn_type="duckdb", host="", schema=str(path))
    add_days(DuckDBWarehouse(connection), yesterday())
