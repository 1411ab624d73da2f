"""The ways to whoever operates the pipeline: mail, and whatever Apprise knows."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from airflow.sdk import BaseHook, Variable
from airflow.sdk.exceptions import AirflowNotFoundException

from reclustering.connections import read_connection, read_extras
from reclustering.core.errors import TerminalError, TransientError, without_addresses
from reclustering.core.header_text import header_text
from reclustering.core.mail_message import new_message
from reclustering.core.mailboxes import read_mailboxes
from reclustering.mail import SmtpMailer

log = logging.getLogger(__name__)

CHANNEL = "alert_channel"
"""The connection, of the provider's type `apprise`, of a second channel."""


def send_alert(subject: str, text: str, *, to: Callable[[], list[str]] | None = None) -> None:
    """Send an alert on every channel; that one fails keeps no other from being tried, and is logged.

    It is mailed to those whom `to` gives; unless told otherwise, to the `alert_recipients`.
    """
    _attempt(_notify, subject, text)
    _attempt(partial(_mail_everybody, to or alert_recipients), subject, text)


def alert_recipients() -> list[str]:
    """Read the Airflow Variable `alert_recipients`; nobody if it is not set.

    Raises
    ------
    TerminalError
        When an entry is no e-mail address.
    """
    text = Variable.get("alert_recipients", default=None) or ""
    return read_mailboxes(text, setting="The Airflow Variable alert_recipients")


def alert_services() -> Any:
    """Give the services of Apprise that the connection `alert_channel` names; None if it is not set.

    Raises
    ------
    TerminalError
        When Apprise does not know one of them.
    """
    try:
        BaseHook.get_connection(CHANNEL)
    except AirflowNotFoundException:
        return None
    connection = read_connection(CHANNEL, types=["apprise"], example="a connection of type apprise")
    config: Any = read_extras(connection, ["config"]).get("config")
    with suppress(TypeError, ValueError):  # as a form or a URI has it, a text
        config = json.loads(config)
    named = config if isinstance(config, list) else [config]
    # Half a second, which no task need spend.
    from apprise import Apprise

    services = Apprise()
    with _unheard("apprise"):
        known = [isinstance(one, dict) and services.add(one.get("path") or "") for one in named]
    if not known or not all(known):
        raise TerminalError(
            f"The Airflow connection '{CHANNEL}' names a service in its config that Apprise does not know, "
            'or none; expected {"path": "a URL of Apprise"}, or a list of such.'
        )
    return services


@contextmanager
def _unheard(logger: str) -> Iterator[None]:
    """Let a library not log: it would repeat a URL with its secret."""
    logging.getLogger(logger).disabled = True
    try:
        yield
    finally:
        logging.getLogger(logger).disabled = False


def _notify(subject: str, text: str) -> None:
    services = alert_services()
    if services and not services.notify(title=subject, body=text):
        raise TransientError(f"a service of the connection '{CHANNEL}' did not take it")


def _mail_everybody(recipients: Callable[[], list[str]], subject: str, text: str) -> None:
    for recipient in recipients():
        _attempt(_mail, subject, text, recipient)


def _mail(subject: str, text: str, recipient: str) -> None:
    mailer = SmtpMailer()
    mail = new_message(
        subject=header_text(subject), sender=mailer.sender, to=recipient, now=datetime.now(UTC)
    )
    # Line by line, what no mail can carry goes: a param may hold halves of characters.
    mail.set_content("".join(f"{header_text(line)}\n" for line in text.splitlines()))
    with mailer.connect() as conversation:
        conversation.send(recipient, mail.as_bytes())


def _attempt(send: Callable[..., None], subject: str, *args: str) -> None:
    try:
        send(subject, *args)
    except Exception as error:  # noqa: BLE001 (an alert that fails must hide nothing)
        reason = f"{type(error).__name__}: {without_addresses(str(error))}"
        log.error("The alert '%s' could not be sent: %s", subject, reason)  # noqa: TRY400 (no secrets)
