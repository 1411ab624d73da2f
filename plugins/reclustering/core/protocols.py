"""What the stages ask of the world: a warehouse, an engine for the work on all customers, a way to send mail.

The adapters in `warehouse`, `engine` and `mail` fulfil these; so can a stand-in of a test. Statements are
named by their file under `include/sql`, without the ending, such as `labels/previous_run`. Their values
are passed as a mapping and bound by the driver.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from upath import UPath

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

    @property
    def load_sessions(self) -> int:
        """How many calls of `load` it may be asked to serve at once."""

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


class Customers(Protocol):
    """The customers of a run's file, as a relation that can be asked.

    Every query is written once, in DuckDB's dialect, and so that each engine gives the same bits for it: sums
    of whole numbers that fit in 64 bits or a decimal, and of floating-point numbers only what IEEE 754 rounds
    in one way (+, -, *, /, sqrt, and no sum over rows).
    """

    def arrays(self, sql: str) -> dict[str, np.ndarray]:
        """Give the columns of a query's result, each of shape (n,), float64."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Give the rows of a query's result, which is small."""

    def define(self, name: str, sql: str, *, keep: bool = False) -> None:
        """Make a query's result known as a relation: to be worked out whenever it is read, or kept."""

    def register(self, name: str, columns: Mapping[str, np.ndarray]) -> None:
        """Make some rows known as a relation, in place of an earlier one of that name."""

    def write(self, sql: str, target: UPath, schema: pa.Schema) -> None:
        """Publish a query's result, sorted by customer, as a Parquet file or a folder of part files."""


class Engine(Protocol):
    """What does the work that grows with the number of customers."""

    def open(
        self, table: UPath, relation: str, columns: Sequence[str]
    ) -> AbstractContextManager[Customers]:
        """Open some columns of a Parquet file, or of a folder of part files, as a relation.

        Raises
        ------
        BadInputError
            When it cannot be read, or has no rows.
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
