"""Arrow rows on their way into a table."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa


class CountedRows:
    """A stream of record batches that counts the rows it gave.

    Attributes
    ----------
    reader : RecordBatchReader
        What to read from, once.
    count : int
        How many rows were read so far.
    """

    def __init__(self, rows: pa.RecordBatchReader) -> None:
        self.count = 0
        self.reader = pa.RecordBatchReader.from_batches(rows.schema, self._counting(rows))

    def _counting(self, rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        for batch in rows:
            self.count += batch.num_rows
            yield batch
