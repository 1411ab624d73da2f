"""The one-shot initialiser makes the database and the login that the pipeline's connection names.

RESTORE DATABASE is only asked for here: to run it takes a SQL Server, and the tutorial's backup.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs
import mssql_python
import pytest
from airflow.sdk import Connection

from quickstart import compose_env
from quickstart import initialise_sql_server as initialiser
from quickstart.sample_store import CUSTOMERS
from reclustering.core.errors import TerminalError, TransientError
from reclustering.warehouse.mssql import MsSqlWarehouse, connection_keywords
from tests.stores import mssql_connection

PROMISED = Connection(
    conn_id="warehouse",
    conn_type="mssql",
    host="127.0.0.1",
    port=1,
    schema="tpcxbb_1gb",
    login="reclustering",
    password="not used",
)

requires_mssql = pytest.mark.skipif(
    mssql_connection() is None, reason="TEST_MSSQL_CONN is not set: an Airflow connection URI"
)


class Server:
    """A session on a server with some databases or tables, which notes what it is asked to do."""

    target = "SQL Server"

    def __init__(self, databases: Sequence[str] = (), tables: Sequence[str] = ()) -> None:
        self.databases, self.tables = databases, tables
        self.done: list[tuple[str, Any]] = []

    def query(self, name: str, parameters: dict[str, str] | None = None) -> list[dict[str, str]]:
        if name == "sample/objects":
            return [{"table_name": table} for table in self.tables]
        assert name == "admin/database_state"
        return [{"state_desc": "ONLINE"}] if parameters["database"] in self.databases else []

    def execute(self, name: str, parameters: dict[str, str] | None = None) -> None:
        self.done.append((name, parameters))
        if name == "admin/allow_snapshot_isolation":
            raise TerminalError("not on this server")


@pytest.fixture
def backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(initialiser, "_session", nullcontext)
    return tmp_path / "tpcxbb_1gb.bak"


def test_a_backup_is_restored(backup: Path) -> None:
    backup.touch()
    server = Server(databases=["master"])
    initialiser.create_database(server, "tpcxbb_1gb", backup)
    assert server.done == [("admin/restore_database", {"backup": str(backup)})]


def test_without_a_backup_the_database_is_empty(backup: Path) -> None:
    server = Server(databases=["master"])
    initialiser.create_database(server, "tpcxbb_1gb", backup)
    assert server.done == [("admin/create_database", {"database": "tpcxbb_1gb"})]


def test_a_database_that_is_there_stays(backup: Path) -> None:
    backup.touch()
    server = Server(databases=["master", "tpcxbb_1gb"])
    initialiser.create_database(server, "tpcxbb_1gb", backup)
    assert server.done == []


@pytest.mark.parametrize(
    ("tables", "sample", "loaded"),
    [
        ([], False, True),
        (["store_sales"], False, False),
        (["store_sales", "email_suppressions", "customer_clusters"], False, False),
        (["store_sales", "email_suppressions", "customer_clusters"], True, True),
    ],
)
@pytest.mark.usefixtures("backup")
def test_only_an_empty_database_gets_the_sample_store_and_the_sample_store_its_days(
    tables: list[str], *, sample: bool, loaded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(initialiser, "is_sample_store", lambda database, tables: sample)
    monkeypatch.setattr(initialiser, "load_sample", lambda database: calls.append("sample"))
    monkeypatch.setattr(initialiser, "create_own_objects", lambda database: calls.append("own"))
    initialiser.create_tables(Server(tables=tables))
    assert calls == (["sample", "own"] if loaded else ["own"])


@pytest.mark.usefixtures("backup")
def test_half_a_sample_store_is_not_taken_for_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initialiser, "is_sample_store", lambda database, tables: False)
    with pytest.raises(TerminalError, match="not loaded to its end"):
        initialiser.create_tables(Server(tables=["store_sales", "email_suppressions"]))


@pytest.fixture
def administrator() -> tuple[str, str]:
    connection = Connection.from_uri(mssql_connection() or "", "warehouse")
    return connection.login or "", connection.password or ""


@pytest.fixture
def promised(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A connection to a database that does not exist, with a login that does not."""
    server = Connection.from_uri(mssql_connection() or "", "warehouse")
    suffix = secrets.token_hex(4)
    promised = attrs.evolve(
        server,
        schema=f"initialiser_test_{suffix}",
        login=f"initialiser_test_{suffix}",
        password=compose_env.password(),
    )
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", promised.as_json())
    before = dict(os.environ)
    yield promised
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    run(attrs.evolve(server, schema="master"), f"DROP DATABASE {promised.schema}")
    run(attrs.evolve(server, schema="master"), f"DROP LOGIN {promised.login}")


def run(connection: Connection, statement: str) -> list[Any]:
    """Run a statement by the driver itself."""
    keywords = connection_keywords(connection)
    with mssql_python.connect(autocommit=True, **keywords) as session:
        cursor = session.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.mssql
@requires_mssql
def test_an_empty_server_becomes_one_the_pipeline_can_use(
    promised: Connection, administrator: tuple[str, str], tmp_path: Path
) -> None:
    initialiser.initialise(promised, administrator=administrator, backup=tmp_path / "none.bak")

    assert run(promised, "SELECT COUNT(*) FROM dbo.customer")[0][0] == CUSTOMERS
    assert run(promised, "SELECT COUNT(*) FROM dbo.email_suppressions")[0][0] > 0
    assert run(promised, "SELECT COUNT(*) FROM dbo.py_customer_clusters")[0][0] == 0
    for statement in (
        "DELETE FROM dbo.store_sales",
        "DELETE FROM dbo.email_suppressions",
        "CREATE TABLE dbo.another (a int)",
        "DROP TABLE dbo.customer_clusters",
        "CREATE LOGIN another WITH PASSWORD = 'Another_1_password'",
    ):
        with pytest.raises(mssql_python.Error):
            run(promised, statement)

    # A second start, with another password in .env, changes the password and nothing else.
    run(promised, "INSERT INTO dbo.target_list_deliveries VALUES ('2026-01-01', 0, 'a', 'b', 'sent',"
        " 1, 1, 'm', 'r', '', '2026-01-01', NULL)")  # fmt: skip
    changed = attrs.evolve(promised, password=compose_env.password())
    os.environ["AIRFLOW_CONN_WAREHOUSE"] = changed.as_json()
    initialiser.initialise(changed, administrator=administrator, backup=tmp_path / "none.bak")
    assert run(changed, "SELECT COUNT(*) FROM dbo.customer")[0][0] == CUSTOMERS
    assert run(changed, "SELECT COUNT(*) FROM dbo.target_list_deliveries")[0][0] == 1
    with pytest.raises(mssql_python.Error, match="Login failed"):
        run(promised, "SELECT 1")


@pytest.mark.mssql
@requires_mssql
def test_a_server_that_does_not_come_up_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reclustering.warehouse.mssql.LOGIN_TIMEOUT", 1)
    monkeypatch.setattr(initialiser.wait_for.retry, "stop", lambda state: state.attempt_number > 1)
    monkeypatch.setattr(initialiser.wait_for.retry, "wait", lambda state: 0)
    with pytest.raises(TransientError, match=r"127\.0\.0\.1"):
        initialiser.wait_for(MsSqlWarehouse(PROMISED))
