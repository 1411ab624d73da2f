"""features.parquet as a view in DuckDB or in batches, and what to say of a file that cannot be one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reclustering.core.contracts import FEATURES, FEATURES_SCHEMA
from reclustering.core.errors import BadInputError
from reclustering.core.scratch import spill_folder

COLUMNS = [f'"{name}"' for name in FEATURES]


@contextmanager
def scan(features: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a feature table as the DuckDB view `features`; explain a file that cannot be one."""
    with spill_folder() as folder, duckdb.connect() as con:
        con.execute(f"SET temp_directory = '{folder}'")
        try:
            table = con.read_parquet(str(features)).select(", ".join(["customer", *COLUMNS]))
            table.create_view("features")
            rows = count(con)
        except duckdb.Error as error:
            raise _unreadable(features, error) from error
        if rows == 0:
            raise BadInputError(
                f"{features} has no rows; expected at least one customer. "
                "Check that the store has sales before as_of, then clear extract_features."
            )
        try:
            yield con
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise _unreadable(features, error) from error


def read_batches(features: Path, size: int = 262_144) -> Iterator[pa.RecordBatch]:
    """Read a feature table in its order, `size` rows at a time; explain a file that cannot be one."""
    try:
        # Pre-buffering would read the whole file into memory.
        with pq.ParquetFile(features, pre_buffer=False) as source:
            yield from source.iter_batches(size, columns=FEATURES_SCHEMA.names)
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise _unreadable(features, error) from error


def count(con: duckdb.DuckDBPyConnection) -> int:
    """Return the number of customers, which a Parquet file knows without being read."""
    return int(con.execute("SELECT count(*) FROM features").fetchall()[0][0])


def query(con: duckdb.DuckDBPyConnection, sql: str) -> dict[str, np.ndarray]:
    """Return the columns of a query's result as float64 arrays."""
    columns = con.execute(sql).fetchnumpy()
    return {name: np.asarray(values, dtype=float) for name, values in columns.items()}


def register_rows(con: duckdb.DuckDBPyConnection, name: str, X: np.ndarray) -> None:
    """Make the rows of X, of shape (m, 4), known to queries as the table `name`."""
    con.register(name, {feature: X[:, j].copy() for j, feature in enumerate(FEATURES)})


def _unreadable(features: Path, error: Exception) -> BadInputError:
    return BadInputError(
        f"{features} cannot be read ({str(error).splitlines()[0]}); expected a complete Parquet "
        f"file with the columns {', '.join(FEATURES)}. Clear extract_features to write it again."
    )
