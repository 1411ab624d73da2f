"""The Airflow connection of the mail server, with every extra read as what it must be."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from airflow.sdk import Connection

from reclustering.connections import read_choice, read_connection, read_extras, read_switch
from reclustering.core.errors import TerminalError

log = logging.getLogger(__name__)

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
"""Hosts to which nothing leaves this machine."""

_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+")
"""A name, or an address of either version."""


def read_smtp_connection(conn_id: str) -> Connection:
    """Read a connection of type `smtp`.

    Returns
    -------
    Connection
        The same, whose extras are JSON of the right types: the provider's hook takes any text for true.

    Raises
    ------
    TerminalError
        When it does not exist or cannot be read, an extra is not known or is not what it must be, or it
        names no host, half a login, or no way to log in.
    """
    connection = read_connection(
        conn_id, types=["smtp"], example="smtp://user:password@mail.example.com:587/?…"
    )
    where = f"The Airflow connection '{conn_id}' has"
    extras = {
        name: EXTRAS[name](value, extra=f"{where} {name}")
        for name, value in read_extras(connection, EXTRAS).items()
    }
    if len(connection.host or "") > 253 or not _HOST.fullmatch(connection.host or ""):
        raise TerminalError(
            f"{where} the host '{connection.host or ''}'; expected that of the mail server."
        )
    _require_login(connection, extras, where)
    encrypted = not extras.get("disable_ssl", False)
    # Inside TLS there is no second one to start.
    extras["disable_tls"] = encrypted or extras.get("disable_tls", False)
    if not encrypted and extras["disable_tls"] and connection.host not in _LOOPBACK:
        log.warning(
            "%s disable_ssl and disable_tls: the list, and the login if there is one, go to %s unencrypted.",
            where,
            connection.host,
        )
    return attrs.evolve(connection, extra=json.dumps(extras))


def _require_login(connection: Connection, extras: Mapping[str, Any], where: str) -> None:
    if extras.get("auth_type") == "oauth2":
        if not extras.get("access_token") and not (
            extras.get("client_id") and extras.get("client_secret")
        ):
            raise TerminalError(
                f"{where} auth_type = 'oauth2'; expected access_token, or client_id and client_secret, "
                "beside it."
            )
    elif bool(connection.login) != bool(connection.password):
        has, lacks = ("login", "password") if connection.login else ("password", "login")
        raise TerminalError(
            f"{where} a {has} and no {lacks}; expected both, or neither for a server that asks for none."
        )
    elif not f"{connection.login}{connection.password}".isascii():
        raise TerminalError(
            f"{where} a login or password with letters beyond ASCII; expected none, for SMTP cannot say them."
        )


def _text(value: Any, *, extra: str) -> str:
    if not isinstance(value, str):
        # Not the value: it may be a secret.
        raise TerminalError(f"{extra} of type {type(value).__name__}; expected a text.")
    return value


def _number(smallest: int) -> Callable[..., int]:
    def read(value: Any, *, extra: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", str(value).strip()) or int(value) < smallest:
            raise TerminalError(
                f"{extra} = '{value}'; expected a whole number, at least {smallest}."
            )
        return int(value)

    return read


def _one_of(*choices: str) -> Callable[..., str]:
    def read(value: Any, *, extra: str) -> str:
        return read_choice(value, choices, extra=extra)

    return read


EXTRAS: Mapping[str, Callable[..., Any]] = {
    "from_email": _text,
    "disable_ssl": read_switch,
    "disable_tls": read_switch,
    "ssl_context": _one_of("default", "none"),
    "timeout": _number(1),
    "retry_limit": _number(0),
    "auth_type": _one_of("basic", "oauth2"),
    "access_token": _text,
    "client_id": _text,
    "client_secret": _text,
    "tenant_id": _text,
    "scope": _text,
    # Of the provider's other operators.
    "subject_template": _text,
    "html_content_template": _text,
}
"""The provider's extras, and how each is read."""
