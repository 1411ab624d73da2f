"""The engine is chosen by one setting, and what is wrong with it is said before the night's work begins."""

from __future__ import annotations

import importlib.util

import pytest

from reclustering.core.errors import TerminalError
from reclustering.engine.connection import connect_engine, remote_of
from reclustering.engine.duckdb import DuckDBEngine
from reclustering.orchestration import engine

CONNECTION, VARIABLE = "AIRFLOW_CONN_SPARK_DEFAULT", "AIRFLOW_VAR_RECLUSTERING_ENGINE"


def test_it_is_duckdb_unless_set_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert isinstance(engine(), DuckDBEngine)
    monkeypatch.setenv(VARIABLE, "dask")
    with pytest.raises(
        TerminalError, match="reclustering_engine is 'dask'; expected duckdb or spark"
    ):
        engine()


@pytest.mark.skipif(bool(importlib.util.find_spec("pyspark")), reason="Spark's client is installed")
def test_without_its_client_spark_is_refused() -> None:
    with pytest.raises(
        TerminalError, match=r"pyspark is not installed; expected .*requirements-spark"
    ):
        connect_engine("spark")


@pytest.mark.parametrize(
    ("uri", "remote"),
    [
        ("spark-connect://cluster", "sc://cluster:15002/"),
        (
            "spark-connect://anna:secret@cluster:1500",
            "sc://cluster:1500/;token=secret;user_id=anna",
        ),
        ("spark-connect://cluster?use_ssl=yes&token=t", "sc://cluster:15002/;token=t;use_ssl=true"),
    ],
)
def test_a_connection_is_an_address(monkeypatch: pytest.MonkeyPatch, uri: str, remote: str) -> None:
    monkeypatch.setenv(CONNECTION, uri)
    assert remote_of("spark_default") == remote


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("", "no Airflow connection 'spark_default'"),
        ("spark://cluster:7077", "of type 'spark'; expected spark_connect"),
        ("spark-connect://", "no host"),
        ("spark-connect://cluster?queue=a", "the extras 'queue'"),
    ],
)
def test_what_is_no_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, uri: str, said: str
) -> None:
    monkeypatch.delenv(CONNECTION, raising=False)
    if uri:
        monkeypatch.setenv(CONNECTION, uri)
    with pytest.raises(TerminalError, match=said):
        remote_of("spark_default")
