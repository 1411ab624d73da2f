"""All of Airflow in processes of its own: API server, scheduler, DAG processor, a process per task."""

from __future__ import annotations

import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path

import duckdb
import pytest

from quickstart.database import postgresql
from quickstart.environment import CONNECTIONS, PROJECT, airflow_environment, defaults
from quickstart.mail_sink import free_port, mail_sink
from quickstart.make_ui import USER, airflow_standalone, make_password, web_environment

DAG = "/api/v2/dags/customer_reclustering"


class Airflow:
    """Airflow's REST API, and what the runs leave outside it."""

    def __init__(self, address, password, var):
        self.address = address
        self.var = var
        self.token = None
        self.token = self.call("/auth/token", {"username": USER, "password": password})[
            "access_token"
        ]

    def call(self, path, body=None):
        request = urllib.request.Request(
            self.address + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        for attempts_left in (2, 1, 0):
            try:
                with urllib.request.urlopen(request, timeout=120) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                # The scheduler has a run of its own under way.
                if error.code < 500 or not attempts_left:
                    raise
                time.sleep(2)
        raise AssertionError

    def trigger(self, dag=DAG, **params):
        return self.call(f"{dag}/dagRuns", {"logical_date": None, "conf": params})["dag_run_id"]

    def finished(self, run_id, dag=DAG):
        return self.until(
            lambda: self.call(f"{dag}/dagRuns/{run_id}"),
            lambda run: run["state"] in {"success", "failed"},
        )

    def alert(self, run_id):
        """Wait for the one alert about a run."""
        alerts = self.until(lambda: self.sent(f": {run_id}"), lambda found: found)
        time.sleep(2)
        assert len(self.sent(f": {run_id}")) == 1
        return alerts[0]

    def finished_backfill(self, backfill_id):
        return self.until(
            lambda: self.call(f"/api/v2/backfills/{backfill_id}"), lambda one: one["completed_at"]
        )

    def until(self, read, done):
        deadline = time.monotonic() + 240
        while not done(state := read()):
            assert time.monotonic() < deadline, state
            time.sleep(1)
        return state

    def mails(self, as_of):
        # By their day, for the scheduler may start a run of its own: today's.
        return [mail for mail in self.sent(as_of) if mail["To"] == "marketing@example.com"]

    def sent(self, subject):
        mails = [
            message_from_bytes(path.read_bytes(), policy=policy.default)
            for path in (self.var / "outbox").glob("*.eml")
        ]
        return [mail for mail in mails if subject in mail["Subject"]]

    def published(self):
        with duckdb.connect(str(self.var / "warehouse.duckdb"), read_only=True) as connection:
            return dict(
                connection.execute(
                    "SELECT as_of::VARCHAR, count(*) FROM dbo.customer_clusters GROUP BY 1"
                ).fetchall()
            )


@contextmanager
def serve(
    var: Path, store: Path, settings: Mapping[str, str], *more_dags: Path
) -> Iterator[Airflow]:
    """Run Airflow while the block runs, on a copy of a store, with more DAG files than the project's."""
    shutil.copyfile(store, var / "warehouse.duckdb")
    dags = var / "dags"
    shutil.copytree(PROJECT / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    for file in more_dags:
        shutil.copy(file, dags)
    mail_port, port = free_port(), free_port()
    with (
        pytest.MonkeyPatch.context() as patch,
        postgresql(var / "postgresql") as url,
        mail_sink(var / "outbox", mail_port),
    ):
        for name in (*CONNECTIONS, "AIRFLOW_VAR_RECLUSTERING_ARTIFACTS"):
            patch.delenv(name, raising=False)
        environment = airflow_environment(var) | defaults(var, mail_port)
        environment |= web_environment(var, port) | settings
        environment |= {
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        password, address = make_password(var), os.environ["AIRFLOW__API__BASE_URL"]
        with airflow_standalone(address, var / "airflow.log"):
            yield Airflow(address, password, var)
