"""From an Airflow connection to the hook of its kind."""

from __future__ import annotations

from importlib import import_module

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from reclustering.core.errors import TerminalError
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
        When the connection does not exist, or is neither of type `mssql` nor `duckdb`.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise TerminalError(
            f"There is no Airflow connection '{conn_id}'. Create it under Admin > Connections, or set "
            f"AIRFLOW_CONN_{conn_id.upper()} (mssql://… for SQL Server, duckdb:///… for a file)."
        ) from error
    if connection.conn_type not in _HOOKS:
        raise TerminalError(
            f"The Airflow connection '{conn_id}' is of type '{connection.conn_type}'; "
            f"expected one of {sorted(_HOOKS)}."
        )
    module, name = _HOOKS[connection.conn_type]
    hook: Warehouse = getattr(import_module(module), name)(conn_id)
    return hook
