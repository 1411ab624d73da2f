"""Every test of this folder that takes a `store` runs on DuckDB, and on SQL Server if there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.warehouse.store import DuckDBStore, MsSqlStore, Store, mssql_connection

requires_mssql = pytest.param(
    "mssql",
    marks=[
        pytest.mark.mssql,
        pytest.mark.skipif(
            mssql_connection() is None,
            reason="TEST_MSSQL_CONN is not set: an Airflow connection URI of an empty SQL Server "
            "database with 'test' in its name",
        ),
    ],
)


@pytest.fixture(params=["duckdb", requires_mssql])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store without tables, which the connection `warehouse` names."""
    store = DuckDBStore(tmp_path) if request.param == "duckdb" else MsSqlStore()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", store.uri)
    store.clear()
    return store
