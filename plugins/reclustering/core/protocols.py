"""What the stages ask of the world: a warehouse and a way to send mail.

The adapters in `warehouse` and `mail` fulfil these; so can a stand-in of a test. Statements are named
by their file under `include/sql`, without the ending, such as `labels/previous_run`. Their values are
passed as a mapping and bound by the driver.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pyarrow as pa

Parameters = Mapping[str, Any]


class Session(Protocol):
    """One connection inside one transaction."""

    def query(self, name: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        """Run a statement whose result is small; one dict per row."""

    def stream(
        self, name: str, parameters: Parameters | None = None, *, batch_size: int = 100_000
    ) -> Iterator[pa.RecordBatch]:
        """Run a statement and give its result batch by batch, in bounded memory."""

    def execute(self, name: str, parameters: Parameters | None = None) -> int:
        """Run a statement that changes rows; give how many it changed."""


class Warehouse(Protocol):
    """A store with the four source tables and the pipeline's own tables in schema `dbo`."""

    def read(self, *, late: bool = False) -> AbstractContextManager[Session]:
        """Open a session that sees one consistent state and blocks no writer.

        `late` says that a copy will do which is some seconds behind: for the store's own large tables.
        """

    def transaction(self, *, lock: str | None = None) -> AbstractContextManager[Session]:
        """Open a session that commits when the block ends and rolls back when it raises.

        `lock` names something that only one transaction at a time may change; a second one waits
        until the first is through.
        """

    def load(self, table: str, rows: pa.RecordBatchReader) -> int:
        """Bulk-load rows into `dbo.<table>`, columns in the table's order; give how many.

        Commits on its own, whatever transaction is open elsewhere: load into a staging table.
        """

    def require_rights(self) -> None:
        """Check that all that the pipeline will do is allowed, before it works for it.

        Raises
        ------
        TerminalError
            Names what is not.
        """


class NotAcceptedError(Exception):
    """The mail server has not accepted the mail, and will not deliver it.

    `permanent` says that asking again will not help, `too_large` that a smaller mail might be taken.
    """

    def __init__(self, reason: str, *, permanent: bool, too_large: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.too_large = too_large


class UnansweredError(Exception):
    """The mail was handed over whole, and whether the server accepted it is not known."""


class Conversation(Protocol):
    """An open connection to a mail server."""

    def send(self, recipient: str, message: bytes) -> str:
        """Hand over one mail to one recipient; give the server's answer, with its number for the mail.

        Raises
        ------
        NotAcceptedError
            When it was certainly not accepted.
        UnansweredError
            When that cannot be told.
        """


class Mailer(Protocol):
    """A way to a mail server."""

    @property
    def sender(self) -> str:
        """The address that mails come from, as it goes into the From header."""

    def connect(self) -> AbstractContextManager[Conversation]:
        """Connect and log in.

        Raises
        ------
        NotAcceptedError
            When that fails.
        """
