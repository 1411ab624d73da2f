"""A run on two Celery workers that share nothing but what a team's deployment shares: Redis, PostgreSQL,
the warehouse and a bucket. One of them is lost on the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from benchmarks.chaos import impatient_dags
from quickstart.database import postgresql
from quickstart.environment import CONNECTIONS, airflow_environment, defaults
from quickstart.mail_sink import free_port, mail_sink
from quickstart.make_ui import make_password, wait_until_healthy, web_environment
from tests.airflow_server import DAG, DAG_ID, SOON_DEAD, Airflow
from tests.buckets import ARTIFACTS, BUCKET, bucket, s3, s3_endpoint

__all__ = ["bucket", "s3", "s3_endpoint"]

REDIS = shutil.which("redis-server")

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(REDIS is None, reason="redis-server is not installed"),
]


@contextmanager
def process(log: Path, *command: str) -> Iterator[psutil.Popen]:
    """Run a process while the block runs, and end it with all that it has started."""
    with log.open("w") as file:
        started = psutil.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield started
        finally:
            kill(started)


def kill(process: psutil.Popen) -> None:
    family = [process, *process.children(recursive=True)] if process.is_running() else []
    for one in family:
        one.kill()
    process.wait()


@pytest.fixture
def deployment(sample_store, s3, tmp_path, monkeypatch):
    """Airflow with two workers of one task each; gives it, and the workers by name."""
    shutil.copyfile(sample_store, tmp_path / "warehouse.duckdb")
    impatient_dags(tmp_path / "dags")
    redis_port, mail_port, port = free_port(), free_port(), free_port()
    airflow = (sys.executable, "-m", "airflow")
    with ExitStack() as stack:
        url = stack.enter_context(postgresql(tmp_path / "postgresql"))
        stack.enter_context(mail_sink(tmp_path / "outbox", mail_port))
        for name in (*CONNECTIONS, "AIRFLOW_VAR_RECLUSTERING_ARTIFACTS"):
            monkeypatch.delenv(name, raising=False)
        environment = (
            airflow_environment(tmp_path)
            | defaults(tmp_path, mail_port)
            | web_environment(tmp_path, port)
        )
        environment |= SOON_DEAD | {
            "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis_port}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{url}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this test, and of nothing else but this test",
            "AIRFLOW__API__SECRET_KEY": "another",
            "AIRFLOW_VAR_RECLUSTERING_ARTIFACTS": ARTIFACTS,
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        password, address = make_password(tmp_path), os.environ["AIRFLOW__API__BASE_URL"]

        def start(name, *command):
            return stack.enter_context(process(tmp_path / f"{name}.log", *command))

        start("redis", REDIS, "--port", str(redis_port), "--save", "", "--dir", str(tmp_path))
        subprocess.run([*airflow, "db", "migrate"], check=True, capture_output=True)
        server = start("api-server", *airflow, "api-server")
        start("scheduler", *airflow, "scheduler")
        start("dag-processor", *airflow, "dag-processor")
        workers = {
            name: start(
                name,
                *airflow,
                "celery",
                "worker",
                "--celery-hostname",
                f"{name}@%h",
                "--skip-serve-logs",
            )
            for name in ("one", "two")
        }
        wait_until_healthy(server, address, tmp_path / "api-server.log")
        served = Airflow(address, password, tmp_path)
        served.until(lambda: served.call("/api/v2/dags?paused=true")["total_entries"], bool)
        served.unpause(DAG_ID)
        yield served, workers


def test_a_run_survives_the_loss_of_a_worker(deployment, s3):
    airflow, workers = deployment

    def tasks_of(worker):
        """The task instances that a worker has begun, by its log."""
        log = (airflow.var / f"{worker}.log").read_text()
        return {one["task_id"] for one in instances() if one["id"] in log}

    def instances():
        return airflow.call(f"{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]

    run_id = airflow.trigger(as_of="2026-01-15", delivery="send")
    lost = airflow.until(
        lambda: next((name for name in workers if "choose_k" in tasks_of(name)), None),
        bool,
        every=0.1,
    )
    kill(workers[lost])
    assert airflow.finished(run_id)["state"] == "success"

    survivor = next(name for name in workers if name != lost)
    assert tasks_of(survivor) >= {"choose_k", "write_labels", "email_target_list"}
    tries = {one["task_id"]: one["try_number"] for one in instances()}
    assert tries["choose_k"] >= 2
    assert airflow.published()["2026-01-15"] == 37_336
    assert len(airflow.mails("2026-01-15")) == 1
    names = [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert sum(name.endswith("/target_list.csv") for name in names) >= 1
    assert not (airflow.var / "artifacts").exists()
