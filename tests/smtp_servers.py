"""Mail servers on this machine that behave as scripted."""

from __future__ import annotations

import asyncio
import email
import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any
from urllib.parse import quote

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

logging.getLogger("mail.log").setLevel(logging.CRITICAL)

HANG = "hang"
DROP = "drop"


@dataclass
class Script:
    """What the server says, and what it has stored.

    A reply is a line such as "451 later", HANG (say nothing), or DROP (close the connection);
    `accept_then` is what happens after a mail has been stored; `senders` are the arguments of MAIL.
    """

    on_connect: str | None = None
    on_hello: str | None = None
    on_recipient: dict[str, str] = field(default_factory=dict)
    on_data: str | None = None
    before_dot: str | None = None
    accept_then: str | None = None
    offers_dsn: bool = False
    senders: list[str] = field(default_factory=list)
    mails: list[Envelope] = field(default_factory=list)
    stored: threading.Event = field(default_factory=threading.Event)

    def inbox(self, recipient: str) -> list[EmailMessage]:
        """Give the mails to one recipient."""
        return [
            email.message_from_bytes(mail.content, policy=default)  # type: ignore[misc]
            for mail in self.mails
            if mail.rcpt_tos == [recipient]
        ]

    def received(self) -> list[str]:
        """Give the recipients of the stored mails, in order."""
        return [recipient for mail in self.mails for recipient in mail.rcpt_tos]

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, said: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*said[:-1], "250-DSN", said[-1]] if self.offers_dsn else said

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        reply = self.on_recipient.get(address)
        if reply:
            return await _behave(server, reply)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.on_data:
            return await _behave(server, self.on_data)
        self.mails.append(envelope)
        self.stored.set()
        return await _behave(server, self.accept_then) if self.accept_then else "250 Stored"


class ScriptedSMTP(SMTP):
    """A server that can fail where a handler has no say."""

    async def _handle_client(self) -> None:
        if self.event_handler.on_connect:
            await self.push(await _behave(self, self.event_handler.on_connect))
            self.transport.close()
            return
        await super()._handle_client()

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        if self.event_handler.on_hello:
            await self.push(self.event_handler.on_hello)
            return
        await super().smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802
        await self.smtp_EHLO(hostname)

    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802
        self.event_handler.senders.append(arg)
        await super().smtp_MAIL(arg.replace(" RET=HDRS", ""))

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if self.event_handler.before_dot:
            await self.push("354 Go on")
            await self._reader.readline()
            await _behave(self, self.event_handler.before_dot)
            return
        await super().smtp_DATA(arg)


async def _behave(server: SMTP, reply: str) -> str:
    if reply == HANG:
        await asyncio.sleep(3600)
    if reply == DROP:
        server.transport.abort()
        return "421 gone"
    return reply


@contextmanager
def serve(
    script: Script, *, ssl_context: ssl.SSLContext | None = None, **options: Any
) -> Iterator[int]:
    """Serve while the block runs, with TLS from the start if told so; give the port."""
    loop = asyncio.new_event_loop()

    def protocol() -> SMTP:
        return ScriptedSMTP(script, loop=loop, data_size_limit=None, **options)

    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0, ssl=ssl_context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def connection_uri(port: int, *, login: str = "", **extra: str) -> str:
    """Give the Airflow connection to a local server without TLS."""
    settings = {
        "disable_ssl": "true",
        "disable_tls": "true",
        "from_email": "store@example.com",
        "timeout": "1",
        "retry_limit": "0",
    } | extra
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in settings.items() if value)
    return f"smtp://{login}127.0.0.1:{port}/?{query}"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """A mail server that `smtp_default` names; it accepts everything until told otherwise."""
    result = Script()
    with serve(result) as port:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection_uri(port))
        yield result
