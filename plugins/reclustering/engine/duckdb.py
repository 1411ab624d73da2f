"""The embedded engine: DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from reclustering.core.artifacts import fetch, publish
from reclustering.core.scratch import spill_folder
from reclustering.core.tables import part_files
from reclustering.engine.messages import require_rows, unreadable

BATCH = 262_144
"""Rows in memory at a time, of those that are written."""

REPEATED = ["frequency", "label"]
"""Columns of few values: a dictionary of the others only costs time."""


class DuckDBEngine:
    """The verbs of `core.protocols.Engine`, on this machine."""

    @contextmanager
    def open(
        self, table: UPath, relation: str, columns: Sequence[str]
    ) -> Iterator[DuckDBCustomers]:
        """Open some columns of a Parquet file, or of a folder of part files, as a relation."""
        source, selected = str(table), ", ".join(f'"{name}"' for name in columns)
        with fetch(table) as local, spill_folder() as folder, duckdb.connect() as connection:
            connection.execute(f"SET temp_directory = '{folder}'")
            connection.execute("SET enable_progress_bar = false")
            try:
                rows = connection.read_parquet([str(one) for one in part_files(local)])
                rows.select(selected).create_view(relation)
                # A Parquet file knows it without being read.
                count = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]  # noqa: S608
            except duckdb.Error as error:
                raise unreadable(source, error, columns) from error
            require_rows(source, count)
            try:
                yield DuckDBCustomers(connection, folder)
            except (duckdb.IOException, duckdb.InvalidInputException) as error:
                raise unreadable(source, error, columns) from error


class DuckDBCustomers:
    """The verbs of `core.protocols.Customers` on one DuckDB connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    def arrays(self, sql: str) -> dict[str, np.ndarray]:
        """Give the columns of a query's result, each of shape (n,), float64."""
        columns = self._connection.execute(sql).fetchnumpy()
        return {name: np.asarray(values, dtype=float) for name, values in columns.items()}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Give the rows of a query's result, which is small."""
        return self._connection.execute(sql).fetchall()

    def define(self, name: str, sql: str, *, keep: bool = False) -> None:
        """Make a query's result known as a relation: to be worked out whenever it is read, or kept."""
        if keep:
            kept = self._folder / f"{name}.parquet"
            self._connection.execute(f"COPY ({sql}) TO '{kept}' (FORMAT parquet)")
            sql = f"FROM read_parquet('{kept}')"
        self._connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}")

    def register(self, name: str, columns: Mapping[str, np.ndarray]) -> None:
        """Make some rows known as a relation, in place of an earlier one of that name."""
        self._connection.register(name, dict(columns))

    def write(self, sql: str, target: UPath, schema: pa.Schema) -> None:
        """Publish a query's result, which keeps the customers' order, as one Parquet file."""
        with (
            publish(target) as scratch,
            pq.ParquetWriter(scratch, schema, use_dictionary=REPEATED) as sink,
            self._connection.sql(sql).to_arrow_reader(BATCH) as batches,
        ):
            for batch in batches:
                sink.write_batch(batch.select(schema.names).cast(schema))
