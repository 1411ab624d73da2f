"""SMTP, one command at a time, so that it is known at every moment what the server has accepted.

The provider's hook makes the connection: TLS, login and time-outs are those of the Airflow
connection. Its own `send_email_smtp` is not used, for it sends again after any error, even one that
comes after the server has accepted the mail.
"""

from __future__ import annotations

import re
import select
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import formataddr
from functools import cached_property
from typing import NoReturn, cast

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk import Connection

from reclustering.core.errors import without_addresses
from reclustering.core.mailboxes import Mailbox, read_mailbox
from reclustering.core.protocols import NotAcceptedError, UnansweredError
from reclustering.mail.connection import read_smtp_connection

Reply = tuple[int, bytes]


class _Hook(SmtpHook):
    """The provider's hook, on a connection that has been read."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.conn_id)
        self._read = connection

    def get_connection(self, conn_id: str) -> Connection:  # type: ignore[override]  # noqa: ARG002
        return self._read


class SmtpMailer:
    """The mail server that an Airflow connection names.

    Parameters
    ----------
    conn_id : str
        A connection of type `smtp` with `from_email` in its extra.
    """

    def __init__(self, conn_id: str = "smtp_default") -> None:
        self._conn_id = conn_id

    @cached_property
    def _connection(self) -> Connection:
        return read_smtp_connection(self._conn_id)

    @cached_property
    def _mailbox(self) -> Mailbox:
        return read_mailbox(
            self._connection.extra_dejson.get("from_email", ""),
            setting=f"from_email, an extra of the Airflow connection '{self._conn_id}',",
        )

    @property
    def sender(self) -> str:
        """The connection's `from_email`.

        Raises
        ------
        TerminalError
            When there is no such connection, it is not what it must be (see `read_smtp_connection`), or it
            names no sender.
        """
        return formataddr(self._mailbox)

    @contextmanager
    def connect(self) -> Iterator[SmtpConversation]:
        """Connect and log in; say goodbye at the end.

        Raises
        ------
        NotAcceptedError
            When the server cannot be reached, or TLS or the login fails.
        """
        hook, sender = _Hook(self._connection), self._mailbox.address
        try:
            hook.get_conn()
            client = cast("smtplib.SMTP", hook._smtp_client)  # noqa: SLF001 (there is no other way)
            client.ehlo_or_helo_if_needed()
        except Exception as error:  # noqa: BLE001 (smtplib, ssl, socket, Airflow, MSAL: all mean "no")
            raise NotAcceptedError(
                f"no connection to the mail server of '{self._conn_id}': {_reason(error)}",
                permanent=_is_permanent(error),
            ) from None
        try:
            yield SmtpConversation(client, sender)
            # Only after a whole mail: in the middle of one, QUIT would be read as a part of it.
            with suppress(OSError):
                client.quit()
        finally:
            client.close()


class SmtpConversation:
    """An open connection, on which mails can be handed over.

    Parameters
    ----------
    client : smtplib.SMTP
        Connected and logged in.
    sender : str
        Envelope sender.
    """

    def __init__(self, client: smtplib.SMTP, sender: str) -> None:
        self._client = client
        self._sender = sender

    def send(self, recipient: str, message: bytes) -> str:
        """Hand over one mail to one recipient.

        Parameters
        ----------
        recipient : str
            Envelope recipient.
        message : bytes
            The mail, with CRLF line ends.

        Returns
        -------
        str
            The server's answer, such as `250 2.0.0 Ok: queued as 4XYZ`, by which its log knows the mail.

        Raises
        ------
        NotAcceptedError
            When it was certainly not accepted: the server said so, or the connection ended before
            the last dot.
        UnansweredError
            When the last dot was sent and no answer came.
        """
        try:
            self._announce(recipient, len(message))
            self._client.send(_dotted(message))
            self._require_silence()
            self._client.send(b".\r\n")
        except OSError as error:  # smtplib's own among them
            raise NotAcceptedError(
                f"the connection ended before the mail was complete: {_reason(error)}",
                permanent=False,
            ) from None
        except ValueError as error:  # what cannot be written into a command
            raise NotAcceptedError(
                f"the mail could not be handed over: {_reason(error)}", permanent=True
            ) from None
        try:
            reply = self._client.getreply()
        except (OSError, ValueError) as error:  # smtplib's own among them
            raise UnansweredError(f"no answer to the complete mail: {_reason(error)}") from None
        self._judge(reply)
        return _text(reply)

    def _announce(self, recipient: str, size: int) -> None:
        client = self._client
        options = [f"size={size}"] if client.has_extn("size") else []
        if client.has_extn("dsn"):
            # Else a bounce can bring the whole list to whoever reads, or does not read, the sender's mail.
            options.append("RET=HDRS")
        _expect(client.mail(self._sender, options), "the sender", {250})
        _expect(client.rcpt(recipient), "the recipient", {250, 251})
        _expect(client.docmd("DATA"), "the mail", {354})

    def _require_silence(self) -> None:
        """Stop before the last dot when the server has hung up, or speaks out of turn."""
        sock = self._client.sock
        if sock is None or select.select([sock], [], [], 0)[0]:
            raise smtplib.SMTPServerDisconnected("the server has ended the conversation")

    @staticmethod
    def _judge(reply: Reply) -> None:
        code = reply[0]
        if 200 <= code < 300:
            return
        if not 400 <= code < 600:
            raise UnansweredError(f"the answer to the complete mail was {_text(reply)}")
        _refuse(reply, "the mail")


def _expect(reply: Reply, what: str, codes: set[int]) -> None:
    if reply[0] not in codes:
        _refuse(reply, what)


def _refuse(reply: Reply, what: str) -> NoReturn:
    raise NotAcceptedError(
        f"the server refused {what} with {_text(reply)}",
        permanent=500 <= reply[0] < 600,
        too_large=_says_too_large(reply),
    )


def _says_too_large(reply: Reply) -> bool:
    """Tell whether the mail was too big: 552, unless it says that a mailbox is full (RFC 3463)."""
    code, text = reply
    status = re.match(rb"5\.\d{1,3}\.\d{1,3}", text)
    return status[0] in {b"5.2.3", b"5.3.4"} if status else code == 552


def _dotted(message: bytes) -> bytes:
    return re.sub(rb"(?m)^\.", b"..", message)


def _is_permanent(error: Exception) -> bool:
    if isinstance(error, smtplib.SMTPResponseException):
        return 500 <= error.smtp_code < 600
    if isinstance(error, ssl.SSLError):
        return not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    if isinstance(error, smtplib.SMTPException):
        return not isinstance(error, smtplib.SMTPServerDisconnected)
    # The hook raises Airflow's own when the server hangs up again and again.
    hung_up = isinstance(error.__context__, smtplib.SMTPServerDisconnected)
    return not (isinstance(error, OSError) or hung_up)


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        raw = error.smtp_error
        return _text((error.smtp_code, raw if isinstance(raw, bytes) else str(raw).encode()))
    return f"{type(error).__name__}: {without_addresses(str(error))}"


def _text(reply: Reply) -> str:
    said = reply[1].decode("utf-8", "replace")
    return f"{reply[0]} {without_addresses(said)}".strip()[:300]
