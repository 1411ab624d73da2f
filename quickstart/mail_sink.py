"""A local SMTP server that stores what it receives, one `.eml` file per mail."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

LOCALHOST = "127.0.0.1"


class Outbox:
    """Stores mails in a folder; each file is readable by its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(  # noqa: N802
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
    ) -> str:
        """Store one mail; aiosmtpd's hook."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.eml"
        scratch = self._folder / f".{name}"
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(envelope.original_content or b"")
        scratch.replace(self._folder / name)
        return "250 Stored"


def free_port() -> int:
    """Give a TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def mail_sink(folder: Path, port: int) -> Iterator[None]:
    """Receive mail on a local port while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    controller = Controller(
        Outbox(folder), hostname=LOCALHOST, port=port, data_size_limit=100 * 1024 * 1024
    )
    controller.start()
    try:
        yield
    finally:
        controller.stop()
