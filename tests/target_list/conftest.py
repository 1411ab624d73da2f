from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.mail.servers import script  # noqa: F401
from tests.target_list.world import World, make_store
from warehouse import connect


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
