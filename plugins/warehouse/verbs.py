"""What a warehouse can do: the verbs that both hooks share.

Statements are named by their file under `include/sql`, without the ending: `runs/previous_run`.
Their values are passed as a mapping and bound by the driver.
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

    def read(self) -> AbstractContextManager[Session]:
        """Open a session that sees one consistent state and blocks no writer."""

    def transaction(self, *, lock: str | None = None) -> AbstractContextManager[Session]:
        """Open a session that commits when the block ends and rolls back when it raises.

        `lock` names something that only one transaction at a time may change; a second one waits
        until the first is through.
        """

    def load(self, table: str, rows: pa.RecordBatchReader) -> int:
        """Bulk-load rows into `dbo.<table>`, columns in the table's order; give how many.

        Commits on its own, whatever transaction is open elsewhere: load into a staging table.
        """
