"""Run the real DAG through Airflow's task runner, on a copy of the sample store."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from upath import UPath

from quickstart.environment import defaults
from quickstart.mail_sink import free_port, mail_sink
from reclustering.core.run import folder_name
from tests.buckets import bucket, s3, s3_endpoint
from tests.stores import store

__all__ = ["bucket", "s3", "s3_endpoint", "store"]


@dataclass
class Outcome:
    """How a run ended: its state, the reason of its failure, the folder of its files, who failed."""

    state: str
    failure: str | None
    folder: Path | UPath
    run_id: str
    failed: str | None


def run(artifacts: Path | UPath, **params: Any) -> Outcome:
    """Run the DAG in the environment as it is."""
    from airflow.sdk.listener import get_listener_manager

    from quickstart.airflow_run import load_dag, run_dag

    try:
        # Loaded anew, for a run leaves its params in the DAG object.
        result, progress = run_dag(load_dag(), params, Console(file=io.StringIO()))
    finally:
        get_listener_manager().clear()
    folder = next(artifacts.glob(f"as_of=*/{folder_name(result.run_id)}"), artifacts)
    failed = [*progress.seconds][-1] if progress.failure else None
    return Outcome(result.state, progress.failure, folder, result.run_id, failed)


@pytest.fixture
def outbox(tmp_path, monkeypatch):
    """The folder of a local mail server, which the connection `smtp_default` names."""
    port = free_port()
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT", raising=False)
    connection = defaults(tmp_path, port)["AIRFLOW_CONN_SMTP_DEFAULT"]
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection)
    with mail_sink(tmp_path / "outbox", port):
        yield tmp_path / "outbox"


@pytest.fixture
def run_dag(
    airflow_database, warehouse_file, outbox, tmp_path, monkeypatch
) -> Callable[..., Outcome]:
    """Run the DAG with the given params; `warehouse` and `smtp_default` are local stand-ins."""
    artifacts = tmp_path / "artifacts"
    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_ARTIFACTS", artifacts.as_uri())
    return lambda **params: run(artifacts, **params)


@pytest.fixture(scope="session")
def published_store(airflow_database, sample_store, tmp_path_factory) -> Path:
    """The sample store with one run published, for an earlier day: not to be written to."""
    folder = tmp_path_factory.mktemp("published")
    path = folder / "warehouse.duckdb"
    shutil.copyfile(sample_store, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", f"duckdb://{path}")
        patch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "smtp://127.0.0.1:1/?from_email=a%40example.com")
        patch.setenv("AIRFLOW_VAR_RECLUSTERING_ARTIFACTS", (folder / "artifacts").as_uri())
        outcome = run(folder / "artifacts", as_of="2024-07-01", delivery="hold")
    assert outcome.state == "success", outcome.failure
    return path
