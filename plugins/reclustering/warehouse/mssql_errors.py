"""What SQL Server's errors mean: worth a retry or not, and what a person should do.

Microsoft's driver keeps neither the error number nor the SQLSTATE on its exceptions
(microsoft/mssql-python#581): it gives the exception's class, and the server's text. Bulk loads do
name the number. So an error is recognised by its number where there is one, else by its text, which
is English because every session asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import mssql_python

from reclustering.core.errors import TerminalError, TransientError

TRANSIENT_ERRORS: Mapping[int, str] = {
    # The server is not there for the moment.
    922: "is being recovered. Waiting until recovery is finished",
    976: "is participating in an availability group and is currently not accessible",
    983: "because its database replica is not in the PRIMARY or SECONDARY role",
    6005: "SHUTDOWN is in progress",
    17142: "SQL Server service has been paused",
    18401: "Server is in script upgrade mode",
    # A wrong name gives it too, but so does a database that starts or fails over, and Microsoft's
    # own retry logic counts it as transient.
    4060: "Cannot open database",
    # Azure SQL: throttling, scaling and failover.
    10928: "limit for the database is",
    10929: "minimum guarantee is",
    40197: "The service has encountered an error processing your request",
    40501: "The service is currently busy",
    40613: "is not currently available",
    49918: "Cannot process request. Not enough resources",
    49919: "Cannot process create or update request. Too many",
    49920: "Cannot process request. Too many operations in progress",
    # Others stood in the way.
    701: "There is insufficient system memory",
    1204: "cannot obtain a LOCK resource",
    1205: "was deadlocked on",
    1222: "Lock request time out period exceeded",
    3960: "Snapshot isolation transaction aborted due to update conflict",
    3961: "has been modified by a DDL statement in another concurrent transaction",
    9002: "The transaction log for database",
}
"""Numbers of sys.messages that may pass by themselves, and what is constant in their text."""


class TerminalAdvice(NamedTuple):
    """What to do about an error that stays until a person acts."""

    number: int | None
    """Its number in sys.messages; None for the driver's own errors."""
    text: str
    """What is constant in its text."""
    advice: str


_RIGHTS = "Grant the rights of include/sql/admin/create_role.sql."
_DATABASE = "Check that the connection names the right database, and the login's rights there."
_PASSWORD = "Set a new password, on the server and in the Airflow connection."  # noqa: S105

TERMINAL_ERRORS = (
    TerminalAdvice(207, "Invalid column name", _DATABASE),
    TerminalAdvice(208, "Invalid object name", _DATABASE),
    TerminalAdvice(229, "permission was denied on the object", _RIGHTS),
    TerminalAdvice(230, "permission was denied on the column", _RIGHTS),
    TerminalAdvice(262, "permission denied in database", _RIGHTS),
    TerminalAdvice(916, "is not able to access the database", _RIGHTS),
    TerminalAdvice(
        1105, "Could not allocate space for object", "Make room for the database's files."
    ),
    TerminalAdvice(2760, "does not exist or you do not have permission to use it", _RIGHTS),
    TerminalAdvice(18452, "The login is from an untrusted domain", "Check ticket and SPN."),
    TerminalAdvice(18456, "Login failed for user", "Check the connection's login and password."),
    TerminalAdvice(18487, "The password of the account has expired", _PASSWORD),
    TerminalAdvice(18488, "The password of the account must be changed", _PASSWORD),
    TerminalAdvice(40615, "is not allowed to access the server", "Open the server's firewall."),
    TerminalAdvice(
        None,
        "Failed to load the driver",
        "Install the libraries that it needs (on Debian and Ubuntu: libltdl7 libkrb5-3 "
        "libgssapi-krb5-2), where Airflow's tasks run.",
    ),
    TerminalAdvice(
        None,
        "certificate",
        "Let this machine trust its issuer, or name its host in host_name_in_certificate; "
        "for development only, set trust_server_certificate. See docs/sql-server.md.",
    ),
)
"""Errors that the driver's exception alone would make transient, or that need advice."""

_RETRY = "The next attempt may succeed."
_DRIVER_PREFIX = re.compile(r"^(\[[^\]]*\])+")
_BULK_LOAD_NUMBER = re.compile(r"Sql Error: (\d+)")


@contextmanager
def translated_errors(where: str) -> Iterator[None]:
    """Turn the driver's errors into the pipeline's two kinds.

    Parameters
    ----------
    where : str
        Server, database and what is being done, for the message.

    Raises
    ------
    TransientError
        For what may pass by itself: deadlock, timeout, lost connection, a server that starts, fails
        over or is throttled.
    TerminalError
        For the rest: login, rights, missing objects, SQL that the server rejects, values that do
        not fit.
    """
    try:
        yield
    # A bulk load raises RuntimeError for what goes wrong on its own connection, and ValueError, as a
    # parameter does, for a value that does not fit its column.
    except (mssql_python.exceptions.Exception, RuntimeError, ValueError) as error:
        raise _explain(where, error) from error


def _explain(where: str, error: Exception) -> TransientError | TerminalError:
    text = _text(error)
    named = _BULK_LOAD_NUMBER.search(text)
    number = int(named[1]) if named else None

    for known, constant in TRANSIENT_ERRORS.items():
        if constant in text or (number and known == number):
            return TransientError(_message(where, known, text, _RETRY))
    for terminal in TERMINAL_ERRORS:
        if terminal.text in text or (number and terminal.number == number):
            return TerminalError(_message(where, terminal.number, text, terminal.advice))
    if isinstance(error, RuntimeError):
        passing = number is None and "Usage Error" not in text
    else:
        passing = isinstance(error, (mssql_python.OperationalError, mssql_python.InternalError))
    if passing:
        return TransientError(_message(where, number, text, _RETRY))
    return TerminalError(_message(where, number, text, ""))


def _message(where: str, number: int | None, text: str, advice: str) -> str:
    error = f" error {number}:" if number else ""
    return f"{where}:{error} {text.rstrip('.')}. {advice}".strip()


def _text(error: Exception) -> str:
    if isinstance(error, mssql_python.exceptions.Exception):
        server_text = _DRIVER_PREFIX.sub("", error.ddbc_error)
        return ": ".join(filter(None, (error.driver_error, server_text)))
    return str(error)
