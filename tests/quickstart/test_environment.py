"""What the user has set, counts; the quickstart fills in the rest, and mails nobody of the user's."""

from __future__ import annotations

import os

import pytest

from quickstart.environment import airflow_environment, defaults


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
        monkeypatch.delenv(name)


def test_without_settings_everything_is_embedded(tmp_path):
    given = defaults(tmp_path, 2525)
    assert given["AIRFLOW_CONN_WAREHOUSE"].startswith("duckdb://")
    assert "127.0.0.1:2525" in given["AIRFLOW_CONN_SMTP_DEFAULT"]
    assert given["AIRFLOW_VAR_TARGET_LIST_RECIPIENTS"] == "marketing@example.com"
    assert given["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] == "False"


@pytest.mark.parametrize(
    "name",
    [
        "AIRFLOW_CONN_WAREHOUSE",
        "AIRFLOW_CONN_SMTP_DEFAULT",
        "AIRFLOW_VAR_TARGET_LIST_RECIPIENTS",
        "AIRFLOW_VAR_RECLUSTERING_ARTIFACTS",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION",
    ],
)
def test_what_is_set_is_not_replaced(name, tmp_path, monkeypatch):
    monkeypatch.setenv(name, "mine")
    assert name not in defaults(tmp_path, 2525) | airflow_environment(tmp_path)


@pytest.mark.parametrize("name", ["AIRFLOW_CONN_WAREHOUSE", "AIRFLOW_CONN_SMTP_DEFAULT"])
def test_with_a_connection_of_ones_own_nobody_is_mailed_and_no_schedule_starts(
    name, tmp_path, monkeypatch
):
    monkeypatch.setenv(name, "mine")
    given = defaults(tmp_path, 2525)
    assert "AIRFLOW_VAR_TARGET_LIST_RECIPIENTS" not in given
    assert given["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] == "True"


def test_another_airflows_database_is_never_used(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://production/airflow")
    monkeypatch.setenv("AIRFLOW_HOME", "/opt/airflow")
    ours = airflow_environment(tmp_path)
    assert ours["AIRFLOW_HOME"] == f"{tmp_path}/airflow"
    assert str(tmp_path) in ours["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


def test_a_folder_that_sqlite_and_duckdb_cannot_use_is_named(tmp_path):
    with pytest.raises(SystemExit, match="expected a folder without it, not "):
        airflow_environment(tmp_path / "what?")
