"""A Spark cluster as the engine, through Spark Connect.

The task has a thin client, without Java; the cluster reads and writes the run's files where they lie, so it
must reach them: a folder that all machines share, or a bucket.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import sqlglot
from sqlglot import exp
from upath import UPath

from reclustering.core.artifacts import note_read, publish_parts
from reclustering.core.errors import TerminalError, TransientError
from reclustering.core.tables import require_complete
from reclustering.engine.messages import require_rows, unreadable

with warnings.catch_warnings():
    # That it knows pandas 3 in part; nothing here is handed over as pandas.
    warnings.simplefilter("ignore", FutureWarning)
    from pyspark.errors import PySparkException
    from pyspark.errors.exceptions.connect import (
        SparkConnectGrpcException,
        SparkException,
        UnknownException,
    )
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.functions import lit
    from pyspark.sql.connect.session import SparkSession

SCHEMES = {"": "file", "file": "file", "local": "file", "s3": "s3a", "gs": "gs"}
"""What Spark calls the places that artifacts can be in."""

UNREADABLE = ("PATH_NOT_FOUND", "UNRESOLVED_COLUMN", "FAILED_READ_FILE", "CANNOT_READ_FILE_FOOTER")
"""What Spark calls the ways in which a file can be none of its kind."""

LONGEST = 500
"""Characters of an error of Spark's that are repeated."""

SETTINGS = {
    # An overflow stops the run.
    "spark.sql.ansi.enabled": "true",
    # Longer methods Java only interprets.
    "spark.sql.codegen.hugeMethodLimit": "8000",
}


class SparkEngine:
    """The verbs of `core.protocols.Engine`, on the cluster of a Spark Connect server.

    Parameters
    ----------
    remote : str
        Its address, such as `sc://host:15002`.
    """

    def __init__(self, remote: str) -> None:
        self._remote = remote

    @contextmanager
    def open(self, table: UPath, relation: str, columns: Sequence[str]) -> Iterator[SparkCustomers]:
        """Open some columns of a Parquet file, or of a folder of part files, as a relation."""
        source = str(table)
        with _translated(f"{source}, on {self._remote.partition('/;')[0]}", source, columns):
            note_read(table)
            require_complete(table)
            session = SparkSession.builder.remote(self._remote).create()
            customers = SparkCustomers(session)
            try:
                for name, value in SETTINGS.items():
                    session.conf.set(name, value)
                rows = session.read.parquet(url_of(table)).select(*columns)
                rows.createOrReplaceTempView(relation)
                count = customers.rows(f"SELECT count(*) FROM {relation}")[0][0]  # noqa: S608
                require_rows(source, count)
                yield customers
            finally:
                customers.close()


class SparkCustomers:
    """The verbs of `core.protocols.Customers` on one session, which no other sees."""

    def __init__(self, session: SparkSession) -> None:
        self._session = session
        self._kept: list[DataFrame] = []

    def close(self) -> None:
        """Let the cluster have back what it kept, and end the session."""
        with suppress(PySparkException):
            for found in self._kept:
                found.unpersist()
        self._session.stop()

    def arrays(self, sql: str) -> dict[str, np.ndarray]:
        """Give the columns of a query's result, each of shape (n,), float64."""
        table = self._table(sql)
        return {
            name: np.asarray(table[name].to_numpy(), dtype=float) for name in table.column_names
        }

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Give the rows of a query's result, which is small."""
        columns = [column.to_pylist() for column in self._table(sql).columns]
        return list(zip(*columns, strict=True))

    def define(self, name: str, sql: str, *, keep: bool = False) -> None:
        """Make a query's result known as a relation: to be worked out whenever it is read, or kept."""
        found = self._session.sql(for_spark(sql))
        if keep:
            # Spark knows what it keeps by the query and the file's path, for all its sessions: unmarked, it
            # would give it to a later run, of a file that was written anew.
            found = found.withColumn("kept_for", lit(uuid4().hex)).persist()
            self._kept.append(found)
        found.createOrReplaceTempView(name)

    def register(self, name: str, columns: Mapping[str, np.ndarray]) -> None:
        """Make some rows known as a relation, in place of an earlier one of that name."""
        schema = ", ".join(f"{column} double" for column in columns)
        rows = self._session.createDataFrame(pa.table(dict(columns)), schema)
        rows.createOrReplaceTempView(name)

    def write(self, sql: str, target: UPath, schema: pa.Schema) -> None:
        """Publish a query's result, sorted by customer, as a folder of part files."""
        with publish_parts(target) as folder:
            found = self._session.sql(for_spark(sql)).select(*schema.names).orderBy("customer")
            found.write.mode("overwrite").option("compression", "zstd").parquet(url_of(folder))

    def _table(self, sql: str) -> pa.Table:
        return self._session.sql(for_spark(sql)).toArrow()


@cache
def for_spark(sql: str) -> str:
    """Give a query in Spark's dialect."""
    return sqlglot.parse_one(sql, read="duckdb").transform(_to_spark).sql(dialect="spark")


def _to_spark(node: exp.Expr) -> exp.Expr:
    # Spark reads 0.5 as a decimal, which is not added up as a floating-point number is.
    if isinstance(node, exp.Literal) and not node.is_string and set(str(node.this)) & set(".eE"):
        return exp.Literal.number(f"{node.this}D")
    return node


def url_of(path: UPath) -> str:
    """Give the URL by which Spark finds an artifact.

    Raises
    ------
    TerminalError
        When it lies where Spark does not look.
    """
    scheme = SCHEMES.get(path.protocol)
    if scheme is None:
        raise TerminalError(
            f"{path} is on '{path.protocol}', which the engine 'spark' does not read; expected a folder that "
            "its workers share, s3 or gs. Change the Airflow Variable reclustering_artifacts, or "
            "reclustering_engine."
        )
    # As it is: Hadoop does not decode.
    return f"{scheme}://{Path(path.path).absolute() if scheme == 'file' else path.path}"


@contextmanager
def _translated(where: str, source: str, columns: Sequence[str]) -> Iterator[None]:
    """Turn Spark's errors into the pipeline's two kinds: what is lost or does not answer, and the rest."""
    try:
        yield
    except PySparkException as error:
        if (error.getCondition() or "").startswith(UNREADABLE):
            raise unreadable(source, error, columns) from error
        said = f"{where}: Spark says: {_said(error)}."
        if type(error) in {SparkConnectGrpcException, SparkException, UnknownException}:
            raise TransientError(
                f"{said} The next attempt may succeed; see that the Spark Connect server of the connection "
                "'spark_default' runs, and has workers with room."
            ) from error
        raise TerminalError(said) from error


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:LONGEST].rstrip(".")
