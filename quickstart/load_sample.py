"""Load the sample store into the SQL Server database that the connection `warehouse` names.

`make sample-mssql` runs this. The tables must not be there yet: nothing is overwritten.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pyarrow as pa

from quickstart import sample_store
from reclustering.core.errors import TerminalError, TransientError
from reclustering.core.protocols import Warehouse
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
    """Create the sample store's tables and bulk-load them, with progress on the screen.

    Raises
    ------
    TerminalError
        When a table of these names exists, or the login may not create one.
    TransientError
        When the connection is lost on the way. What was loaded by then stays.
    """
    tables = sample_store.tables()
    with warehouse.transaction(lock="sample") as session:
        present = {row["table_name"].lower() for row in session.query("warehouse/objects")}
        if taken := sorted(present & tables.keys()):
            raise TerminalError(
                f"The database has {', '.join(f'dbo.{name}' for name in taken)} already. They are left "
                "as they are; drop them, or choose an empty database."
            )
        for name in tables:
            folder = "schema" if name == "email_suppressions" else "sample"
            session.execute(f"{folder}/{name}")
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
