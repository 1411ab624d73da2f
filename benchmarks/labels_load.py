"""How fast labels get into the warehouse, and rows out of it.

    AIRFLOW_CONN_WAREHOUSE=mssql://… python -m benchmarks.labels_load [ROWS]

Publishes ROWS labels (a million unless told otherwise) twice, first into nothing and then in place
of themselves, under an as_of of 1900 that it clears again. The connection's extra `load_sessions` counts. On
SQL Server, `executemany` stands beside it, and the rows are read by one, two and four sessions at once, each
a range of keys.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from reclustering.core.contracts import LABELS_SCHEMA
from reclustering.core.protocols import Warehouse
from reclustering.core.run import Run
from reclustering.engine.duckdb import DuckDBEngine
from reclustering.labels.publication import publish_labels, staging_totals
from reclustering.warehouse import connect
from reclustering.warehouse.mssql import MsSqlWarehouse
from reclustering.warehouse.schema import create_own_objects

AS_OF = date(1900, 1, 1)
EXECUTEMANY_ROWS = 20_000
READ_SESSIONS = (1, 2, 4)

READ = """
SELECT customer, orderRatio, itemsRatio, monetaryRatio, frequency FROM dbo.customer_clusters
WHERE as_of = ? AND customer > ? AND customer <= ?
"""


def main(rows: int) -> None:
    """Run the benchmark on the connection `warehouse` and print a Markdown table."""
    warehouse = connect()
    create_own_objects(warehouse)
    print("| step | rows | seconds | rows/s |\n|---|---:|---:|---:|")
    with TemporaryDirectory() as folder:
        labels = _write_labels(Path(folder, "labels.parquet"), rows)
        totals = _totals(labels)
        for what in ("publish into nothing", "publish in place of the same"):
            with _load_timed(warehouse) as load_seconds:
                seconds = _timed(lambda: _publish(warehouse, labels, totals))
            _report(f"{what}: bulk load", rows, load_seconds[0])
            _report(f"{what}: verify, swap, clear staging", rows, seconds - load_seconds[0])
        if isinstance(warehouse, MsSqlWarehouse):
            sample = pq.read_table(labels).slice(0, EXECUTEMANY_ROWS)
            _report("executemany", sample.num_rows, _timed(lambda: _executemany(warehouse, sample)))
            for sessions in READ_SESSIONS:
                seconds = _timed(lambda: _read(warehouse, rows, sessions))  # noqa: B023 - called at once
                _report(f"read, {sessions} at once", rows, seconds)
    with warehouse.transaction() as session:
        for name in ("labels/delete_labels", "labels/delete_run"):
            session.execute(name, {"as_of": AS_OF})


def _write_labels(path: Path, rows: int) -> Path:
    rng = np.random.default_rng(111)
    returned = rng.random(rows) < 0.15
    ratios = {
        name: np.where(returned, rng.random(rows).round(7), 0.0)
        for name in ("orderRatio", "itemsRatio", "monetaryRatio")
    }
    table = pa.table(
        {
            "customer": pa.array(np.arange(1, rows + 1)),
            **ratios,
            "frequency": pa.array(np.where(returned, rng.integers(1, 9, rows), 0)),
            "label": pa.array(rng.integers(0, 4, rows).astype(np.uint8)),
        }
    )
    pq.write_table(table, path)
    return path


def _totals(labels: Path) -> dict[str, int]:
    with DuckDBEngine().open(UPath(labels), "labels", LABELS_SCHEMA.names) as customers:
        return staging_totals(customers)


def _publish(warehouse: Warehouse, labels: Path, totals: dict[str, int]) -> None:
    publish_labels(
        warehouse,
        Run(AS_OF, "benchmark", UPath("unused")),
        labels,
        totals=totals,
        elbow={
            "method": "fixed",
            "reason": "A benchmark.",
            "groups": 4,
            "evidence": {"groups": None},
        },
        clusters={
            "k": 4,
            "seed": 111,
            "inertia": 0.0,
            "scaling": {"method": "none"},
            "outliers": {"mode": "keep"},
            "clusters": [],
            "continuity": {},
        },
        baseline={},
        features_sha256="0" * 64,
        now=datetime.now(UTC),
    )


def _executemany(warehouse: MsSqlWarehouse, labels: pa.Table) -> None:
    rows = [("x" * 32, *row.values()) for row in labels.to_pylist()]
    insert = "INSERT INTO dbo.customer_clusters_staging VALUES (?, ?, ?, ?, ?, ?, ?)"
    with closing(warehouse.get_conn()) as connection:
        connection.autocommit = False
        connection.cursor().executemany(insert, rows)
        connection.rollback()


def _read(warehouse: MsSqlWarehouse, rows: int, sessions: int) -> None:
    def read(ends: tuple[int, int]) -> int:
        with closing(warehouse.get_conn()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(READ, (AS_OF, *ends))
            counts = iter(lambda: cursor.arrow_batch(100_000).num_rows, 0)
            return sum(counts)

    ends = [rows * i // sessions for i in range(sessions + 1)]
    with ThreadPoolExecutor(sessions) as pool:
        found = sum(pool.map(read, pairwise(ends)))
    if found != rows:
        sys.exit(f"{found:,} rows came back; expected {rows:,}")


@contextmanager
def _load_timed(warehouse: Any) -> Iterator[list[float]]:
    """Give a list in which the seconds of the bulk loads stand, from the first's start to the last's end."""
    started = time.perf_counter()
    ends: list[float] = []
    load = warehouse.load

    def timed(*arguments: Any) -> None:
        load(*arguments)
        ends.append(time.perf_counter())

    warehouse.load = timed
    seconds: list[float] = []
    yield seconds
    seconds.append(max(ends) - started)
    del warehouse.load


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _report(what: str, rows: int, seconds: float) -> None:
    print(f"| {what} | {rows:,} | {seconds:.2f} | {rows / seconds:,.0f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
