"""Airflow connections, read whole or refused by name.

Airflow itself takes a connection that it cannot parse for one that is not there, extras that are no JSON
for none, and leaves it to each hook what the text `false` means.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable
from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from reclustering.core.errors import TerminalError
from reclustering.core.names import unknown_names

_SWITCH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_connection(conn_id: str, *, types: Collection[str], example: str) -> Connection:
    """Read a connection.

    Parameters
    ----------
    conn_id : str
        Its name.
    types : collection of str
        Which types it may have; any if empty.
    example : str
        What to set it to, for the message.

    Raises
    ------
    TerminalError
        When it does not exist, cannot be read as it is written (which is not repeated, for it holds a
        password), or is of another type.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise TerminalError(_why_missing(conn_id, example)) from error
    if not connection.conn_type or _is_cut(os.environ.get(_variable(conn_id), "")):
        raise TerminalError(_why_missing(conn_id, example))
    if types and connection.conn_type not in types:
        raise TerminalError(
            f"The Airflow connection '{conn_id}' is of type '{connection.conn_type}'; "
            f"expected {' or '.join(types)}."
        )
    if connection.port is not None and not 0 < connection.port < 65536:
        raise TerminalError(
            f"The Airflow connection '{conn_id}' has the port {connection.port}; expected 1 to 65535."
        )
    return connection


def read_extras(connection: Connection, known: Iterable[str]) -> dict[str, Any]:
    """Read the extras of a connection.

    Raises
    ------
    TerminalError
        When they are no JSON object, or one is not known.
    """
    expected = sorted(known)
    try:
        extras = json.loads(connection.extra or "{}")
    except ValueError:
        extras = None
    if not isinstance(extras, dict):
        raise TerminalError(
            f"The Airflow connection '{connection.conn_id}' has extras that are no JSON object; expected "
            '{"name": "value"}.'
        )
    # What is no name at all may be a part of a password that was cut.
    if not all(re.fullmatch(r"[\w.-]+", name) for name in extras):
        raise TerminalError(_why_missing(connection.conn_id, ""))
    unknown = unknown_names(extras, expected)
    query = os.environ.get(_variable(connection.conn_id), "").partition("?")[2]
    if unknown and re.search(r"@[^&]*/", query):
        raise TerminalError(_why_missing(connection.conn_id, ""))
    if unknown:
        raise TerminalError(
            f"The Airflow connection '{connection.conn_id}' has the extras {unknown}, which are not "
            f"known; expected {'some of ' + ', '.join(expected) if expected else 'none'}."
        )
    return {name: value for name, value in extras.items() if value not in (None, "")}


def read_switch(value: Any, *, extra: str) -> bool:
    """Read true, false, yes, no, 0 or 1, in any case; extras in a URI are text.

    Parameters
    ----------
    value : object
        What was set.
    extra : str
        The connection and the name of the extra, for the message.

    Raises
    ------
    TerminalError
        When it is something else.
    """
    switch = _SWITCH.get(str(value).strip().lower())
    if switch is None:
        raise TerminalError(f"{extra} = '{value}'; expected true or false.")
    return switch


def read_choice(value: Any, choices: Iterable[str], *, extra: str) -> str:
    """Read one of several words, in any case; give it as it is written in `choices`.

    Raises
    ------
    TerminalError
        When it is something else.
    """
    words = {one.lower(): one for one in choices}
    word = words.get(str(value).strip().lower())
    if word is None:
        raise TerminalError(f"{extra} = '{value}'; expected {' or '.join(words.values())}.")
    return word


def _variable(conn_id: str) -> str:
    return f"AIRFLOW_CONN_{conn_id.upper()}"


def _why_missing(conn_id: str, example: str) -> str:
    name = _variable(conn_id)
    if os.environ.get(name):
        where = f"The Airflow connection '{conn_id}' is set, by {name}, but cannot be read"
    elif example:
        return (
            f"There is no Airflow connection '{conn_id}'. Create it under Admin > Connections, or set "
            f"{name} ({example}). If a secrets backend has it, its value is not a connection's."
        )
    else:
        where = f"The Airflow connection '{conn_id}' is set, but cannot be read"
    return (
        f"{where}. As a URI it is type://login:password@host:port/database?extra=value, with each of "
        "/ # ? [ ] @ : % and blanks in login, password, database and values percent-encoded (/ is %2F, # "
        "is %23, ? is %3F, [ is %5B) and a port from 1 to 65535; as JSON an object with conn_type, host, "
        "login, password, schema, port and extra."
    )


def _is_cut(text: str) -> bool:
    """Tell whether a URI is read, but not as it was meant: a raw sign has cut the login off, or the end."""
    if text.lstrip().startswith("{") or "://" not in text:
        return False
    rest = text.partition("://")[2]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path, _, query = rest[len(authority) :].partition("?")
    return "#" in rest or "?" in query or bool(authority and "@" in path)
