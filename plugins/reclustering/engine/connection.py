"""From the name of an engine to the engine."""

from __future__ import annotations

from importlib import import_module

from reclustering.connections import read_connection, read_extras, read_switch
from reclustering.core.errors import TerminalError
from reclustering.core.protocols import Engine

ENGINES = ("duckdb", "spark")

SPARK = "spark_default"
"""The Airflow connection of the Spark Connect server."""

EXTRAS = ("use_ssl", "token")


def connect_engine(name: str) -> Engine:
    """Give an engine by its name, one of `ENGINES`.

    Raises
    ------
    TerminalError
        When Spark's client is not installed, or the connection `spark_default` is missing or wrong.
    """
    if name == "duckdb":
        return import_module("reclustering.engine.duckdb").DuckDBEngine()
    try:
        spark = import_module("reclustering.engine.spark")
    except ModuleNotFoundError as error:
        raise TerminalError(
            f"The engine is 'spark', but {error.name} is not installed; expected the packages of "
            "requirements-spark.txt. Install them on every worker, or set the Airflow Variable "
            "reclustering_engine to duckdb."
        ) from error
    return spark.SparkEngine(remote_of(SPARK))


def remote_of(conn_id: str) -> str:
    """Give the address of the Spark Connect server, as Spark's client takes it."""
    connection = read_connection(
        conn_id,
        types=("spark_connect",),
        example="spark-connect://host:15002 for a Spark Connect server",
    )
    if not (connection.host or "").strip():
        raise TerminalError(
            f"The connection '{conn_id}' has no host; expected that of a Spark Connect server. Edit it under "
            "Admin > Connections."
        )
    extras = read_extras(connection, EXTRAS)
    options = {"token": extras.get("token") or connection.password, "user_id": connection.login}
    if read_switch(extras.get("use_ssl", False), extra=f"The connection '{conn_id}' has use_ssl"):
        options["use_ssl"] = "true"
    said = "".join(f";{key}={value}" for key, value in options.items() if value)
    return f"sc://{connection.host}:{connection.port or 15002}/{said}"
