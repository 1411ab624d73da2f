"""The embedded warehouse: a DuckDB file with the same `dbo` schema as the SQL Server database.

The statements are T-SQL, translated on their way here; nothing above knows. DuckDB lets one process at
a time write: who comes second waits.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from threading import Event, current_thread, main_thread
from typing import Any

import duckdb
import pyarrow as pa
from airflow.sdk import Connection
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_random,
)

from reclustering.connections import read_extras
from reclustering.core.errors import TerminalError, TransientError
from reclustering.core.protocols import Parameters
from reclustering.core.statements import for_duckdb
from reclustering.warehouse.counted_rows import CountedRows

log = logging.getLogger(__name__)

LOCK_TIMEOUT = 600
"""Seconds to wait for another process that has the file open."""

SPEAK_AFTER, SPEAK_EVERY = 3, 60
"""Seconds after which that is said, and said again."""

READ_MEMORY = "192MB"
"""What DuckDB may use to group and sort for a reader; beyond it, it spills beside the file."""


class DuckDBWarehouse:
    """The verbs of `core.protocols.Warehouse` on a DuckDB file.

    Parameters
    ----------
    connection : Connection
        An Airflow connection of type `duckdb`; `duckdb:////srv/store.duckdb` and
        `duckdb:///srv/store.duckdb` both name the file `/srv/store.duckdb`. The file must exist.

    Raises
    ------
    TerminalError
        When there is no such file.
    """

    load_sessions = 1

    def __init__(self, connection: Connection) -> None:
        name = f"The connection '{connection.conn_id}'"
        if connection.host:
            raise TerminalError(
                f"{name} names the host '{connection.host}'; expected none, for the path in "
                "duckdb:///path/to/file.duckdb is absolute and has three slashes before it."
            )
        read_extras(connection, ())
        self.path = Path("/", (connection.schema or "").lstrip("/"))
        if "?" in str(self.path):
            raise TerminalError(
                f"{name} names {self.path}; expected a path without '?', which DuckDB takes for its end."
            )
        if not self.path.is_file():
            raise TerminalError(
                f"There is no DuckDB file {self.path}, which the connection '{connection.conn_id}' names. "
                "The path in duckdb:///path/to/file.duckdb is absolute."
            )

    @contextmanager
    def read(self, *, late: bool = False) -> Iterator[DuckDBSession]:  # noqa: ARG002
        """Open a session that sees one consistent state; there is no copy that could be `late`."""
        with self._connected(read_only=True) as connection:
            connection.execute(f"SET memory_limit = '{READ_MEMORY}'")
            connection.begin()
            session = DuckDBSession(connection, self.path)
            try:
                yield session
            finally:
                session.close()

    @contextmanager
    def transaction(self, *, lock: str | None = None) -> Iterator[DuckDBSession]:  # noqa: ARG002
        """Open a session that commits when the block ends and rolls back when it raises.

        The whole file is this process's own meanwhile, so `lock` has nothing left to do.
        """
        with self._connected(read_only=False) as connection:
            connection.begin()
            try:
                yield DuckDBSession(connection, self.path)
            except BaseException:
                connection.rollback()
                raise
            with translated_errors(f"{self.path}, commit"):
                connection.commit()

    def load(self, table: str, rows: pa.RecordBatchReader) -> int:
        """Bulk-load rows into `dbo.<table>`; give how many."""
        counted = CountedRows(rows)
        with (
            self._connected(read_only=False) as connection,
            translated_errors(f"{self.path}, bulk load into dbo.{table}"),
        ):
            connection.register("counted_rows", counted.reader)
            connection.execute(f"INSERT INTO dbo.{table} FROM counted_rows")
        return counted.count

    def require_rights(self) -> None:
        """Check that the file, and the folder for DuckDB's log beside it, can be written."""
        for path in (self.path, self.path.parent):
            if not os.access(path, os.W_OK):
                raise TerminalError(
                    f"{path} cannot be written by this user (number {os.getuid()}); expected that it can: "
                    "labels are published there. Give the rights, or name another file."
                )

    @contextmanager
    def _connected(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        with translated_errors(str(self.path)):
            connection = _open(self.path, read_only=read_only)
        with connection:
            connection.execute("SET enable_progress_bar = false")
            yield connection


class DuckDBSession:
    """The verbs of `core.protocols.Session` on one DuckDB connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._streams = ExitStack()

    def close(self) -> None:
        """End the streams that were not read to their end; DuckDB waits for them otherwise."""
        self._streams.close()

    def query(self, name: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        """Run a statement whose result is small; one dict per row."""
        with self._named(name):
            cursor = self._connection.execute(for_duckdb(name), dict(parameters or {}))
            columns = [column[0] for column in cursor.description or ()]
            return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def stream(
        self, name: str, parameters: Parameters | None = None, *, batch_size: int = 100_000
    ) -> Iterator[pa.RecordBatch]:
        """Run a statement and give its result batch by batch."""
        with self._named(name):
            # A relation streams; the cursor that `execute` gives holds the whole result first.
            relation = self._connection.sql(for_duckdb(name), params=dict(parameters or {}))
            reader = self._streams.enter_context(relation.to_arrow_reader(batch_size))
            yield from reader

    def execute(self, name: str, parameters: Parameters | None = None) -> int:
        """Run a statement that changes rows; give how many it changed."""
        with self._named(name):
            result = self._connection.execute(for_duckdb(name), dict(parameters or {})).fetchall()
        return int(result[0][0]) if result else 0

    def _named(self, name: str) -> AbstractContextManager[None]:
        return translated_errors(f"{self._path}, include/sql/{name}.sql")


@contextmanager
def translated_errors(where: str) -> Iterator[None]:
    """Turn DuckDB's errors into the pipeline's two kinds.

    Parameters
    ----------
    where : str
        The file and what is being done with it, for the message.

    Raises
    ------
    TransientError
        When another process has the file open for longer than `LOCK_TIMEOUT`.
    TerminalError
        For the rest: not a DuckDB file, a missing table, SQL that is rejected, values that do not
        fit.
    """
    try:
        yield
    except duckdb.Error as error:
        if _is_locked(error):
            raise TransientError(
                f"DuckDB {where}: another process kept the file for {LOCK_TIMEOUT} s ({error}). "
                "The next attempt may succeed."
            ) from error
        if "No space left on device" in str(error):
            raise TransientError(
                f"DuckDB {where}: {error}. Make room on that disk; nothing that was published is lost."
            ) from error
        raise TerminalError(f"DuckDB {where}: {error}") from error


def _is_locked(error: BaseException) -> bool:
    # The second message is what a process gets that has the file open in the other mode itself.
    return isinstance(error, duckdb.Error) and any(
        text in str(error) for text in ("Could not set lock", "with a different configuration")
    )


def _open(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    with _heeding_sigterm(path) as asked_to_end:
        attempts = Retrying(
            retry=retry_if_exception(_is_locked),
            wait=wait_random(0.05, 0.25),
            sleep=sleep_using_event(asked_to_end),
            stop=stop_after_delay(LOCK_TIMEOUT) | stop_when_event_set(asked_to_end),
            before_sleep=_Patience(path).say,
            reraise=True,
        )
        return attempts(duckdb.connect, str(path), read_only=read_only)


@contextmanager
def _heeding_sigterm(path: Path) -> Iterator[Event]:
    """Give an event that SIGTERM sets; Airflow's own handler in a task would let the wait go on."""
    asked = Event()
    if current_thread() is not main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
        if asked.is_set():
            signal.raise_signal(signal.SIGTERM)
            raise TransientError(f"Asked to end while waiting for {path}, which is open elsewhere.")


class _Patience:
    """Says who has the file, after a few seconds and then from time to time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next: float = SPEAK_AFTER

    def say(self, state: RetryCallState) -> None:
        """Say it, if it is time."""
        waited = state.seconds_since_start or 0.0
        if waited >= self._next and state.outcome is not None:
            self._next = waited + SPEAK_EVERY
            log.warning(
                "Waiting for %s, which is open elsewhere, for %d s at the most: %s",
                self._path,
                LOCK_TIMEOUT,
                state.outcome.exception(),
            )
