"""The one-shot initialiser of docker-compose.yaml: a SQL Server on which the pipeline can run.

It makes what the connection `warehouse` promises: the database, with the store's tables, and the
login, with the rights of the pipeline's role and no other. The tables come from the backup of the
tutorial's database, where there is one, else from the sample store. What is there already stays, so
running it again does no harm; a sample store gets the days since.

Nothing else logs in as `sa`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
from airflow.sdk import Connection
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from quickstart import sample_store
from quickstart.load_sample import is_sample_store, load_sample
from reclustering.connections import read_connection
from reclustering.core.errors import TerminalError, TransientError
from reclustering.warehouse import connect
from reclustering.warehouse.mssql import MsSqlSession, MsSqlWarehouse
from reclustering.warehouse.schema import create_own_objects, require_source

ROLE = "customer_reclustering"
"""The role that include/sql/admin/create_role.sql creates."""

START_TIMEOUT = 180
"""Seconds that the server may take from listening to letting its administrator in."""


def main() -> int:
    """Initialise the server that the environment names; give the exit code."""
    try:
        initialise(
            read_connection("warehouse", types=["mssql"], example="mssql://…"),
            administrator=("sa", os.environ["MSSQL_SA_PASSWORD"]),
            backup=Path(os.environ["BACKUP_FILE"]),
        )
    except (TerminalError, TransientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def initialise(promised: Connection, *, administrator: tuple[str, str], backup: Path) -> None:
    """Make the database and the login of a connection.

    Parameters
    ----------
    promised : Connection
        What the pipeline will connect with: host, port, database, login, password and extras.
    administrator : tuple of str
        Login and password of somebody who may create both.
    backup : Path
        A backup to restore, which the server reads under the same path. It need not exist.

    Raises
    ------
    TerminalError, TransientError
        When the server refuses something, or does not answer.
    """
    server = _as_administrator(promised, administrator, database="master")
    database = _as_administrator(promised, administrator, database=promised.schema or "")
    wait_for(server)
    create_database(server, promised.schema or "", backup)
    wait_for(database)
    create_tables(database)
    let_in(database, promised)
    require_source(connect(promised.conn_id))
    print(f"{promised.login} can use {database.target}.")


@retry(
    retry=retry_if_exception_type((TransientError, TerminalError)),
    wait=wait_fixed(2),
    stop=stop_after_delay(START_TIMEOUT),
    reraise=True,
)
def wait_for(database: MsSqlWarehouse) -> None:
    """Wait until the server lets its administrator into a database.

    On its first start it listens before it knows the password, and on a later one before it has
    recovered the database, so a refusal counts as not yet.
    """
    database.get_conn().close()


def create_database(server: MsSqlWarehouse, name: str, backup: Path) -> None:
    """Restore or create the database, unless it is there."""
    with _session(server) as session:
        if session.query("admin/database_state", {"database": name}):
            print(f"The database {name} is there already.")
        elif backup.is_file():
            print(f"Restoring {name} from {backup.name} …", flush=True)
            session.execute("admin/restore_database", {"backup": str(backup)})
        else:
            print(f"There is no {backup.name}, so {name} gets the sample store.", flush=True)
            session.execute("admin/create_database", {"database": name})


def create_tables(database: MsSqlWarehouse) -> None:
    """Load the sample store into an empty database, or the days it lacks; create the pipeline's tables.

    Raises
    ------
    TerminalError
        When an earlier attempt ended in the middle of loading.
    """
    with _session(database) as session:
        try:
            session.execute("admin/allow_snapshot_isolation")
        except TerminalError as error:
            print(f"Runs will read without a snapshot. {error}")
        present = {row["table_name"].lower() for row in session.query("sample/objects")}
    if not present or is_sample_store(database, sample_store.tables()):
        load_sample(database)
    # Loading starts with the suppressions' table, and the other tables of ours come after it.
    elif "email_suppressions" in present and "customer_clusters" not in present:
        raise TerminalError(
            f"{database.target}: the sample store was not loaded to its end. Drop the database and "
            "run this again; with Docker Compose, start afresh (docs/docker-compose.md)."
        )
    create_own_objects(database)


def let_in(database: MsSqlWarehouse, promised: Connection) -> None:
    """Create the pipeline's role, and its login as a member."""
    with _session(database) as session:
        session.execute("admin/create_role")
        session.execute(
            "admin/create_login", {"login": promised.login, "password": promised.password}
        )
        session.execute("admin/create_user", {"login": promised.login, "role": ROLE})


def _as_administrator(
    promised: Connection, administrator: tuple[str, str], *, database: str
) -> MsSqlWarehouse:
    """Give the hook for another login and database of the same server."""
    login, password = administrator
    connection = attrs.evolve(promised, login=login, password=password, schema=database)
    return MsSqlWarehouse(connection)


@contextmanager
def _session(warehouse: MsSqlWarehouse) -> Iterator[MsSqlSession]:
    """Open a session without a transaction, in which no database could be created or restored."""
    with closing(warehouse.get_conn()) as connection:
        yield MsSqlSession(connection, warehouse.target)


if __name__ == "__main__":
    sys.exit(main())
