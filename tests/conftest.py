"""Every test runs in an Airflow of its own, under a temporary folder.

Airflow reads its environment on import, so it is set here, before any test module is imported.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from quickstart.environment import CONNECTIONS, PROJECT, airflow_environment, defaults

VAR = Path(tempfile.mkdtemp(prefix="customer-reclustering-tests-"))
for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[name]
os.environ.update(airflow_environment(VAR) | defaults(VAR, 0))
for name in CONNECTIONS:
    del os.environ[name]
# For the processes that tests start.
os.environ["PYTHONPATH"] = f"{PROJECT}{os.pathsep}{PROJECT / 'plugins'}"


def pytest_sessionfinish() -> None:
    """Remove the temporary folder, and with it all that the tests left."""
    shutil.rmtree(VAR, ignore_errors=True)


@pytest.fixture(scope="session")
def sample_store() -> Path:
    """The sample store up to yesterday, made once: not to be written to."""
    from quickstart.warehouse_file import create_warehouse_until_yesterday

    path = VAR / "sample.duckdb"
    create_warehouse_until_yesterday(path)
    return path


@pytest.fixture
def warehouse_file(sample_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sample store, which the connection `warehouse` names."""
    path = tmp_path / "warehouse.duckdb"
    shutil.copyfile(sample_store, path)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"duckdb://{path}")
    return path


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's own database, for the tests that run tasks through Airflow."""
    from airflow.utils import db

    db.upgradedb()
