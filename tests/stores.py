"""A store to test against, and what the tests put into it.

What is set up and looked at goes by the drivers themselves, not by the code under test.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
import mssql_python
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from reclustering import steps
from reclustering.core.contracts import LABELS_SCHEMA
from reclustering.core.guards import Bounds
from reclustering.core.protocols import Warehouse
from reclustering.core.run import Run
from reclustering.engine.duckdb import DuckDBEngine
from reclustering.labels.publication import publish_labels, staging_totals
from reclustering.warehouse import connect

OWN = (
    "py_customer_clusters",
    "customer_clusters",
    "customer_clusters_staging",
    "clustering_runs",
    "email_suppressions",
    "target_list_deliveries",
    "target_list_members",
    "clustering_decisions",
    "reclustering_migrations",
)
SOURCE = ("store_sales", "store_returns", "customer", "date_dim")

NOW = datetime(2024, 1, 1, 6, 30, tzinfo=UTC)


def mssql_connection() -> str | None:
    """The URI of the SQL Server database to test on, if any."""
    return os.environ.get("TEST_MSSQL_CONN")


class Store(ABC):
    """A database of one kind; `uri` is its Airflow connection."""

    uri: str

    @abstractmethod
    def clear(self) -> None:
        """Drop all that the pipeline or a test may have created."""

    @abstractmethod
    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements that both dialects know; give the rows of the last one."""

    def hook(self) -> Warehouse:
        return connect()

    def create_source(self, money: str = "decimal(7, 2)", key: str = "bigint") -> None:
        self.run(
            f"CREATE TABLE dbo.date_dim (d_date_sk {key} NOT NULL, d_date date NULL)",
            f"CREATE TABLE dbo.store_sales (ss_customer_sk {key} NULL, ss_sold_date_sk {key} NULL,"
            f" ss_ticket_number {key} NOT NULL, ss_item_sk {key} NOT NULL, ss_net_paid {money} NULL)",
            f"CREATE TABLE dbo.store_returns (sr_customer_sk {key} NULL,"
            f" sr_returned_date_sk {key} NULL, sr_ticket_number {key} NOT NULL,"
            f" sr_item_sk {key} NOT NULL, sr_return_amt {money} NULL)",
            f"CREATE TABLE dbo.customer (c_customer_sk {key} NOT NULL, c_salutation varchar(10) NULL,"
            " c_first_name varchar(20) NULL, c_last_name varchar(30) NULL,"
            " c_email_address varchar(50) NULL)",
        )

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        values = ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in rows)
        self.run(f"INSERT INTO dbo.{table} VALUES {values}")

    def published(self, as_of: date) -> list[tuple[Any, ...]]:
        """The published labels of a day, sorted by customer."""
        return self.run(
            "SELECT customer, orderRatio, itemsRatio, monetaryRatio, frequency, cluster"
            f" FROM dbo.customer_clusters WHERE as_of = '{as_of}' ORDER BY customer"
        )

    def count(self, table: str) -> int:
        return int(self.run(f"SELECT COUNT(*) FROM dbo.{table}")[0][0])


class DuckDBStore(Store):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.duckdb"
        self.uri = f"duckdb://{self.path}"

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)
        self.run("CREATE SCHEMA dbo")

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path)) as connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]


class MsSqlStore(Store):
    def __init__(self) -> None:
        self.uri = mssql_connection() or ""
        parts = urlsplit(self.uri)
        self.host, self.port = parts.hostname, parts.port
        self.login, self.password = parts.username, unquote(parts.password or "")
        self.database = parts.path.strip("/")
        if "test" not in self.database:
            raise ValueError(
                f"TEST_MSSQL_CONN names the database '{self.database}'; expected one with 'test' in "
                "its name, for the tests drop tables."
            )

    def clear(self) -> None:
        kinds = dict(self.run("SELECT table_name, table_type FROM information_schema.tables"))
        kinds = {name.lower(): kind for name, kind in kinds.items()}
        for name in (*OWN, *SOURCE, "py_customer_clusters_old"):
            if name in kinds:
                self.run(f"DROP {'VIEW' if kinds[name] == 'VIEW' else 'TABLE'} dbo.{name}")

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        with self.driver_connection() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def driver_connection(self) -> mssql_python.Connection:
        return mssql_python.connect(
            autocommit=True,
            Server=f"{self.host},{self.port or 1433}",
            Database=self.database,
            UID=self.login,
            PWD=self.password,
            Encrypt="yes",
            TrustServerCertificate="yes",
        )


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, (str, date)) else str(value)


ANY_LOAD = Bounds(
    max_sales_age=10**6,
    max_returns_age=10**6,
    min_recent=0,
    max_history_change=1,
    max_undated=1,
    max_quarantined=0,
)
"""For stores of a few rows, of no particular day."""


def extract(warehouse: Warehouse, run: Run) -> dict[str, Any]:
    """Read the features, whatever the load."""
    steps.begin_run(run, {})
    return steps.extract_features(
        warehouse, run, bounds=ANY_LOAD, accept_change=False, today=date.max
    )


def make_run(as_of: date, run_id: str = "run") -> Run:
    return Run(as_of, run_id, UPath("unused"))


def write_labels_file(path: Path, customers: int, label: int = 0, start: int = 1) -> Path:
    """A labels.parquet whose ratios need all of their seven decimals."""
    keys = range(start, start + customers)
    table = pa.table(
        {
            "customer": pa.array(keys, pa.int64()),
            "orderRatio": pa.array([(key % 7919) / 1e7 for key in keys], pa.float64()),
            "itemsRatio": pa.array([0.1 * (key % 3) for key in keys], pa.float64()),
            "monetaryRatio": pa.array([108.719154] * customers, pa.float64()),
            "frequency": pa.array([key % 5 for key in keys], pa.int64()),
            "label": pa.array([label] * customers, pa.uint8()),
        }
    )
    pq.write_table(table, path)
    return path


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]


def totals_of(labels: Path) -> dict[str, int]:
    """Give what must be in staging once these labels are."""
    with DuckDBEngine().open(UPath(labels), "labels", LABELS_SCHEMA.names) as customers:
        return staging_totals(customers)


def publish(
    warehouse: Warehouse,
    labels: Path,
    as_of: date,
    run_id: str = "run",
    now: datetime = NOW,
    *,
    clear: int | None = None,
    outliers: str = "keep",
) -> int:
    """Publish labels with made-up circumstances."""
    return publish_labels(
        warehouse,
        make_run(as_of, run_id),
        labels,
        totals=totals_of(labels),
        elbow={
            "method": "clear",
            "reason": "4 groups.",
            "groups": 4,
            "evidence": {"groups": clear},
        },
        clusters={
            "k": 4,
            "seed": 111,
            "inertia": 1.5,
            "scaling": {"method": "none"},
            "outliers": {"mode": outliers},
            "clusters": [{"label": 0, "size": 2, "centroid": [0.0, 0.0, 0.0, 0.0]}],
            "continuity": {"moved": 0},
        },
        baseline={},
        features_sha256="0" * 64,
        now=now,
    )


requires_mssql = pytest.param(
    "mssql",
    marks=[
        pytest.mark.mssql,
        pytest.mark.skipif(
            mssql_connection() is None,
            reason="TEST_MSSQL_CONN is not set: an Airflow connection URI of an empty SQL Server "
            "database with 'test' in its name",
        ),
    ],
)


@pytest.fixture(params=["duckdb", requires_mssql])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store without tables, which the connection `warehouse` names."""
    store = DuckDBStore(tmp_path) if request.param == "duckdb" else MsSqlStore()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", store.uri)
    store.clear()
    return store
