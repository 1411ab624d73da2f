"""How long each step takes, how much memory, and what it leaves: `make own-time`.

Each runs in a process of its own, as in Airflow: forked from one that has imported what a task has before its
body begins, the DAG file. So a step pays for its own imports. With `--copies 27` the store is so many sample
stores side by side: a million customers.
"""

# ruff: noqa: S608

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from quickstart.environment import airflow_environment, defaults
from quickstart.mail_sink import free_port, mail_sink

OFFSET = 10**8
"""Between the keys of one copy and the next."""

KEYS = {
    "customer": ["c_customer_sk"],
    "store_sales": ["ss_customer_sk", "ss_ticket_number"],
    "store_returns": ["sr_customer_sk", "sr_ticket_number"],
}


def main() -> None:
    """Run the steps for several days in a row; print the medians, without the first day's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        var, port = Path(folder), free_port()
        os.environ.update(airflow_environment(var) | defaults(var, port))
        from quickstart.warehouse_file import create_warehouse_until_yesterday

        create_warehouse_until_yesterday(var / "warehouse.duckdb")
        _multiply(var / "warehouse.duckdb", arguments.copies)
        days = range(arguments.rounds, 0, -1)
        with mail_sink(var / "outbox", port):
            rounds = [_measure(var, days_ago) for days_ago in days][1:]
        seconds = {step: statistics.median(one[step][0] for one in rounds) for step in rounds[0]}
        for step, its in seconds.items():
            memory = max(one[step][1] for one in rounds)
            work = statistics.median(one[step][2] for one in rounds)
            print(f"{step:<20} {its:7.2f} s, CPU {work:7.2f} s {memory / 1e6:7,.0f} MB")
        print(f"{'sum':<20} {sum(seconds.values()):7.2f} s")
        newest = max((var / "artifacts").iterdir())
        for file in sorted(newest.rglob("*.*")):
            print(f"{file.name:<20} {file.stat().st_size / 1e6:9.2f} MB")


def _multiply(store: Path, copies: int) -> None:
    """Put further copies of all customers, with other keys and addresses, into a store."""
    with duckdb.connect(str(store)) as connection:
        for table, keys in KEYS.items():
            shifted = ", ".join(f"{key} + copy * {OFFSET} AS {key}" for key in keys)
            if table == "customer":
                shifted += ", 'c' || copy || '.' || c_email_address AS c_email_address"
            connection.execute(
                f"INSERT INTO dbo.{table} SELECT * EXCLUDE copy REPLACE ({shifted})"
                f" FROM dbo.{table}, range(1, {copies}) AS copies(copy)"
            )


def _measure(var: Path, days_ago: int) -> dict[str, tuple[float, int, float]]:
    return {name: _in_a_process(body) for name, body in _bodies(var, days_ago).items()}


def _bodies(var: Path, days_ago: int) -> dict[str, Callable[[], Any]]:
    """Give the bodies of the DAG's tasks, with the params of a run by schedule, on a day of its own."""
    from airflow.dag_processing.dagbag import DagBag
    from upath import UPath

    from reclustering import steps
    from reclustering.core.guards import Bounds
    from reclustering.core.params import PATIENCE
    from reclustering.core.run import Run
    from reclustering.engine.duckdb import DuckDBEngine
    from reclustering.mail import SmtpMailer
    from reclustering.orchestration import list_settings, mail_settings
    from reclustering.warehouse import connect
    from reclustering.warehouse.schema import create_own_objects, require_source

    DagBag()
    as_of = date.today() - timedelta(days=days_ago)  # noqa: DTZ011
    run = Run(as_of, "own-time", UPath(var / "artifacts"))
    how: dict[str, Any] = {"scaling": "none", "outliers": "keep"}
    bounds = Bounds()

    def extract_features() -> None:
        warehouse = connect()
        steps.begin_run(run, {})
        require_source(warehouse)
        create_own_objects(warehouse)
        warehouse.require_rights()
        steps.extract_features(warehouse, run, bounds=bounds, accept_change=False, today=date.max)

    return {
        "extract_features": extract_features,
        "choose_k": lambda: steps.choose_k(
            connect(), DuckDBEngine(), run, k=None, k_max=19, patience=PATIENCE, **how
        ),
        "fit_clusters": lambda: steps.fit_clusters(connect(), DuckDBEngine(), run, **how),
        "check_fit": lambda: steps.check_fit(connect(), run, label=0, manual=False, bounds=bounds),
        "write_labels": lambda: steps.write_labels(
            connect(), DuckDBEngine(), run, now=datetime.now(UTC)
        ),
        "build_target_list": lambda: steps.build_target_list(
            connect(),
            run,
            label=0,
            who=list_settings(),
            settings=mail_settings(None),
            bounds=bounds,
        ),
        "email_target_list": lambda: steps.email_target_list(
            connect(),
            run,
            SmtpMailer(),
            mail_settings(None),
            label=0,
            who=list_settings(),
            held=None,
            clock=lambda: datetime.now(UTC),
            today=run.as_of,
        ),
    }


def _in_a_process(body: Callable[[], Any]) -> tuple[float, int, float]:
    """Run a function in a child; give the seconds it took, its peak memory in bytes, and its CPU seconds."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            body()
        except BaseException as error:  # noqa: BLE001 (the child must end here)
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit("A step has failed.")
    taken = time.monotonic() - started
    return taken, used.ru_maxrss * 1024, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
