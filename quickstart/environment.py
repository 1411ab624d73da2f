"""The environment in which the quickstart and the tests run Airflow: all of it under one folder."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

PROJECT = Path(__file__).parents[1]
VAR = PROJECT / "var"
"""The folder of everything that the quickstart creates."""


def airflow_environment(var: Path) -> dict[str, str]:
    """Give the environment variables that keep Airflow inside the folder `var`.

    Raises
    ------
    SystemExit
        When SQLite and DuckDB cannot have their files there.
    """
    if "?" in str(var):
        raise SystemExit(
            f"SQLite and DuckDB take '?' for the end of a path; expected a folder without it, not {var}."
        )
    return {
        "AIRFLOW_HOME": str(var / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{var}/airflow/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(var / "airflow" / "logs"),
        "AIRFLOW_VAR_RECLUSTERING_ARTIFACTS": (
            os.environ.get("AIRFLOW_VAR_RECLUSTERING_ARTIFACTS") or (var / "artifacts").as_uri()
        ),
        "AIRFLOW_VAR_TARGET_LIST_RECIPIENTS": "marketing@example.com",
    }


def default_connections(var: Path, mail_port: int) -> dict[str, str]:
    """Give the connections to the embedded store and mail sink, for those that are not set."""
    defaults = {
        "AIRFLOW_CONN_WAREHOUSE": f"duckdb://{quote(str(var / 'warehouse.duckdb'))}",
        "AIRFLOW_CONN_SMTP_DEFAULT": (
            f"smtp://127.0.0.1:{mail_port}/"
            "?disable_ssl=true&disable_tls=true&from_email=store%40example.com&timeout=30"
        ),
    }
    return {name: value for name, value in defaults.items() if not os.environ.get(name)}
