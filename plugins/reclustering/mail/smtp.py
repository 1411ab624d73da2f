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
from email.utils import parseaddr
from functools import cached_property
from typing import NoReturn, cast

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from reclustering.core.errors import TerminalError
from reclustering.core.protocols import NotAcceptedError, UnansweredError

Reply = tuple[int, bytes]


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
    def sender(self) -> str:
        """The connection's `from_email`.

        Raises
        ------
        TerminalError
            When there is no such connection, or it names no sender.
        """
        hook = SmtpHook(self._conn_id)
        try:
            hook.smtp_connection = hook.get_connection(self._conn_id)
        except AirflowNotFoundException as error:
            raise TerminalError(
                f"There is no Airflow connection '{self._conn_id}'. Create it under Admin > "
                f"Connections, or set AIRFLOW_CONN_{self._conn_id.upper()} (smtp://…)."
            ) from error
        if "@" not in parseaddr(hook.from_email or "")[1]:
            raise TerminalError(
                f"The Airflow connection '{self._conn_id}' has from_email = '{hook.from_email}' in its "
                "extra; expected the address that the mails come from."
            )
        return str(hook.from_email)

    @contextmanager
    def connect(self) -> Iterator[SmtpConversation]:
        """Connect and log in; say goodbye at the end.

        Raises
        ------
        NotAcceptedError
            When the server cannot be reached, or TLS or the login fails.
        """
        hook = SmtpHook(self._conn_id)
        try:
            hook.get_conn()
        except Exception as error:  # noqa: BLE001 (smtplib, ssl, socket, Airflow, MSAL: all mean "no")
            raise NotAcceptedError(
                f"no connection to the mail server of '{self._conn_id}': {_reason(error)}",
                permanent=_is_permanent(error),
            ) from None
        client = cast("smtplib.SMTP", hook._smtp_client)  # noqa: SLF001 (there is no other way)
        try:
            yield SmtpConversation(client, parseaddr(self.sender)[1])
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
        try:
            reply = self._client.getreply()
        except OSError as error:  # smtplib's own among them
            raise UnansweredError(f"no answer to the complete mail: {_reason(error)}") from None
        self._judge(reply)
        return _text(reply)

    def _announce(self, recipient: str, size: int) -> None:
        client = self._client
        client.ehlo_or_helo_if_needed()
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
        f"the server refused {what} with {_text(reply)}", permanent=500 <= reply[0] < 600
    )


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
    return not isinstance(error, OSError | AirflowException)


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        raw = error.smtp_error
        return _text((error.smtp_code, raw if isinstance(raw, bytes) else str(raw).encode()))
    return f"{type(error).__name__}: {_without_addresses(str(error))}"


def _text(reply: Reply) -> str:
    said = reply[1].decode("utf-8", "replace")
    return f"{reply[0]} {_without_addresses(said)}".strip()[:300]


def _without_addresses(text: str) -> str:
    """Hide addresses: a server may quote the mail that it refuses, and customers' are in there."""
    return re.sub(r"[^\s<>,;:\"']+@[^\s<>,;:\"']+", "(address)", " ".join(text.split()))
