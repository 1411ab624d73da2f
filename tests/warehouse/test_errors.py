"""Errors of both warehouses: worth a retry or not, and said so that a person can act."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from reclustering.core.errors import TerminalError, TransientError
from reclustering.warehouse import connect
from tests.stores import DuckDBStore, MsSqlStore, Store, requires_mssql

ON_MSSQL = pytest.mark.parametrize("store", [requires_mssql], indirect=True)
ON_DUCKDB = pytest.mark.parametrize("store", ["duckdb"], indirect=True)

Statement = Callable[[str], str]


@pytest.fixture
def statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Statement:
    """Make a statement of a text; give its name."""
    monkeypatch.setattr("reclustering.core.statements.SQL_FOLDER", tmp_path)

    def make(text: str) -> str:
        path = tmp_path / f"statement_{abs(hash((tmp_path, text)))}.sql"
        path.write_text(text, encoding="utf-8")
        return path.stem

    return make


def test_a_missing_table_is_terminal_and_named(store: Store) -> None:
    with (
        pytest.raises(TerminalError, match=r"features/return_features.sql.*(store_sales|date_dim)"),
        store.hook().read() as session,
    ):
        session.query("features/return_features", {"as_of": date(2024, 1, 1)})


def test_a_bulk_load_into_a_missing_table_is_terminal(store: Store) -> None:
    with pytest.raises(TerminalError, match=r"bulk load into dbo.nowhere"):
        store.hook().load("nowhere", pa.table({"a": [1]}).to_reader())


def test_a_bulk_load_of_a_value_that_does_not_fit_is_terminal(store: Store) -> None:
    store.run("CREATE TABLE dbo.date_dim (d_date_sk bigint NOT NULL)")
    with pytest.raises(TerminalError, match=r"bulk load into dbo.date_dim"):
        store.hook().load("date_dim", pa.table({"d_date_sk": pa.array([1, None])}).to_reader())
    assert store.count("date_dim") == 0


def test_a_key_that_comes_twice_is_terminal(store: Store, statement: Statement) -> None:
    store.run("CREATE TABLE dbo.date_dim (d_date_sk bigint NOT NULL PRIMARY KEY)")
    name = statement("INSERT INTO dbo.date_dim VALUES (@a), (@a)")
    with pytest.raises(TerminalError), store.hook().transaction() as session:
        session.execute(name, {"a": 1})
    assert store.count("date_dim") == 0


def test_a_value_too_many_or_too_few_is_terminal(store: Store, statement: Statement) -> None:
    name = statement("SELECT CAST(@a AS bigint) AS a")
    for values in ({}, {"a": 1, "b": 2}):
        with pytest.raises(TerminalError), store.hook().read() as session:
            session.query(name, values)


def test_an_error_of_the_block_itself_passes_unchanged(store: Store) -> None:
    with pytest.raises(KeyError, match="mine"), store.hook().transaction():
        raise KeyError("mine")


# DuckDB


@ON_DUCKDB
def test_a_file_that_is_not_a_database_is_terminal(store: DuckDBStore) -> None:
    store.path.write_text("customer,cluster\n1,0\n" * 1000)
    with (
        pytest.raises(TerminalError, match=r"store.duckdb.*not a valid DuckDB"),
        store.hook().read(),
    ):
        pass


@ON_DUCKDB
def test_a_missing_file_is_terminal(store: DuckDBStore) -> None:
    store.path.unlink()
    with pytest.raises(TerminalError, match=r"no DuckDB file .*store.duckdb"):
        store.hook()


@ON_DUCKDB
def test_a_file_that_stays_locked_is_transient(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("reclustering.warehouse.duckdb.LOCK_TIMEOUT", 1)
    monkeypatch.setattr("reclustering.warehouse.duckdb.SPEAK_AFTER", 0.5)
    script = f"import duckdb; c = duckdb.connect({str(store.path)!r}); print('open'); input()"
    with subprocess.Popen(
        [sys.executable, "-uc", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        for block in (store.hook().read, store.hook().transaction):
            with pytest.raises(TransientError, match="another process kept the file"), block():
                pass
            (said,) = (record.getMessage() for record in caplog.records)
            assert f"Waiting for {store.path}, which is open elsewhere" in said
            assert f"PID {other.pid}" in said
            caplog.clear()
        other.communicate(b"\n")


@ON_DUCKDB
@pytest.mark.parametrize("in_a_task", [False, True])
def test_a_wait_ends_when_it_is_asked_to(store: DuckDBStore, in_a_task: bool) -> None:
    """In a task, Airflow handles SIGTERM by itself and lets the task's code go on."""
    handler = "lambda *_: print('told', flush=True)" if in_a_task else "signal.SIG_DFL"
    script = f"""
        import signal
        from reclustering.warehouse import connect
        signal.signal(signal.SIGTERM, {handler})
        print("waiting", flush=True)
        with connect().transaction():
            print("in")
    """
    environment = os.environ | {"AIRFLOW_CONN_WAREHOUSE": store.uri}
    with (
        duckdb.connect(str(store.path)),
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as waiting,
    ):
        assert waiting.stdout
        assert waiting.stdout.readline() == b"waiting\n"
        time.sleep(0.5)
        waiting.terminate()
        out, errors = waiting.communicate(timeout=5)
        if in_a_task:
            assert out == b"told\n"
            assert b"TransientError: Asked to end while waiting for" in errors
        else:
            assert waiting.returncode == -signal.SIGTERM


@ON_DUCKDB
@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("duckdb://host/srv/store.duckdb", "names the host 'host'; expected none"),
        ("duckdb:///srv/a%3Fb.duckdb", r"names /srv/a\?b.duckdb; expected a path without '\?'"),
        (
            "duckdb:///srv/a.duckdb?read_only=true",
            "has the extras 'read_only', which are not known",
        ),
        ("duckdb:///srv/a#b.duckdb", "is set, by AIRFLOW_CONN_WAREHOUSE, but cannot be read"),
    ],
)
def test_a_path_that_cannot_be_is_refused_by_name(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch, uri: str, said: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", uri)
    with pytest.raises(TerminalError, match=said):
        connect()


# SQL Server


@pytest.fixture
def other_uri(store: MsSqlStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Change a part of the connection's URI."""

    def change(old: str, new: str) -> None:
        assert old in store.uri
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", store.uri.replace(old, new, 1))

    return change


@ON_MSSQL
def test_a_wrong_password_is_terminal_and_not_told(store: MsSqlStore, other_uri: Callable) -> None:
    other_uri(f":{store.password}@", ":Wr0ng-canary@")
    with pytest.raises(TerminalError, match="Check the connection's login and password") as raised:
        connect().get_conn()
    message = str(raised.value)
    assert f"{store.host},{store.port}, database {store.database}" in message
    assert "canary" not in message + repr(raised.value.__cause__)


@ON_MSSQL
def test_a_server_that_does_not_answer_is_transient(
    store: MsSqlStore, other_uri: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reclustering.warehouse.mssql.LOGIN_TIMEOUT", 1)
    other_uri(f":{store.port}/", ":1/")
    with pytest.raises(TransientError, match=r",1, database"):
        connect().get_conn()


@ON_MSSQL
def test_the_certificate_is_verified(store: MsSqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails where the server's certificate happens to be trusted."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", store.uri.split("?")[0])
    with pytest.raises(TerminalError, match="certificate"):
        connect().get_conn()


@ON_MSSQL
def test_a_lock_that_is_held_for_too_long_is_not_had(
    store: MsSqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reclustering.warehouse.mssql.LOCK_TIMEOUT", 1)
    with (
        store.hook().transaction(lock="day"),
        store.hook().transaction(lock="another day"),
        pytest.raises(
            TransientError, match=r"no lock 'day' \(sp_getapplock gave -1\): another attempt"
        ),
        store.hook().transaction(lock="day"),
    ):
        pass


@ON_MSSQL
def test_the_lock_is_free_after_an_error(
    store: MsSqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reclustering.warehouse.mssql.LOCK_TIMEOUT", 1)
    with pytest.raises(KeyError), store.hook().transaction(lock="day"):
        raise KeyError
    with store.hook().transaction(lock="day"):
        pass


@ON_MSSQL
def test_a_deadlock_is_transient_for_its_victim_alone(
    store: MsSqlStore, statement: Statement
) -> None:
    store.run("CREATE TABLE dbo.date_dim (d_date_sk bigint PRIMARY KEY, n int)")
    store.insert("date_dim", [(1, 0), (2, 0)])
    name = statement("UPDATE dbo.date_dim SET n = n + 1 WHERE d_date_sk = @key")
    both_hold_one = threading.Barrier(2)
    outcomes: list[BaseException | None] = []

    def cross(first: int, second: int) -> None:
        try:
            with connect().transaction() as session:
                session.execute(name, {"key": first})
                both_hold_one.wait(timeout=30)
                session.execute(name, {"key": second})
            outcomes.append(None)
        except (TransientError, TerminalError) as error:
            outcomes.append(error)

    threads = [threading.Thread(target=cross, args=keys) for keys in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(map(type, outcomes), key=str) == sorted([type(None), TransientError], key=str)
    assert store.run("SELECT n FROM dbo.date_dim") == [(1,), (1,)]


@ON_MSSQL
def test_a_later_statement_of_a_script_is_heard(store: MsSqlStore, statement: Statement) -> None:
    store.run("CREATE TABLE dbo.date_dim (d_date_sk bigint NOT NULL)")
    script = statement("INSERT INTO dbo.date_dim VALUES (1); SELECT 1 / 0 AS nothing")
    with pytest.raises(TerminalError), store.hook().transaction() as session:
        session.execute(script)
    assert store.count("date_dim") == 0


@ON_MSSQL
def test_no_error_tells_the_password(store: MsSqlStore, statement: Statement) -> None:
    failing = [
        lambda: store.hook().load("nowhere", pa.table({"a": [1]}).to_reader()),
        lambda: _query(store, statement("SELECT 1 AS a FROM dbo.nowhere")),
        lambda: _query(store, statement("SELEC 1")),
    ]
    for fail in failing:
        with pytest.raises(TerminalError) as raised:
            fail()
        assert store.password not in str(raised.value) + repr(raised.value.__cause__)


def _query(store: Store, name: str) -> None:
    with store.hook().read() as session:
        session.query(name)


@ON_MSSQL
def test_a_statement_that_takes_too_long_is_transient_and_named(
    store: MsSqlStore, statement: Statement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reclustering.warehouse.mssql.QUERY_TIMEOUT", 1)
    store.run("CREATE TABLE dbo.date_dim (d_date_sk bigint NOT NULL)")
    store.insert("date_dim", [(n,) for n in range(600)])
    tables = " CROSS JOIN ".join(f"dbo.date_dim AS t{n}" for n in range(3))
    name = statement(
        f"SELECT COUNT_BIG(*) AS n FROM {tables} WHERE t0.d_date_sk + t1.d_date_sk + t2.d_date_sk < 0"
    )
    begin = time.monotonic()
    with pytest.raises(TransientError, match=rf"{name}\.sql: .*[Tt]imeout"):
        _query(store, name)
    assert time.monotonic() - begin < 30


@ON_MSSQL
def test_a_database_that_is_not_there_is_transient(store: MsSqlStore, other_uri: Callable) -> None:
    """As one that is failing over is, which says the same."""
    other_uri(f"/{store.database}", "/no_such_test_database")
    with pytest.raises(TransientError, match="no_such_test_database"):
        connect().get_conn()
