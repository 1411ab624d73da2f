"""A store of a few people on DuckDB, and the files that the tasks before the list leave."""

from __future__ import annotations

import json
import shutil
import struct
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from reclustering import steps
from reclustering.core.contracts import PURCHASES_SCHEMA
from reclustering.core.decision import Decision, How, Verdict, matter_of
from reclustering.core.guards import Bounds
from reclustering.core.protocols import Warehouse
from reclustering.core.run import Run
from reclustering.decision.record import leave_decision
from reclustering.delivery.settings import MailSettings
from reclustering.target_list.settings import ListSettings
from reclustering.warehouse import connect
from reclustering.warehouse.schema import create_own_objects

AS_OF = date(2024, 1, 1)
NEXT = AS_OF + timedelta(days=1)
NOW = datetime(2024, 1, 1, 6, 30, tzinfo=UTC)
MARKETING = "marketing@example.com"
URL = "http://localhost:8080/dags/customer_reclustering/runs/1"

ELBOW = {
    "k": 2,
    "previous_k": None,
    "method": "clear",
    "reason": "The curve bends clearly at 2.",
    "disagreement": "",
    "change": "",
    "curve": [],
    "indices": {
        name: {"values": []} for name in ("silhouette", "calinski_harabasz", "davies_bouldin")
    },
}

SOURCE = """
CREATE SCHEMA dbo;
CREATE TABLE dbo.date_dim (d_date_sk BIGINT, d_date DATE);
INSERT INTO dbo.date_dim
SELECT i, DATE '2023-01-01' + i::INTEGER FROM range(0, 800) t(i);
CREATE TABLE dbo.customer (
    c_customer_sk BIGINT, c_salutation TEXT, c_first_name TEXT, c_last_name TEXT,
    c_email_address TEXT
);
CREATE TABLE dbo.store_sales (
    ss_customer_sk BIGINT, ss_sold_date_sk BIGINT, ss_ticket_number BIGINT, ss_item_sk BIGINT,
    ss_net_paid DECIMAL(7, 2)
);
CREATE TABLE dbo.store_returns (
    sr_customer_sk BIGINT, sr_returned_date_sk BIGINT, sr_ticket_number BIGINT, sr_item_sk BIGINT,
    sr_return_amt DECIMAL(7, 2)
);
"""


@dataclass(frozen=True)
class Person:
    """A customer: `bought` are the days of the orders, `known` whether dbo.customer has a row."""

    customer: int
    email: str | None
    bought: tuple[date | None, ...] = (date(2023, 6, 1),)
    label: int = 0
    frequency: int = 0
    first: str | None = "Ann"
    last: str | None = "Lee"
    known: bool = True


def people(n: int, *, start: int = 1) -> list[Person]:
    """Give `n` people with an address of their own."""
    return [Person(i, f"p{i}@example.com") for i in range(start, start + n)]


@dataclass
class World:
    """A warehouse and an artifacts folder."""

    folder: Path
    warehouse: Warehouse

    @property
    def file(self) -> Path:
        return self.folder / "store.duckdb"

    def sql(self, statement: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.file)) as connection:
            return connection.execute(statement, values or []).fetchall()

    def run(self, as_of: date = AS_OF, run_id: str = "scheduled__1") -> Run:
        return Run(as_of, run_id, UPath(self.folder / "artifacts"), url=URL)

    def publish(self, everybody: list[Person], run: Run | None = None) -> Run:
        """Put people into the store and leave a run that has published their labels."""
        run = run or self.run()
        with duckdb.connect(str(self.file)) as connection:
            connection.execute("DELETE FROM dbo.customer")
            for table in ("customer_clusters", "clustering_runs"):
                connection.execute(f"DELETE FROM dbo.{table} WHERE as_of = ?", [run.as_of])
            _insert_people(connection, everybody, run)
        _leave_files(everybody, run)
        return run

    def opt_out(self, email: str | None = None, customer: int | None = None) -> None:
        self.sql(
            "INSERT INTO dbo.email_suppressions VALUES (?, ?, 'asked', DATE '2023-01-01')",
            [email, customer],
        )

    def build(self, run: Run, *, label: int = 0, **who: Any) -> dict[str, Any]:
        """Build the list; give what the step returns and what it leaves in its JSON file."""
        returned = steps.build_target_list(
            self.warehouse,
            run,
            label=label,
            who=ListSettings(**who),
            settings=MailSettings(MARKETING),
            bounds=Bounds(),
        )
        return read_json(run, "target_list.json") | returned

    def decide(
        self, run: Run, verdict: Verdict = "approved", how: How = "answer", **other: Any
    ) -> None:
        """Leave what somebody has decided on the list of a run; `other` makes it another list's."""
        matter = replace(matter_of("list", read_json(run, "target_list.json")), **other)
        leave_decision(run, Decision(matter, verdict, how, "anna", "2024-01-01T09:12:00+00:00"))

    def email(
        self,
        run: Run,
        mailer: Any,
        *,
        label: int = 0,
        held: str | None = None,
        now: datetime = NOW,
        today: date | None = None,
        who: ListSettings | None = None,
        **settings: Any,
    ) -> dict[str, Any]:
        """Mail the list; give what the step returns and what it leaves in its JSON file."""
        chosen = {"recipients": MARKETING, "store": "Corner Store"} | settings
        returned = steps.email_target_list(
            self.warehouse,
            run,
            mailer,
            MailSettings(**chosen),
            label=label,
            who=who or ListSettings(),
            held=held,
            clock=lambda: now,
            today=today or run.as_of,
        )
        return read_json(run, "delivery.json") | returned

    def ledger(self) -> list[tuple[str, str, int]]:
        """Give recipient, state and number of tries of every mail, oldest day first."""
        return self.sql(
            "SELECT recipient, state, attempts FROM dbo.target_list_deliveries"
            " ORDER BY as_of, recipient, list_sha256"
        )


def make_store(file: Path) -> None:
    """Write a new, empty store; the connection `warehouse` must name it."""
    with duckdb.connect(str(file)) as connection:
        connection.execute(SOURCE)
    create_own_objects(connect())


def read_json(run: Run, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(run.path(name).read_text())
    return content


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, made once: not to be written to."""
    path = tmp_path_factory.mktemp("store") / "store.duckdb"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_CONN_WAREHOUSE", f"duckdb://{path}")
        make_store(path)
    return path


@pytest.fixture
def world(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A store of its own, which the connection `warehouse` names, and a folder for artifacts."""
    path = tmp_path / "store.duckdb"
    shutil.copyfile(empty_store, path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"duckdb://{path}")
    return World(tmp_path, connect())


def _insert_people(
    connection: duckdb.DuckDBPyConnection, everybody: list[Person], run: Run
) -> None:
    known = [p for p in everybody if p.known]
    customers = pa.table(
        {
            "sk": [p.customer for p in known],
            "salutation": pa.array(["Ms." for p in known], pa.string()),
            "first": pa.array([p.first for p in known], pa.string()),
            "last": pa.array([p.last for p in known], pa.string()),
            "email": pa.array([p.email for p in known], pa.string()),
        }
    )
    labels = pa.table(
        {
            "customer": [p.customer for p in everybody],
            "frequency": [p.frequency for p in everybody],
            "label": [p.label for p in everybody],
        }
    )
    connection.register("customers", customers)
    connection.register("labels", labels)
    connection.execute("INSERT INTO dbo.customer SELECT * FROM customers")
    connection.execute(
        "INSERT INTO dbo.customer_clusters"
        " SELECT ?, customer, 0, 0, 0, frequency, label FROM labels",
        [run.as_of],
    )
    connection.execute(
        "INSERT INTO dbo.clustering_runs BY NAME SELECT ? AS as_of, ? AS run_id, 2 AS k,"
        " 'clear' AS k_method, '' AS k_reason, 'none' AS scaling, 111 AS seed, 1 AS inertia,"
        " 1 AS customers, '[]' AS centroids, '{}' AS continuity, '' AS features_sha256,"
        " TIMESTAMP '2024-01-01' AS published_at",
        [run.as_of, run.run_id],
    )


def _leave_files(everybody: list[Person], run: Run) -> None:
    run.path("x").parent.mkdir(parents=True, exist_ok=True)
    run.path("clusters.json").write_text(json.dumps(clusters_json(everybody)))
    run.path("elbow.json").write_text(json.dumps(ELBOW))
    left: dict[str, dict[str, Any]] = {
        "run": {"as_of": run.as_of.isoformat(), "run_id": run.run_id, "params": {}},
        "features": {"overrides": []},
        "fit_check": fit_check_json(run),
    }
    for name, content in left.items():
        run.path(f"{name}.json").write_text(json.dumps(content))
    for name in ("elbow", "clusters"):
        run.path(f"{name}.png").write_bytes(_png())
    labels = pa.table(
        {
            "customer": [p.customer for p in everybody],
            "frequency": pa.array([p.frequency for p in everybody], pa.int64()),
            "label": pa.array([p.label for p in everybody], pa.uint8()),
        }
    ).sort_by("customer")
    pq.write_table(labels, str(run.path("labels.parquet")))
    pq.write_table(_purchases(everybody, run.as_of), str(run.path("purchases.parquet")))


def _purchases(everybody: list[Person], as_of: date) -> pa.Table:
    rows = []
    for person in sorted(everybody, key=lambda one: one.customer):
        known = [day for day in person.bought if day is None or day < as_of]
        dated = [day for day in known if day]
        rows.append(
            {
                "customer": person.customer,
                "orders": len(known),
                "last_purchase": max(dated, default=None),
            }
        )
    return pa.Table.from_pylist(rows, schema=PURCHASES_SCHEMA)


def fit_check_json(run: Run, *findings: dict[str, str]) -> dict[str, Any]:
    """Give what `check_fit` leaves, with what guards have said."""
    found = {"as_of": run.as_of.isoformat(), "label": 0, "sha256": "f" * 64}
    return found | {"findings": [*findings]}


def clusters_json(everybody: list[Person]) -> dict[str, Any]:
    """Give the parts of clusters.json that the list and the mail read."""
    clusters = []
    for label in sorted({p.label for p in everybody}):
        members = [p for p in everybody if p.label == label]
        frequency = sum(p.frequency for p in members) / len(members)
        centroid = dict.fromkeys(("orderRatio", "itemsRatio", "monetaryRatio"), 0.4 * label)
        clusters.append(
            {
                "label": label,
                "size": len(members),
                "share": len(members) / len(everybody),
                "centroid": centroid | {"frequency": frequency},
                "profile": {name: {"mean": mean} for name, mean in centroid.items()}
                | {"frequency": {"mean": frequency}},
                "flags": [],
                "description": "They returned nothing." if not label else "They return a lot.",
            }
        )
    return {
        "k": len(clusters),
        "rows": len(everybody),
        "clusters": clusters,
        "quality": {"warning": None},
        "stability": {"keep": 1.0},
        "continuity": {"first_run": True, "summary": "First run."},
        "alt_text": "Bar chart of the clusters.",
    }


def _png() -> bytes:
    """Give the smallest picture there is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\x00\xff")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )
