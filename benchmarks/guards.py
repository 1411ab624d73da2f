"""Which nights the guards let pass, and which corrupted ones they stop: `make guards`.

Stores are made from the sample store. Each is run through its nights as the pipeline would, from the load to
the labels; before some nights a copy is corrupted. A corruption that no guard stops does no harm if nobody is
taken for a customer who returned nothing (label 0) who is not in the healthy store.
"""

# ruff: noqa: S608
from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from quickstart.environment import airflow_environment
from quickstart.sample_store import day_key
from reclustering.core.artifacts import fetch, read_json
from reclustering.core.decision import Decision
from reclustering.core.errors import TerminalError, TransientError
from reclustering.core.guards import Bounds
from reclustering.core.params import PATIENCE
from reclustering.core.run import Run
from reclustering.decision.record import leave_decision, read_findings

FIRST, LAST = date(2024, 1, 1), date(2025, 12, 31)
"""The nights."""

CORRUPTED_NIGHTS = (date(2024, 9, 16), date(2025, 3, 17), date(2025, 11, 24))
"""Before these nights, and before a first one, the store is corrupted in every way."""

RETURNERS = "SELECT DISTINCT sr_customer_sk FROM dbo.store_returns WHERE sr_customer_sk IS NOT NULL"


@dataclass(frozen=True)
class Store:
    """A store: what makes it of the sample store, the days from night to night, and its bounds."""

    name: str
    statements: str = ""
    every: int = 7
    bounds: Bounds = field(default_factory=Bounds)


STORES = (
    Store("sample", every=1),
    Store(
        "almost everybody returns",
        "DELETE FROM dbo.store_sales WHERE ss_customer_sk % 20 <> 0"
        f" AND ss_customer_sk NOT IN ({RETURNERS})",
    ),
    Store(
        "a quarter returns",
        "DELETE FROM dbo.store_sales WHERE ss_customer_sk % 100 < 46"
        f" AND ss_customer_sk NOT IN ({RETURNERS})",
    ),
    Store(
        "almost nobody returns",
        f"CREATE TEMP TABLE gone AS FROM ({RETURNERS}) AS t(sk) WHERE sk % 20 <> 0;"
        "DELETE FROM dbo.store_sales WHERE ss_customer_sk IN (FROM gone);"
        "DELETE FROM dbo.store_returns WHERE sr_customer_sk IN (FROM gone)",
        bounds=Bounds(max_returns_age=60),
    ),
    Store(
        "50 customers",
        "CREATE TEMP TABLE sellers AS SELECT DISTINCT ss_customer_sk FROM dbo.store_sales"
        " WHERE ss_customer_sk IS NOT NULL;"
        f"CREATE TEMP TABLE kept AS (FROM ({RETURNERS}) AS t(sk) ORDER BY hash(sk) LIMIT 10) UNION ALL"
        f" (FROM sellers AS t(sk) WHERE sk NOT IN ({RETURNERS}) ORDER BY hash(sk) LIMIT 40);"
        "DELETE FROM dbo.store_sales WHERE ss_customer_sk NOT IN (FROM kept);"
        "DELETE FROM dbo.store_returns WHERE sr_customer_sk NOT IN (FROM kept)",
        bounds=Bounds(max_sales_age=365, max_returns_age=730),
    ),
)


def corruptions() -> dict[str, str]:
    """Give what is done to a store, by name; `{night}` is the key of the night's day."""
    return {**_records(), **LOADS}


LOADS = {
    "sales: last day missing": "DELETE FROM dbo.store_sales WHERE ss_sold_date_sk = {night} - 1",
    "sales: half of the last day missing": "DELETE FROM dbo.store_sales"
    " WHERE ss_sold_date_sk = {night} - 1 AND ss_ticket_number % 2 = 0",
    "sales: 40 % of the orders missing": "DELETE FROM dbo.store_sales WHERE ss_ticket_number % 5 < 2",
    "returns: 40 % missing": "DELETE FROM dbo.store_returns WHERE sr_ticket_number % 5 < 2",
    "returns: all missing": "DELETE FROM dbo.store_returns",
    "returns: last month missing": "DELETE FROM dbo.store_returns"
    " WHERE sr_returned_date_sk BETWEEN {night} - 30 AND {night}",
    "returns: a month of the year before missing": "DELETE FROM dbo.store_returns"
    " WHERE sr_returned_date_sk BETWEEN {night} - 330 AND {night} - 300",
    "returns: last four days missing": "DELETE FROM dbo.store_returns"
    " WHERE sr_returned_date_sk BETWEEN {night} - 4 AND {night}",
    "returns: half without a customer": "UPDATE dbo.store_returns SET sr_customer_sk = NULL"
    " WHERE sr_ticket_number % 2 = 0",
    "returns: each of another customer": "UPDATE dbo.store_returns"
    " SET sr_customer_sk = 1 + (sr_customer_sk + 7) % 40000",
    "20 % of the customers missing": "DELETE FROM dbo.customer WHERE c_customer_sk % 5 = 0;"
    "DELETE FROM dbo.store_sales WHERE ss_customer_sk % 5 = 0;"
    "DELETE FROM dbo.store_returns WHERE sr_customer_sk % 5 = 0",
    "20 % of dbo.customer missing": "DELETE FROM dbo.customer WHERE c_customer_sk % 5 = 0",
    "tables doubled": "INSERT INTO dbo.store_sales FROM dbo.store_sales;"
    "INSERT INTO dbo.store_returns FROM dbo.store_returns",
    "sales doubled": "INSERT INTO dbo.store_sales FROM dbo.store_sales",
    "returns doubled": "INSERT INTO dbo.store_returns FROM dbo.store_returns",
    "sales: all amounts 0": "UPDATE dbo.store_sales SET ss_net_paid = 0",
    "returns: all amounts 0": "UPDATE dbo.store_returns SET sr_return_amt = 0",
    "sales: no date": "UPDATE dbo.store_sales SET ss_sold_date_sk = NULL",
    "returns: no date": "UPDATE dbo.store_returns SET sr_returned_date_sk = NULL",
    "calendar ends a week before": "DELETE FROM dbo.date_dim WHERE d_date_sk >= {night} - 7",
    "calendar ends a year before": "DELETE FROM dbo.date_dim WHERE d_date_sk >= {night} - 365",
}


def _records() -> dict[str, str]:
    """Give what is done to one customer's records, to three customers', and to many."""
    limits = {
        "1 customer": "1",
        "3 customers": "3",
        "5 % of returners": f"(SELECT 1 + count(*) // 20 FROM ({RETURNERS}))",
    }
    return {
        f"records of {who}: {what}": "ALTER TABLE dbo.store_returns ALTER sr_return_amt TYPE double;"
        f"CREATE TEMP TABLE hit AS FROM ({RETURNERS}) AS t(sk) ORDER BY hash(sk + 1) LIMIT {limit};{change}"
        for who, limit in limits.items()
        for what, change in _changes()
    }


def _changes() -> Iterator[tuple[str, str]]:
    for value in ("1e2", "1e3", "1e4", "1e6", "1e9", "1e12"):
        yield (
            f"returned money x {value}",
            (
                f"UPDATE dbo.store_returns SET sr_return_amt = sr_return_amt * {value}"
                " WHERE sr_customer_sk IN (FROM hit)"
            ),
        )
    yield (
        "sales of 0.01",
        "UPDATE dbo.store_sales SET ss_net_paid = 0.01 WHERE ss_customer_sk IN (FROM hit)",
    )
    hit = "FROM dbo.store_returns WHERE sr_customer_sk IN (FROM hit)"
    one_row = f"(SELECT DISTINCT ON (sr_customer_sk) * {hit})"
    for rows in (30, 1_000):
        yield (
            f"{rows} rows returned more",
            f"INSERT INTO dbo.store_returns SELECT r.* FROM {one_row} AS r, range({rows})",
        )
        yield (
            f"{rows} tickets returned more",
            (
                "INSERT INTO dbo.store_returns SELECT r.* REPLACE (900000000 + t AS sr_ticket_number)"
                f" FROM {one_row} AS r, range({rows}) AS s(t)"
            ),
        )


Corrupted = dict[tuple[str, bool], list[tuple["Outcome", int]]]
"""By what was done, and whether before a first run: what came of it, and customers wrongly in label 0."""


@dataclass
class Outcome:
    """What came of one night: the guards that spoke, and label 0's customers if none did."""

    guards: list[str]
    least: Any = None


def main() -> None:
    """Run every store and print both tables."""
    with ProcessPoolExecutor(os.cpu_count(), max_tasks_per_child=1) as pool:
        results = list(zip(STORES, pool.map(_run_store, STORES), strict=True))
    print("| Store | Nights | Passed | Stopped by |\n|---|---|---|---|")
    for store, (nights, _) in results:
        stopped = Counter(guard for one in nights for guard in one.guards)
        by = ", ".join(f"{guard} {n}" for guard, n in stopped.items()) or "-"
        passed = sum(not one.guards for one in nights)
        print(f"| {store.name} | {len(nights)} | {passed} | {by} |")
    print(
        "\n| Corruption | After a healthy night: tried, stopped, harmless, missed | Before a first run |"
        "\n|---|---|---|"
    )
    for name in dict.fromkeys(name for _, (_, corrupted) in results for name, _ in corrupted):
        cells = [
            _count(
                [one for _, (_, corrupted) in results for one in corrupted.get((name, first), ())]
            )
            for first in (False, True)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def _count(outcomes: list[tuple[Outcome, int]]) -> str:
    """Count what came of corrupted nights; of those missed, how many customers were wrongly in label 0."""
    caught = sum(bool(one.guards) for one, _ in outcomes)
    missed = sorted(wrong for one, wrong in outcomes if not one.guards and wrong)
    harmless = len(outcomes) - caught - len(missed)
    customers = f" ({', '.join(map(str, missed))} customers)" if missed else ""
    return f"{len(outcomes)}, {caught}, {harmless}, {len(missed)}{customers}"


# Drawing would be half of the time.
@patch("reclustering.clustering.plots.write_elbow_plot", lambda *_: None)
@patch("reclustering.clustering.plots.write_clusters_plot", lambda *_: None)
def _run_store(store: Store) -> tuple[list[Outcome], Corrupted]:
    """Run a store through its nights; give each night's outcome, and those of the corrupted copies."""
    logging.disable()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "store.duckdb"
        os.environ.update(airflow_environment(folder))
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = f"duckdb://{file}"
        _make_store(file, store)
        nights: list[Outcome] = []
        corrupted: Corrupted = defaultdict(list)
        night = FIRST
        while night <= LAST:
            if night in CORRUPTED_NIGHTS:
                _corrupt(folder, file, store, night, corrupted, first=False)
            nights.append(_run_night(folder / "artifacts", store, night))
            night += timedelta(days=store.every)
        _corrupt(folder, file, store, CORRUPTED_NIGHTS[-1], corrupted, first=True)
        return nights, corrupted


def _make_store(file: Path, store: Store) -> None:
    from quickstart.sample_days import add_days
    from quickstart.warehouse_file import create_warehouse
    from reclustering.warehouse import connect
    from reclustering.warehouse.schema import create_own_objects

    create_warehouse(file)
    if store.statements:
        with duckdb.connect(str(file)) as connection:
            connection.execute(store.statements)
    add_days(connect(), LAST)
    create_own_objects(connect())


def _corrupt(
    folder: Path,
    file: Path,
    store: Store,
    night: date,
    found: Corrupted,
    *,
    first: bool,
) -> None:
    """Run a night on corrupted copies of the store; `first`: as if nothing were published before."""
    as_it_is, healthy = folder / "as_it_is.duckdb", folder / "healthy.duckdb"
    shutil.copyfile(file, as_it_is)
    if first:
        with duckdb.connect(str(file)) as connection:
            connection.execute("DELETE FROM dbo.clustering_runs; DELETE FROM dbo.customer_clusters")
    shutil.copyfile(file, healthy)
    right = _run_night(folder / "trial", store, night, publish=False).least
    for name, statements in corruptions().items():
        shutil.copyfile(healthy, file)
        with duckdb.connect(str(file)) as connection:
            connection.execute("SET enable_progress_bar = false")
            connection.execute(statements.format(night=day_key(night)))
            hit = _hit(connection)
        outcome = _run_night(folder / "trial", store, night, publish=False)
        wrong = 0
        if not outcome.guards:
            strangers = outcome.least.filter(pc.invert(pc.is_in(outcome.least, value_set=right)))
            wrong = len(set(strangers.to_pylist()) - hit)
        found[name.partition(":")[0] if hit else name, first].append((outcome, wrong))
    shutil.copyfile(as_it_is, file)


def _hit(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """Give the customers whose records were corrupted one by one."""
    if not connection.execute("FROM duckdb_tables() WHERE table_name = 'hit'").fetchall():
        return set()
    return {customer for (customer,) in connection.execute("FROM hit").fetchall()}


def _run_night(artifacts: Path, store: Store, night: date, *, publish: bool = True) -> Outcome:
    """Run one night, going on whatever the guards say."""
    from reclustering import steps
    from reclustering.engine.duckdb import DuckDBEngine
    from reclustering.warehouse import connect

    engine = DuckDBEngine()
    run, warehouse = Run(night, "night", UPath(artifacts)), connect()
    settings = {"scaling": "none", "outliers": "keep"}
    try:
        steps.extract_features(warehouse, run, bounds=store.bounds, accept_change=True, today=night)
        steps.choose_k(warehouse, engine, run, k=None, k_max=19, patience=PATIENCE, **settings)
        steps.fit_clusters(warehouse, engine, run, **settings)
        steps.check_fit(warehouse, run, label=0, bounds=store.bounds, manual=False)
    except (TerminalError, TransientError):
        return Outcome(["refused"])
    found = read_json(run.path("features.json"))["overrides"]
    matter, about_fit = read_findings(run, "fit")
    said = [one["guard"] for one in (*found, *about_fit)]
    with fetch(run.path("labels.parquet")) as labels:
        least = pq.read_table(labels, columns=["customer"], filters=[("label", "=", 0)])
    if publish:
        leave_decision(run, Decision(matter, "approved", "accept_change", None, night.isoformat()))
        steps.write_labels(warehouse, engine, run, now=datetime.now(UTC))
    return Outcome(sorted(set(said)), least["customer"])


if __name__ == "__main__":
    main()
