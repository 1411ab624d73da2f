"""What the Airflow connection of a SQL Server becomes: no server needed."""

from __future__ import annotations

import logging

import pyarrow as pa
import pytest
from airflow.sdk import Connection

from reclustering.core.errors import TerminalError, TransientError
from reclustering.warehouse import connect
from reclustering.warehouse.mssql import (
    EXTRAS,
    LOGIN_TIMEOUT,
    QUERY_TIMEOUT,
    MsSqlWarehouse,
    connection_keywords,
)

URI = "mssql://etl:s3cret%3B%7Dcanary@db.example:1433/shop"


def keywords(query: str = "", uri: str = URI) -> dict[str, str]:
    return connection_keywords(Connection(conn_id="warehouse", uri=uri + query))


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> MsSqlWarehouse:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", URI)
    return connect()


def test_encrypted_and_verified_by_default() -> None:
    assert keywords() == {
        "Server": "db.example,1433",
        "Database": "shop",
        "UID": "etl",
        "PWD": "s3cret;}canary",
        "Encrypt": "yes",
        "TrustServerCertificate": "no",
    }


def test_the_keywords_reach_the_drivers_connection_string(
    hook: MsSqlWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password with the string's own punctuation stays one value."""
    import mssql_python.connection as driver

    seen = {}

    def refuse(_: object, connection_string: str, *__: object) -> None:
        seen["connection string"] = connection_string
        raise RuntimeError("SQLSTATE:08001:not today")

    monkeypatch.setattr(driver.ddbc_bindings, "Connection", lambda *a, **k: refuse(None, *a))
    with pytest.raises(Exception, match="not today"):
        hook.get_conn()
    parts = seen["connection string"]
    assert "Encrypt=yes" in parts
    assert "TrustServerCertificate=no" in parts
    assert "PWD={s3cret;}}canary}" in parts


@pytest.mark.parametrize("yes", ["true", "True", "yes", "YES", "1"])
def test_verification_is_turned_off_by_one_extra_with_a_warning(
    yes: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"{URI}?trust_server_certificate={yes}")
    with caplog.at_level(logging.WARNING):
        hook = connect()
    assert keywords(f"?trust_server_certificate={yes}")["TrustServerCertificate"] == "yes"
    assert "certificate is not verified" in caplog.text
    assert "canary" not in caplog.text + hook.target


def test_a_bulk_loads_own_login_has_the_time_of_every_other(
    hook: MsSqlWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver takes it from the cursor, who takes it from the connection when it is made."""
    seen = []

    class Connection:
        timeout = 0

        def cursor(self) -> Connection:
            seen.append(self.timeout)
            return self

        def bulkcopy_arrow(self, table: str, rows: pa.RecordBatchReader, **_: object) -> dict:
            return {"rows_copied": rows.read_all().num_rows}

        def close(self) -> None: ...

    monkeypatch.setattr(MsSqlWarehouse, "get_conn", lambda self: Connection())
    rows = pa.record_batch({"customer": [1, 2]})
    reader = pa.RecordBatchReader.from_batches(rows.schema, [rows])
    assert hook.load("customer_clusters_staging", reader) == 2
    assert seen == [LOGIN_TIMEOUT]


def test_no_warning_when_verified(hook: MsSqlWarehouse, caplog: pytest.LogCaptureFixture) -> None:
    assert caplog.text == ""
    assert hook.target == "SQL Server db.example,1433, database shop"


def test_json_extras_are_understood() -> None:
    connection = Connection(
        conn_id="warehouse",
        conn_type="mssql",
        host="db",
        schema="shop",
        login="etl",
        password="x",
        extra='{"trust_server_certificate": false, "multi_subnet_failover": true}',
    )
    found = connection_keywords(connection)
    assert found["TrustServerCertificate"] == "no"
    assert found["MultiSubnetFailover"] == "yes"
    assert found["Server"] == "db"


def test_one_bulk_load_at_a_time_unless_more_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for extra, sessions in (("", 1), ("?load_sessions=4", 4)):
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"{URI}{extra}")
        assert connect().load_sessions == sessions


def test_encryption_can_be_made_stricter_only() -> None:
    assert keywords("?encrypt=strict")["Encrypt"] == "strict"
    for equal in ("YES", "true", "1", "Mandatory"):
        assert keywords(f"?encrypt={equal}")["Encrypt"] == "yes"
    assert keywords("?encrypt=Strict")["Encrypt"] == "strict"
    for weaker in ("no", "False", "optional", "0", "ja"):
        with pytest.raises(TerminalError, match=rf"encrypt = '{weaker}'; expected 'yes'"):
            keywords(f"?encrypt={weaker}")


def test_unknown_extras_are_refused_by_name() -> None:
    with pytest.raises(TerminalError, match=r"extras 'charset', 'driver', which are not known"):
        keywords("?driver=FreeTDS&charset=utf8&encrypt=strict")
    with pytest.raises(
        TerminalError, match=r"'authentification' \(did you mean authentication\?\)"
    ):
        keywords("?authentification=ActiveDirectoryMSI")


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("trust_server_certificate=ja", "true or false"),
        ("multi_subnet_failover=maybe", "true or false"),
        ("trusted_connection=kerberos", "true or false"),
        ("authentication=Nonsense", "ActiveDirectoryDefault or ActiveDirectoryMSI or"),
        ("load_sessions=0", "a whole number from 1 to 16"),
        ("load_sessions=many", "a whole number from 1 to 16"),
        ("authentication=SqlPassword", "ActiveDirectoryDefault or ActiveDirectoryMSI or"),
    ],
)
def test_an_extra_that_is_not_what_it_must_be_is_refused_by_name(extra: str, expected: str) -> None:
    name, value = extra.split("=")
    with pytest.raises(
        TerminalError, match=f"'warehouse' has {name} = '{value}'; expected {expected}"
    ):
        keywords(f"?{extra}")


def test_a_switch_that_is_off_is_off() -> None:
    assert keywords("?trusted_connection=No&multi_subnet_failover=0") == keywords() | {
        "Trusted_Connection": "no",
        "MultiSubnetFailover": "no",
    }
    with pytest.raises(TerminalError, match="lacks login, password"):
        keywords("?trusted_connection=false", uri="mssql://db.example/shop")


@pytest.mark.parametrize(
    "word", ["ActiveDirectoryServicePrincipal", "activedirectoryserviceprincipal"]
)
def test_a_service_principal(word: str) -> None:
    found = keywords(f"?authentication={word}")
    assert found["Authentication"] == "ActiveDirectoryServicePrincipal"
    assert (found["UID"], found["PWD"]) == ("etl", "s3cret;}canary")


def test_kerberos_needs_no_login() -> None:
    found = keywords("?trusted_connection=yes", uri="mssql://db.example:1433/shop")
    assert found["Trusted_Connection"] == "yes"
    assert not found.keys() & {"UID", "PWD"}


@pytest.mark.parametrize(
    ("uri", "missing"),
    [
        ("mssql://etl@db.example/shop", "password"),
        ("mssql://db.example/shop", "login, password"),
        ("mssql://etl:x@db.example", r"schema \(the database\)"),
        ("mssql://etl:x@/shop", "host"),
        ("mssql://etl:x@%20/shop", "host"),
        ("mssql://etl:x@db.example/%20", r"schema \(the database\)"),
    ],
)
def test_what_is_missing_is_named(uri: str, missing: str) -> None:
    with pytest.raises(TerminalError, match=f"'warehouse' lacks {missing}"):
        keywords(uri=uri)


def test_every_extra_is_documented(request: pytest.FixtureRequest) -> None:
    text = (request.config.rootpath / "docs" / "sql-server.md").read_text(encoding="utf-8")
    assert [extra for extra in EXTRAS if f"`{extra}`" not in text] == []


def test_other_connection_types_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgres://db.example/shop")
    with pytest.raises(TerminalError, match="is of type 'postgres'"):
        connect()


def test_a_missing_connection_is_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE", raising=False)
    with pytest.raises(TerminalError, match="no Airflow connection 'warehouse'"):
        connect()


class Answering:
    """A driver's connection that gives one answer, and keeps what it was asked."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.batches: list[str] = []
        self.timeout = 0
        self.rowcount = -1
        self.description = None

    def execute(self, batch: str, *_: object) -> Answering:
        self.batches.append(batch)
        return self

    def fetchval(self) -> object:
        return self.answer

    def nextset(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (-1, TransientError, r"gave -1\): another attempt holds it, for 10 minutes already"),
        (-2, TransientError, r"gave -2\): the request for it was cancelled"),
        (-3, TransientError, r"gave -3\): the request for it would have been a deadlock"),
        (-999, TerminalError, r"gave -999\); expected 0 or 1"),
        (None, TerminalError, r"gave None\); expected 0 or 1"),
    ],
)
def test_a_lock_that_is_not_given_says_why(
    hook: MsSqlWarehouse, answer: int | None, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        hook._take("day", Answering(answer))


@pytest.mark.parametrize("answer", [0, 1])
def test_a_lock_that_is_given_at_once_or_after_a_wait_is_held(
    hook: MsSqlWarehouse, answer: int
) -> None:
    hook._take("day", Answering(answer))


def test_a_session_counts_rows_and_waits_for_no_statement_for_ever(
    hook: MsSqlWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, asked = Answering(), {}

    def driver(**options: object) -> Answering:
        asked.update(options)
        return connection

    monkeypatch.setattr("mssql_python.connect", driver)
    hook.get_conn()
    [batch] = connection.batches
    # With the server's option NOCOUNT on, a row that is changed would be counted as -1.
    assert "SET NOCOUNT OFF" in batch
    assert connection.timeout == QUERY_TIMEOUT < 3600
    assert (asked["timeout"], asked["ApplicationIntent"]) == (LOGIN_TIMEOUT, "ReadWrite")


def test_only_what_may_be_late_is_read_from_a_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"{URI}?application_intent=readonly")
    warehouse, intents = connect(), []

    def driver(**options: object) -> Answering:
        intents.append(options["ApplicationIntent"])
        return Answering(1)

    monkeypatch.setattr("mssql_python.connect", driver)
    for session in (warehouse.read(late=True), warehouse.read(), warehouse.transaction(lock="day")):
        with session:
            pass
    assert intents == ["ReadOnly", "ReadWrite", "ReadWrite"]
