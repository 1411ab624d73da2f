"""What an error of SQL Server or its driver means: worth a retry or not, and what a person should do.

Microsoft's driver keeps neither the error number nor the SQLSTATE on its exceptions
(microsoft/mssql-python#581), but its `driver_error` is a text of its own for each SQLSTATE, which is the
same in every language. Where the SQLSTATE does not say enough (42000, above all), the number does: bulk
loads name it; otherwise it is known by the message's text, which is English because every session
asks for it. A message is compared from its start, so what a name or a value says in it does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import mssql_python
from mssql_python.exceptions import sqlstate_to_exception

from reclustering.core.errors import TerminalError, TransientError
from reclustering.warehouse.mssql_messages import (
    ADVISED_MESSAGES,
    DATABASE,
    LOGIN,
    TRANSIENT_MESSAGES,
)

Judgement = tuple[type[TransientError | TerminalError], int | None, str]
"""The kind of an error, its number if that is known, and what to do."""

_RETRY = "The next attempt may succeed."
_REFUSED = "Is the name of the database right? It may also be starting, or failing over."
_UNANSWERED = (
    "Are host and port of the connection right, is the server up, and is no firewall between?"
)

PASSING: Mapping[str, str] = {
    "08001": _UNANSWERED,
    "08003": _RETRY,
    "08004": _UNANSWERED,
    "08007": _RETRY,
    "08S01": _RETRY,
    "25000": _RETRY,
    "25S01": _RETRY,
    "25S03": _RETRY,
    "40001": _RETRY,
    "40003": _RETRY,
    "HY000": _RETRY,
    "HY001": _RETRY,
    "HY008": _RETRY,
    "HY013": _RETRY,
    "HY014": _RETRY,
    "HYT00": _RETRY,
    "HYT01": _UNANSWERED,
}
"""SQLSTATEs that may pass by themselves: connections, time-outs, deadlocks, memory."""

STAYING: Mapping[str, str] = {
    "28000": LOGIN,
    "3D000": DATABASE,
    "42000": "",
    "42S02": DATABASE,
    "42S22": DATABASE,
}
"""SQLSTATEs that stay until a person acts, and what helps."""

_STATES = {
    sqlstate_to_exception(state, "").driver_error: state  # type: ignore[union-attr]
    for state in (*PASSING, *STAYING)
}

_DRIVER_PREFIX = re.compile(r"^(\[[^\]]*\])+")
_BULK_LOAD_NUMBER = re.compile(r"Sql Error: (\d+)")

_DRIVER = "Failed to load the driver"
_DRIVER_ADVICE = (
    "Install the libraries that it needs (on Debian and Ubuntu: libltdl7 libkrb5-3 libgssapi-krb5-2), "
    "where Airflow's tasks run."
)
_CERTIFICATE = "certificate verify failed"
_CERTIFICATE_ADVICE = (
    "Let this machine trust its issuer, or name its host in host_name_in_certificate; for development "
    "only, set trust_server_certificate. See docs/sql-server.md."
)


@contextmanager
def translated_errors(where: str, *, connecting: bool = False) -> Iterator[None]:
    """Turn the driver's errors into the pipeline's two kinds.

    Parameters
    ----------
    where : str
        Server, database and what is being done, for the message.
    connecting : bool
        Whether no session is open yet. The server then speaks its own language, and what it refuses may
        be a database that starts or fails over.

    Raises
    ------
    TransientError
        For what may pass by itself: deadlock, time-out, lost connection, a server that starts, fails
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
        kind, number, advice = _judge(error, connecting=connecting)
        named = f" error {number}:" if number else ""
        said = [getattr(error, "driver_error", ""), _text(error)]
        what = ": ".join(dict.fromkeys(filter(None, said))).rstrip(".")
        raise kind(f"{where}:{named} {what}. {advice}".strip()) from error


def _judge(error: Exception, *, connecting: bool) -> Judgement:
    text = _text(error)
    if isinstance(error, (RuntimeError, ValueError)):
        return _judge_bulk_load(text, usage=isinstance(error, ValueError))
    state = _STATES.get(getattr(error, "driver_error", ""))
    number = _number_of(text) if state else None
    if number:
        return _judge_number(number)
    if state == "08001" and _CERTIFICATE in text:
        return TerminalError, None, _CERTIFICATE_ADVICE
    if connecting and state in {"42000", "HYT00"}:
        return TransientError, None, _REFUSED if state == "42000" else _UNANSWERED
    if state:
        kind = TransientError if state in PASSING else TerminalError
        return kind, None, PASSING.get(state) or STAYING[state]
    if _DRIVER in text:
        return TerminalError, None, _DRIVER_ADVICE
    if isinstance(error, (mssql_python.OperationalError, mssql_python.InternalError)):
        return TransientError, None, _RETRY
    return TerminalError, None, ""


def _judge_bulk_load(text: str, *, usage: bool) -> Judgement:
    named = _BULK_LOAD_NUMBER.search(text)
    if named:
        return _judge_number(int(named[1]))
    if _CERTIFICATE in text:
        return TerminalError, None, _CERTIFICATE_ADVICE
    if usage or "Usage Error" in text:
        return TerminalError, None, ""
    return TransientError, None, _RETRY


def _judge_number(number: int) -> Judgement:
    if number in TRANSIENT_MESSAGES:
        return TransientError, number, _RETRY
    advised = ADVISED_MESSAGES.get(number)
    return TerminalError, number, advised.advice if advised else ""


def _number_of(text: str) -> int | None:
    """Give the number of a message in sys.messages, if it is one of those that are known."""
    found = [number for number, pattern in _PATTERNS.items() if pattern.match(text)]
    # One text may be the start of another: the longer one tells more.
    return max(found, key=lambda number: len(_PATTERNS[number].pattern), default=None)


def _text(error: Exception) -> str:
    """Give what the server has said, or else the driver."""
    if isinstance(error, mssql_python.exceptions.Exception):
        return _DRIVER_PREFIX.sub("", error.ddbc_error) or error.driver_error
    return str(error)


def _pattern(text: str) -> re.Pattern[str]:
    first, *parts = map(re.escape, re.split("%ls|%d", text))
    # Some begin with the name of a right, such as CREATE TABLE.
    return re.compile(".*?".join([first or "[A-Z ]+", *parts]), re.DOTALL)


_PATTERNS = {
    number: _pattern(text)
    for number, text in (
        *TRANSIENT_MESSAGES.items(),
        *((number, one.text) for number, one in ADVISED_MESSAGES.items()),
    )
}
