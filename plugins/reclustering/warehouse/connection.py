"""From an Airflow connection to the hook of its kind."""

from __future__ import annotations

from importlib import import_module

from reclustering.connections import read_connection
from reclustering.core.protocols import Warehouse

# Named, not imported: a run on DuckDB does not need SQL Server's drivers, nor the other way round.
_HOOKS = {
    "duckdb": ("reclustering.warehouse.duckdb", "DuckDBWarehouse"),
    "mssql": ("reclustering.warehouse.mssql", "MsSqlWarehouse"),
}


def connect(conn_id: str = "warehouse") -> Warehouse:
    """Give the hook for an Airflow connection.

    Raises
    ------
    TerminalError
        When the connection does not exist or cannot be read, or is neither of type `mssql` nor `duckdb`.
    """
    connection = read_connection(
        conn_id,
        types=sorted(_HOOKS),
        example="mssql://… for SQL Server, duckdb:///… for a file",
    )
    module, name = _HOOKS[str(connection.conn_type)]
    hook: Warehouse = getattr(import_module(module), name)(connection)
    return hook
