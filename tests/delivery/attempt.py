"""One attempt at mailing the list, in a process of its own that dies at a given moment.

`python -m tests.delivery.attempt <folder> <moment>`; the parent sets the connections.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

from reclustering.mail import SmtpMailer
from reclustering.warehouse import connect
from tests.world import World


class DyingMailer(SmtpMailer):
    """Kills the process before it connects, before it sends, or when the mail has been accepted."""

    def __init__(self, moment: str) -> None:
        super().__init__()
        self.moment = moment

    @contextmanager
    def connect(self):
        self.die_at("connecting")
        with super().connect() as conversation:
            yield _DyingConversation(self, conversation)

    def die_at(self, moment: str) -> None:
        if moment == self.moment:
            os.kill(os.getpid(), signal.SIGKILL)


class _DyingConversation:
    def __init__(self, mailer: DyingMailer, conversation) -> None:
        self.mailer, self.conversation = mailer, conversation

    def send(self, recipient: str, message: bytes) -> str:
        self.mailer.die_at("sending")
        answer = self.conversation.send(recipient, message)
        self.mailer.die_at("accepted")
        return answer


if __name__ == "__main__":
    world = World(Path(sys.argv[1]), connect())
    world.email(world.run(), DyingMailer(sys.argv[2]))
