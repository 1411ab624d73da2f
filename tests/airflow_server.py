"""All of Airflow in processes of its own: API server, scheduler, DAG processor, a process per task."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pytest

from quickstart.database import postgresql
from quickstart.environment import CONNECTIONS, PROJECT, airflow_environment, defaults
from quickstart.mail_sink import free_port, mail_sink
from quickstart.make_ui import USER, airflow_standalone, make_password, web_environment
from reclustering.report.words import day

T = TypeVar("T")

DAG_ID = "customer_reclustering"
DAG = f"/api/v2/dags/{DAG_ID}"


SOON_DEAD = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
}
"""After ten seconds, and not five minutes, a task that is not heard of is taken for dead."""


def password(user: str) -> str:
    """Give the password of one of the users who are let in."""
    return f"password of {user}"


def let_in(var: Path, users: dict[str, str]) -> dict[str, str]:
    """Let users log in, by their names and roles; give the settings for that."""
    (var / "airflow").mkdir()
    passwords = json.dumps({user: password(user) for user in users})
    (var / "airflow" / "passwords.json").write_text(passwords)
    roles = ",".join(f"{user}:{role}" for user, role in users.items())
    return {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": roles}


class Airflow:
    """Airflow's REST API, and what the runs leave outside it."""

    restart: Callable[[], None]
    """Ends all of Airflow's processes, and starts them anew."""

    def __init__(self, address: str, password: str, var: Path) -> None:
        self.address = address
        self.var = var
        self._token: str | None = None
        self._token = self.token(USER, password)

    def token(self, user: str, password: str) -> str:
        """Log in."""
        login = {"username": user, "password": password}
        return str(self.call("/auth/token", login)["access_token"])

    def call(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        method: str | None = None,
        user: str | None = None,
    ) -> Any:
        """Ask the API, as the administrator or another user."""
        token = self.token(user, password(user)) if user else self._token
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        for attempts_left in (2, 1, 0):
            try:
                with urllib.request.urlopen(request, timeout=120) as answer:
                    text = answer.read()
                    return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                # The scheduler has a run of its own under way.
                if error.code < 500 or not attempts_left:
                    raise
                time.sleep(2)
        raise AssertionError

    def trigger(self, dag: str = DAG, **params: Any) -> str:
        """Start a run; give its id."""
        body = {"logical_date": None, "conf": params}
        return str(self.call(f"{dag}/dagRuns", body)["dag_run_id"])

    def finished(self, run_id: str, dag: str = DAG) -> Any:
        """Wait for the end of a run."""
        return self.until(
            lambda: self.call(f"{dag}/dagRuns/{run_id}"),
            lambda run: run["state"] in {"success", "failed"},
        )

    def alert(self, run_id: str) -> EmailMessage:
        """Wait for the one alert about a run."""
        alerts = self.until(lambda: self.sent(f": {run_id}"), lambda found: found)
        time.sleep(2)
        assert len(self.sent(f": {run_id}")) == 1
        return alerts[0]

    def finished_backfill(self, backfill_id: int) -> None:
        """Wait for the end of a backfill."""
        self.until(
            lambda: self.call(f"/api/v2/backfills/{backfill_id}"), lambda one: one["completed_at"]
        )

    def until(self, read: Callable[[], T], done: Callable[[T], Any], *, every: float = 1) -> T:
        """Read until it is as it should be."""
        deadline = time.monotonic() + 240
        while not done(state := read()):
            assert time.monotonic() < deadline, state
            time.sleep(every)
        return state

    def mails(self, as_of: str) -> list[EmailMessage]:
        """Give the mails to marketing about a day."""
        # By their day, for the scheduler may start a run of its own: today's.
        about = self.sent(f"of {day(date.fromisoformat(as_of))},")
        return [mail for mail in about if mail["To"] == "marketing@example.com"]

    def sent(self, subject: str) -> list[EmailMessage]:
        """Give the mails with something in their subject."""
        mails = [
            message_from_bytes(path.read_bytes(), policy=policy.default)
            for path in (self.var / "outbox").glob("*.eml")
        ]
        return [mail for mail in mails if subject in mail["Subject"]]

    def command(self, *arguments: str) -> None:
        """Run a command of Airflow's own."""
        subprocess.run(
            [sys.executable, "-m", "airflow", *arguments], check=True, capture_output=True
        )

    def published(self) -> dict[str, int]:
        """Give how many customers have a label, by as_of."""
        return self._by_day("count(*)")

    def label_sums(self) -> dict[str, str]:
        """Give a number that stands for all rows, by as_of."""
        return self._by_day(
            "sum(hash(customer, orderRatio, itemsRatio, monetaryRatio, frequency, cluster))::VARCHAR"
        )

    def in_doubt(self, as_of: str) -> bool:
        """Tell whether the ledger does not know what became of the mail about a day."""
        return "sending" in self._by_day("max(state)", "target_list_deliveries").get(as_of, "")

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler start runs of a DAG."""
        self.call(f"/api/v2/dags/{dag_id}", {"is_paused": False}, method="PATCH")

    def _by_day(self, what: str, table: str = "customer_clusters") -> dict[str, Any]:
        statement = f"SELECT as_of::VARCHAR, {what} FROM dbo.{table} GROUP BY 1"

        def read() -> dict[str, Any] | None:
            # A task may have the file for itself for a moment.
            with (
                suppress(duckdb.IOException),
                duckdb.connect(str(self.var / "warehouse.duckdb"), read_only=True) as connection,
            ):
                return dict(connection.execute(statement).fetchall())
            return None

        return self.until(read, lambda rows: rows is not None) or {}


@contextmanager
def serve(
    var: Path, store: Path, settings: dict[str, str], *more_dags: Path, base_path: str = ""
) -> Iterator[Airflow]:
    """Run Airflow while the block runs, on a copy of a store, with more DAG files than the project's.

    What is in the folder `dags` of `var` already counts instead of the project's. `base_path` is what a
    reverse proxy has before all of Airflow's own paths.
    """
    shutil.copyfile(store, var / "warehouse.duckdb")
    dags = var / "dags"
    if not dags.exists():
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
            "AIRFLOW__API__BASE_URL": f"http://localhost:{port}{base_path}",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}{base_path}/execution/",
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        password, address = make_password(var), os.environ["AIRFLOW__API__BASE_URL"]
        with ExitStack() as processes:

            def restart() -> None:
                processes.close()
                processes.enter_context(airflow_standalone(address, var / "airflow.log"))

            restart()
            airflow = Airflow(address, password, var)
            airflow.restart = restart
            yield airflow
