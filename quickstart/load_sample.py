"""Load the sample store into the SQL Server database that the connection `warehouse` names.

`make sample-mssql` runs this. Where the sample store is there already, it adds the days since; tables
of another store are left as they are.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pyarrow as pa

from quickstart import sample_store
from quickstart.sample_days import FIRST_TICKET, add_days, yesterday
from reclustering.core.errors import TerminalError, TransientError
from reclustering.core.protocols import Session, Warehouse
from reclustering.warehouse import connect
from reclustering.warehouse.mssql import MsSqlWarehouse

BATCH_ROWS = 20_000
"""Rows between two signs of progress."""


def main() -> int:
    """Load the sample store into the connection `warehouse`; give the exit code."""
    try:
        load_sample(_sql_server())
    except (TerminalError, TransientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def load_sample(warehouse: Warehouse) -> None:
    """Create the sample store's tables and bulk-load them up to yesterday, with progress on the screen.

    Raises
    ------
    TerminalError
        When a table of these names exists that is not the sample store's, or the login may not
        create one.
    TransientError
        When the connection is lost on the way. What was loaded by then stays.
    """
    tables = sample_store.tables()
    if not is_sample_store(warehouse, tables):
        _load_tables(warehouse, tables)
    until = yesterday()
    add_days(warehouse, until)
    print(f"The sample store has sales and returns up to {until}.")


def is_sample_store(warehouse: Warehouse, tables: dict[str, pa.Table]) -> bool:
    """Tell whether the store is the sample store, loaded to its end."""
    with warehouse.read() as session:
        if not tables.keys() <= _tables(session):
            return False
        found = session.query("sample/identity", {"first_ticket": FIRST_TICKET})[0]
    return found == {
        "first_id": sample_store.customer_id(1),
        "last_id": sample_store.customer_id(sample_store.CUSTOMERS),
        "returns": tables["store_returns"].num_rows,
    }


def _tables(session: Session) -> set[str]:
    return {row["table_name"].lower() for row in session.query("sample/objects")}


def _load_tables(warehouse: Warehouse, tables: dict[str, pa.Table]) -> None:
    with warehouse.transaction(lock="sample") as session:
        if taken := sorted(_tables(session) & tables.keys()):
            raise TerminalError(
                f"The database has {', '.join(f'dbo.{name}' for name in taken)} already. They are left "
                "as they are; drop them, or choose an empty database."
            )
        for name in tables:
            session.execute(sample_store.statement(name))
    for name, rows in tables.items():
        _load(warehouse, name, rows)


def _sql_server() -> MsSqlWarehouse:
    warehouse = connect()
    if not isinstance(warehouse, MsSqlWarehouse):
        raise TerminalError(
            "The connection 'warehouse' is not of type mssql. "
            "Set AIRFLOW_CONN_WAREHOUSE=mssql://login:password@host:1433/database."
        )
    return warehouse


def _load(warehouse: Warehouse, name: str, rows: pa.Table) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        sent = 0
        for batch in rows.to_batches(BATCH_ROWS):
            yield batch
            sent += batch.num_rows
            print(f"\r{name:20}{sent:>10,} of {rows.num_rows:,}", end="", flush=True)

    start = time.monotonic()
    warehouse.load(name, pa.RecordBatchReader.from_batches(rows.schema, batches()))
    seconds = time.monotonic() - start
    print(f"\r{name:20}{rows.num_rows:>10,} rows in {seconds:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
