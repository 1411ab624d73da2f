"""The environment in which the quickstart and the tests run Airflow: all of it under one folder."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

PROJECT = Path(__file__).parents[1]
VAR = PROJECT / "var"
"""The folder of everything that the quickstart creates."""

CONNECTIONS = ("AIRFLOW_CONN_WAREHOUSE", "AIRFLOW_CONN_SMTP_DEFAULT")


def airflow_environment(var: Path) -> dict[str, str]:
    """Give the environment variables that keep Airflow itself inside the folder `var`.

    These are the quickstart's own, whatever is set: it must not write into another Airflow's database.

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
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{var}/airflow/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(var / "airflow" / "logs"),
    }


def user_has_set_a_connection() -> bool:
    """Tell whether the warehouse or the mail server is the user's own."""
    return any(os.environ.get(name) for name in CONNECTIONS)


def defaults(var: Path, mail_port: int) -> dict[str, str]:
    """Give what the user has not set: the embedded store, the mail sink, and settings that go with them.

    With a connection of the user's own nobody is mailed, and no schedule starts, unless they say so.
    """
    own = user_has_set_a_connection()
    settings = {
        "AIRFLOW_CONN_WAREHOUSE": f"duckdb://{quote(str(var / 'warehouse.duckdb'))}",
        "AIRFLOW_CONN_SMTP_DEFAULT": (
            f"smtp://127.0.0.1:{mail_port}/"
            "?disable_ssl=true&disable_tls=true&from_email=store%40example.com&timeout=30"
        ),
        "AIRFLOW_VAR_RECLUSTERING_ARTIFACTS": (var / "artifacts").as_uri(),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": str(own),
    }
    if not own:
        settings["AIRFLOW_VAR_TARGET_LIST_RECIPIENTS"] = "marketing@example.com"
    return {name: value for name, value in settings.items() if not os.environ.get(name)}
