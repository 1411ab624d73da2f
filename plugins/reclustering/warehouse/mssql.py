"""The warehouse in production: a SQL Server or Azure SQL database.

Sessions, Arrow streams and bulk loads all go through Microsoft's `mssql-python`, from the one
Airflow connection of type `mssql`, encrypted and with the server's certificate verified. The provider
of that type gives the connection its form; its hook is built on pymssql, which knows neither Arrow nor
a certificate, so nothing of it is used.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cache
from itertools import pairwise
from typing import Any

import mssql_python
import pyarrow as pa
import sqlglot
from airflow.sdk import Connection

from reclustering.connections import read_choice, read_extras, read_switch
from reclustering.core.errors import TerminalError, TransientError
from reclustering.core.protocols import Parameters
from reclustering.core.statements import read_statement
from reclustering.warehouse.counted_rows import CountedRows
from reclustering.warehouse.mssql_errors import translated_errors

EXTRAS: Mapping[str, str] = {
    "application_intent": "ApplicationIntent",
    "authentication": "Authentication",
    "encrypt": "Encrypt",
    "host_name_in_certificate": "HostnameInCertificate",
    "load_sessions": "LoadSessions",
    "multi_subnet_failover": "MultiSubnetFailover",
    "server_spn": "ServerSPN",
    "trust_server_certificate": "TrustServerCertificate",
    "trusted_connection": "Trusted_Connection",
}
"""The extras of the Airflow connection that are known (docs/sql-server.md), and the driver's keyword."""

MOST_SESSIONS = 16
"""Bulk loads at once."""

_SWITCHES = {"multi_subnet_failover", "trust_server_certificate", "trusted_connection"}

AUTHENTICATION = (
    "ActiveDirectoryDefault",
    "ActiveDirectoryMSI",
    "ActiveDirectoryServicePrincipal",
)
"""Microsoft Entra without a person at a screen."""

_CHOICES = {"authentication": AUTHENTICATION, "application_intent": ("ReadOnly", "ReadWrite")}

LOGIN_TIMEOUT = 30
"""Seconds to wait for the server's answer to a login."""

LOCK_TIMEOUT = 600
"""Seconds to wait for a lock that somebody else holds."""

QUERY_TIMEOUT = 2700
"""Seconds that a statement may take: less than a task's hour, so that its name is said."""

LOAD_TIMEOUT = 3600
"""Seconds that a bulk load may take. The driver's default of 30 is too short for many customers."""

LOAD_BATCH = 100_000
"""Rows per transaction of a bulk load: they bound the locks it holds and the log it pins."""

# English, because errors are told apart by their text; no wait for a lock is forever; and rows that were
# changed are counted, whatever the server's option `user options` says.
_OPEN = (
    "SET LANGUAGE us_english; SET XACT_ABORT ON; SET NOCOUNT OFF; "
    f"SET LOCK_TIMEOUT {LOCK_TIMEOUT * 1000}"
)

_SNAPSHOT_STATE = "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()"
_SNAPSHOT_ALLOWED = 1

_TAKE_LOCK = """
SET NOCOUNT ON;
DECLARE @result int;
EXEC @result = sp_getapplock
    @Resource = ?, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = ?;
SET NOCOUNT OFF;
SELECT @result AS result;
"""

_LOCKED = (0, 1)
"""What `sp_getapplock` gives with the lock: at once, or after a wait."""

_NOT_LOCKED = {
    -1: f"another attempt holds it, for {LOCK_TIMEOUT // 60} minutes already; sys.dm_tran_locks says which",
    -2: "the request for it was cancelled",
    -3: "the request for it would have been a deadlock",
}
"""Why `sp_getapplock` did not give a lock, by what it returns instead of 0 or 1."""

log = logging.getLogger(__name__)

# A session is opened a few times in a task and then closed for good: a pool would only keep the
# isolation level and the locks of one block for the next.
mssql_python.pooling(enabled=False)


class MsSqlWarehouse:
    """The verbs of `core.protocols.Warehouse` on a SQL Server database.

    Parameters
    ----------
    connection : Connection
        An Airflow connection of type `mssql`: host, port, schema (the database), login, password,
        and the extras in `EXTRAS`.

    Raises
    ------
    TerminalError
        When the connection has an extra that is not known or not what it must be, or lacks something.
    """

    def __init__(self, connection: Connection) -> None:
        self._keywords = connection_keywords(connection)
        self._intent = self._keywords.pop("ApplicationIntent", "ReadWrite")
        self.load_sessions: int = self._keywords.pop("LoadSessions", 1)
        self.target = (
            f"SQL Server {self._keywords['Server']}, database {self._keywords['Database']}"
        )
        if self._keywords["TrustServerCertificate"] == "yes":
            log.warning(
                "%s: the certificate is not verified (trust_server_certificate), so anybody on the "
                "way can read and change what is sent. For development only.",
                self.target,
            )

    def get_conn(self, *, intent: str = "ReadWrite") -> Any:
        """Open a connection, in autocommit mode.

        Parameters
        ----------
        intent : str
            `ReadOnly` may lead to a replica of the availability group.

        Raises
        ------
        TransientError
            When the server does not answer.
        TerminalError
            When it refuses the login, or its certificate is not trusted.
        """
        with translated_errors(self.target, connecting=True):
            connection = mssql_python.connect(
                autocommit=True,
                timeout=LOGIN_TIMEOUT,
                **(self._keywords | {"ApplicationIntent": intent}),
            )
        # Of each cursor from here on; a call of ODBC that waits is deaf to whoever ends the task.
        connection.timeout = QUERY_TIMEOUT
        with translated_errors(self.target):
            _run(connection, _OPEN)
        return connection

    @contextmanager
    def read(self, *, late: bool = False) -> Iterator[MsSqlSession]:
        """Open a session that sees one consistent state and blocks no writer.

        Where the database does not allow snapshot isolation, each statement sees a state of its
        own.

        Parameters
        ----------
        late : bool
            Whether a replica will do, which may be some seconds behind. It is read where the connection's
            `application_intent` is `ReadOnly`.
        """
        intent = self._intent if late else "ReadWrite"
        with (
            closing(self.get_conn(intent=intent)) as connection,
            self._transaction(connection, isolation=self._read_isolation(connection)),
        ):
            yield MsSqlSession(connection, self.target)

    @contextmanager
    def transaction(self, *, lock: str | None = None) -> Iterator[MsSqlSession]:
        """Open a session that commits when the block ends and rolls back when it raises.

        Raises
        ------
        TransientError
            When `lock` cannot be had now: somebody else holds it for longer than `LOCK_TIMEOUT`.
        """
        with closing(self.get_conn()) as connection, self._transaction(connection):
            if lock is not None:
                self._take(lock, connection)
            yield MsSqlSession(connection, self.target)

    def load(self, table: str, rows: pa.RecordBatchReader) -> int:
        """Bulk-load rows into `dbo.<table>`; give how many.

        Raises
        ------
        TransientError
            When the server did not take as many rows as were sent.
        """
        counted = CountedRows(rows)
        with (
            closing(self.get_conn()) as connection,
            translated_errors(f"{self.target}, bulk load into dbo.{table}"),
        ):
            # A bulk load logs in anew, and gives up after 15 s unless this is set before there is a
            # cursor (microsoft/mssql-python#626).
            connection.timeout = LOGIN_TIMEOUT
            # Without check_constraints, SQL Server asks for the right to alter the table.
            result = connection.cursor().bulkcopy_arrow(
                f"dbo.{table}",
                counted.reader,
                batch_size=LOAD_BATCH,
                timeout=LOAD_TIMEOUT,
                check_constraints=True,
            )
        if result["rows_copied"] != counted.count:
            raise TransientError(
                f"{self.target}: dbo.{table} took {result['rows_copied']} of {counted.count} rows."
            )
        return counted.count

    def require_rights(self) -> None:
        """Check that the login has the rights of `include/sql/admin/create_role.sql`, and sees what is there.

        Raises
        ------
        TerminalError
            Names every right that is missing, or every column that is masked.
        """
        with self.read() as session:
            missing = [row["missing"] for row in session.query("warehouse/missing_rights")]
            masked = _masked_columns(session)
        if masked:
            raise TerminalError(
                f"{self.target}: the login sees {', '.join(masked)} masked (dynamic data masking), and would "
                "read zeros, and addresses of nobody. Grant it UNMASK."
            )
        if missing:
            raise TerminalError(
                f"{self.target}: the login may not {', '.join(missing)}. Grant the rights of "
                "include/sql/admin/create_role.sql."
            )

    @contextmanager
    def _transaction(
        self, connection: mssql_python.Connection, isolation: str = "READ COMMITTED"
    ) -> Iterator[None]:
        with translated_errors(self.target):
            _run(connection, f"SET TRANSACTION ISOLATION LEVEL {isolation}; BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            # A lost connection has rolled back already, and so has what XACT_ABORT stopped.
            with suppress(mssql_python.Error):
                _run(connection, "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")
            raise
        with translated_errors(f"{self.target}, commit"):
            _run(connection, "COMMIT TRANSACTION")

    def _read_isolation(self, connection: mssql_python.Connection) -> str:
        with translated_errors(self.target), closing(connection.execute(_SNAPSHOT_STATE)) as cursor:
            if cursor.fetchval() == _SNAPSHOT_ALLOWED:
                return "SNAPSHOT"
        log.warning(
            "%s does not allow snapshot isolation, so this reads each statement's own state. "
            "include/sql/admin/allow_snapshot_isolation.sql allows it, without downtime.",
            self.target,
        )
        return "READ COMMITTED"

    def _take(self, lock: str, connection: mssql_python.Connection) -> None:
        values = (f"reclustering/{lock}", LOCK_TIMEOUT * 1000)
        with (
            translated_errors(f"{self.target}, lock '{lock}'"),
            closing(connection.execute(_TAKE_LOCK, values)) as cursor,
        ):
            result = cursor.fetchval()
        if result in _LOCKED:
            return
        said = f"{self.target}: no lock '{lock}' (sp_getapplock gave {result})"
        if result in _NOT_LOCKED:
            raise TransientError(f"{said}: {_NOT_LOCKED[result]}. The next attempt may have it.")
        raise TerminalError(
            f"{said}; expected 0 or 1, or a reason from -1 to -3. Nothing was changed. See the server's "
            "error log."
        )


def _masked_columns(session: MsSqlSession) -> list[str]:
    """Give the columns that the statements read and this login sees masked."""
    read = {
        f"{row['table_name']}.{row['column_name']}"
        for row in session.query("warehouse/source_columns")
    }
    read |= {"email_suppressions.customer", "email_suppressions.email"}
    masked = [
        f"{row['table_name']}.{row['column_name']}"
        for row in session.query("warehouse/masked_columns")
    ]
    return [f"dbo.{one}" for one in masked if one.lower() in read]


def _run(connection: mssql_python.Connection, batch: str) -> None:
    with closing(connection.execute(batch)) as cursor:
        _changed(cursor)


def _changed(cursor: mssql_python.Cursor) -> int:
    # An error of a later statement arrives only when its result is fetched, and a cursor that is
    # closed before then cancels what is left.
    changed = max(cursor.rowcount, 0)
    while cursor.nextset():
        changed += max(cursor.rowcount, 0)
    return changed


class MsSqlSession:
    """The verbs of `core.protocols.Session` on one SQL Server connection."""

    def __init__(self, connection: mssql_python.Connection, target: str) -> None:
        self._connection = connection
        self._target = target

    def query(self, name: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        """Run a statement whose result is small; one dict per row."""
        with self._run(name, parameters) as cursor:
            columns = [column[0] for column in cursor.description or ()]
            return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def stream(
        self, name: str, parameters: Parameters | None = None, *, batch_size: int = 100_000
    ) -> Iterator[pa.RecordBatch]:
        """Run a statement and give its result batch by batch."""
        with self._run(name, parameters) as cursor:
            while (batch := cursor.arrow_batch(batch_size)).num_rows:
                yield batch

    def execute(self, name: str, parameters: Parameters | None = None) -> int:
        """Run a statement that changes rows; give how many it changed."""
        with self._run(name, parameters) as cursor:
            return _changed(cursor)

    @contextmanager
    def _run(self, name: str, parameters: Parameters | None) -> Iterator[mssql_python.Cursor]:
        values = parameters or {}
        sql, names = bind(name, frozenset(values))
        with (
            translated_errors(f"{self._target}, include/sql/{name}.sql"),
            closing(self._connection.cursor()) as cursor,
        ):
            cursor.execute(sql, tuple(values[one] for one in names))
            yield cursor


@cache
def bind(name: str, values: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """Give a statement with the driver's `?` in place of each `@value`.

    Parameters
    ----------
    name : str
        A statement of `include/sql`.
    values : frozenset of str
        The names that have a value. Another `@name` is left alone: a script's own variable.

    Returns
    -------
    sql : str
        The statement; `@value` in a comment, a text or a quoted name is left as it is.
    names : tuple of str
        Whose value each `?` takes, in order.

    Raises
    ------
    TerminalError
        When the statement does not use one of the values.
    """
    sql = read_statement(name)
    pieces, names, end = [], [], 0
    for sign, word in pairwise(sqlglot.tokenize(sql, read="tsql")):
        if (
            sign.token_type is sqlglot.TokenType.PARAMETER
            and word.start == sign.end + 1
            and word.text in values
        ):
            pieces += [sql[end : sign.start], "?"]
            names.append(word.text)
            end = word.end + 1
    if unused := values - set(names):
        raise TerminalError(
            f"include/sql/{name}.sql has no {sorted(unused)}; expected every value."
        )
    return "".join([*pieces, sql[end:]]), tuple(names)


def connection_keywords(connection: Connection) -> dict[str, Any]:
    """Give the driver's connection keywords for an Airflow connection.

    Encrypted and verified unless the extras say otherwise; `encrypt` can only be made stricter.

    Raises
    ------
    TerminalError
        When an extra is not known or not what it must be, or host, database or login is missing.
    """
    extras = _read_extras(connection)
    anonymous = "authentication" in extras or extras.get("trusted_connection") == "yes"
    required = {"host": connection.host, "schema (the database)": connection.schema}
    if not anonymous:
        required |= {"login": connection.login, "password": connection.password}
    if missing := [name for name, value in required.items() if not (value or "").strip()]:
        raise TerminalError(
            f"The connection '{connection.conn_id}' lacks {', '.join(missing)}. "
            "Edit it under Admin > Connections."
        )
    port = f",{connection.port}" if connection.port else ""
    keywords = {
        "Server": f"{(connection.host or '').strip()}{port}",
        "Database": connection.schema,
        "UID": connection.login,
        "PWD": connection.password,
        "Encrypt": "yes",
        "TrustServerCertificate": "no",
    } | {EXTRAS[name]: value for name, value in extras.items()}
    return {name: value for name, value in keywords.items() if value}


def _read_extras(connection: Connection) -> dict[str, Any]:
    """Read the extras, in the words that the driver knows."""
    read: dict[str, Any] = {}
    for name, value in read_extras(connection, EXTRAS).items():
        extra = f"The connection '{connection.conn_id}' has {name}"
        if name in _SWITCHES:
            read[name] = "yes" if read_switch(value, extra=extra) else "no"
        elif name in _CHOICES:
            read[name] = read_choice(value, _CHOICES[name], extra=extra)
        elif name == "encrypt":
            read[name] = _read_encrypt(value, extra)
        elif name == "load_sessions":
            read[name] = _read_sessions(value, extra)
        else:
            read[name] = str(value).strip()
    return read


def _read_sessions(value: Any, extra: str) -> int:
    if not re.fullmatch("[0-9]{1,2}", str(value).strip()) or not 1 <= int(value) <= MOST_SESSIONS:
        raise TerminalError(
            f"{extra} = '{value}'; expected a whole number from 1 to {MOST_SESSIONS}."
        )
    return int(value)


def _read_encrypt(value: Any, extra: str) -> str:
    word = str(value).strip().lower()
    if word in {"yes", "true", "1", "mandatory"}:
        return "yes"
    if word == "strict":
        return word
    raise TerminalError(
        f"{extra} = '{value}'; expected 'yes' (the default) or 'strict'. For a server without a trusted "
        "certificate, set trust_server_certificate instead (development only)."
    )
