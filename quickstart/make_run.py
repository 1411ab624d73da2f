"""`make run`: the whole DAG, on the embedded store unless a connection says otherwise."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from quickstart.environment import PROJECT, VAR, airflow_environment, defaults
from quickstart.mail_sink import free_port, mail_sink
from quickstart.spinner import spinner
from reclustering.core.errors import TerminalError, TransientError

LOG = VAR / "run.log"


def main() -> int:
    """Run the DAG once and report; give the exit code."""
    port = free_port()
    settings = defaults(VAR, port)
    os.environ.update(airflow_environment(VAR) | settings)
    VAR.mkdir(exist_ok=True)
    embedded = "AIRFLOW_CONN_WAREHOUSE" in settings
    outbox = VAR / "outbox" if "AIRFLOW_CONN_SMTP_DEFAULT" in settings else None
    with _noise_to(LOG) as console, mail_sink(VAR / "outbox", port):
        try:
            if embedded:
                keep_sample_store(console)
        except (TerminalError, TransientError) as error:
            return _failed(console, str(error))
        return _run(console, compare_with_tutorial=embedded, outbox=outbox)


def keep_sample_store(console: Console) -> None:
    """Create the embedded warehouse if it is not there yet, and add the days since."""
    path = VAR / "warehouse.duckdb"
    with spinner(console, "Preparing the sample store …"):
        from quickstart.sample_days import add_days, yesterday
        from quickstart.warehouse_file import create_warehouse
        from reclustering.warehouse import connect

        created = not path.exists()
        if created:
            create_warehouse(path)
        until = yesterday()
        added = add_days(connect(), until)
    if created:
        console.print(
            f"Created the sample store {path.relative_to(PROJECT)}, with sales up to {until}"
        )
    elif added:
        console.print(f"Added sales and returns up to {until} to {path.relative_to(PROJECT)}")


def _run(console: Console, *, compare_with_tutorial: bool, outbox: Path | None) -> int:
    with spinner(console, "Starting Airflow …"):
        from airflow.sdk.exceptions import ParamValidationError
        from airflow.utils import db

        from quickstart.airflow_run import load_dag, run_dag
        from quickstart.report import print_report
        from reclustering.orchestration import artifacts

        db.upgradedb()
        dag = load_dag()
    try:
        run, progress = run_dag(dag, _params(), console)
    except (ParamValidationError, json.JSONDecodeError) as error:
        return _failed(console, str(error).partition("\n")[0])
    if run.state != "success":
        return _failed(console, progress.failure or f"The run ended as {run.state}.")
    print_report(
        console, artifacts(), run.run_id, compare_with_tutorial=compare_with_tutorial, outbox=outbox
    )
    return 0


def _params() -> dict[str, Any]:
    """Read the DAG's params from the variables PARAMS (JSON) and AS_OF."""
    params: dict[str, Any] = json.loads(os.environ.get("PARAMS") or "{}")
    as_of = os.environ.get("AS_OF")
    return params | {"as_of": as_of} if as_of else params


def _failed(console: Console, reason: str) -> int:
    console.print("\nThe run failed.", style="bold red")
    console.print(reason, markup=False, highlight=False)
    console.print(f"Airflow's log of the run is {LOG.relative_to(PROJECT)}.")
    return 1


@contextmanager
def _noise_to(log: Path) -> Iterator[Console]:
    """Send what Airflow and its tasks print to a file, and give a console on the screen."""
    with os.fdopen(os.dup(1), "w") as screen, os.fdopen(os.dup(2), "w") as errors:
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        console = Console(file=screen)
        logging.getLogger("reclustering.warehouse").addHandler(_OnScreen(console))
        try:
            yield console
        finally:
            sys.stdout.flush()
            os.dup2(screen.fileno(), 1)
            os.dup2(errors.fileno(), 2)


class _OnScreen(logging.Handler):
    """Shows what the warehouse warns of, such as what it waits for."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print a warning."""
        self._console.print(record.getMessage(), style="yellow", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
