"""Tables of customers by key: a Parquet file or, where an engine writes in parallel, a folder of parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from reclustering.core.artifacts import HADOOP_CHECKSUM
from reclustering.core.errors import BadInputError

COMPLETE = "_SUCCESS"
"""The file that is in a folder of parts once all of them are."""

PARTS = "part-*.parquet"


def part_files(table: Path) -> list[Path]:
    """Give the files that make up a table, in their order.

    Raises
    ------
    BadInputError
        When it is a folder that has not been written to its end.
    """
    require_complete(table)
    return sorted(table.glob(PARTS)) if table.is_dir() else [table]


def require_complete(table: Path | UPath) -> None:
    """Refuse a folder of parts that has not been written to its end.

    Raises
    ------
    BadInputError
        When it has not.
    """
    if table.is_dir() and not (table / COMPLETE).exists():
        raise BadInputError(
            f"{table} has no {COMPLETE}: it was not written to its end. Clear the task that writes it."
        )


def is_part(path: UPath) -> bool:
    """Tell whether something in a folder is what an engine leaves there, also where it was killed."""
    return path.name in {COMPLETE, "_temporary"} or any(
        path.match(pattern) for pattern in (PARTS, HADOOP_CHECKSUM)
    )


def count_rows(table: Path) -> int:
    """Give the number of rows, which files know without being read."""
    return sum(pq.read_metadata(file).num_rows for file in part_files(table))


def read_table_batches(
    table: Path,
    size: int,
    columns: Sequence[str] | None = None,
    *,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """Read a table in its order, at most `size` rows at a time: all rows, or those from `start` to `stop`."""
    before = 0
    for file in part_files(table):
        # Pre-buffering would read the whole file into memory.
        with pq.ParquetFile(file, pre_buffer=False) as source:
            for group in range(source.num_row_groups):
                rows = source.metadata.row_group(group).num_rows
                if before + rows > start and (stop is None or before < stop):
                    yield from _between(
                        source.iter_batches(size, [group], columns and list(columns)),
                        start - before,
                        None if stop is None else stop - before,
                    )
                before += rows


def _between(
    batches: Iterable[pa.RecordBatch], start: int, stop: int | None
) -> Iterator[pa.RecordBatch]:
    before = 0
    for batch in batches:
        first = min(max(start - before, 0), batch.num_rows)
        last = batch.num_rows if stop is None else min(max(stop - before, 0), batch.num_rows)
        before += batch.num_rows
        if first < last:
            yield batch.slice(first, last - first)
