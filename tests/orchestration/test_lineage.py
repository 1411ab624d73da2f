"""The names under which lineage knows tables and files."""

from __future__ import annotations

import json

import pytest
from airflow.providers.openlineage.utils.utils import translate_airflow_asset
from airflow.sdk import Asset
from airflow.sdk.lineage import HookLineageCollector
from upath import UPath

from reclustering.core.artifacts import read_json, write_json
from reclustering.orchestration import lineage
from reclustering.orchestration.assets import LABELS

SALES = Asset("dbo.store_sales")


@pytest.fixture
def collector(airflow_database, monkeypatch):
    collector = HookLineageCollector()
    monkeypatch.setattr(lineage, "get_hook_lineage_collector", lambda: collector)
    return collector


def names(infos):
    """What OpenLineage makes of what was collected."""
    found = [translate_airflow_asset(info.asset, info.context) for info in infos]
    return [(one.namespace, one.name) for one in found]


@pytest.mark.parametrize(("port", "expected"), [("", "1433"), (":1440", "1440")])
def test_a_table_is_named_by_server_database_and_schema(collector, monkeypatch, port, expected):
    uri = f"mssql://login:secret@sql.example.com{port}/store"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", uri)
    with lineage.reported([SALES]):
        lineage.report_written(LABELS)
    server = f"mssql://sql.example.com:{expected}"
    assert names(collector.collected_assets.inputs) == [(server, "store.dbo.store_sales")]
    assert names(collector.collected_assets.outputs) == [(server, "store.dbo.customer_clusters")]


@pytest.mark.parametrize(
    ("host", "namespace", "name"),
    [
        ("SQL.Example.com", "mssql://sql.example.com:1433", "store.dbo.store_sales"),
        ("tcp:sql,1440", "mssql://sql:1440", "store.dbo.store_sales"),
        (r"sql\STORE", "mssql://sql:1433", "store.dbo.store_sales"),
        ("::1", "mssql://[::1]:1433", "store.dbo.store_sales"),
    ],
)
def test_a_server_has_one_name_however_it_is_written(collector, monkeypatch, host, namespace, name):
    connection = {"conn_type": "mssql", "host": host, "schema": "store", "password": "secret"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    with lineage.reported([SALES]):
        pass
    assert names(collector.collected_assets.inputs) == [(namespace, name)]


def test_a_file_in_a_bucket_is_named_without_the_connection(collector, bucket):
    with lineage.reported([]):
        write_json(bucket / "as_of=2026-01-15" / "run" / "elbow.json", {})
        read_json(bucket / "as_of=2026-01-15" / "run" / "elbow.json")
    expected = [("s3://reclustering", "runs/as_of=2026-01-15/run/elbow.json")]
    assert names(collector.collected_assets.outputs) == expected
    assert expected[0] in names(collector.collected_assets.inputs)


def test_a_folder_with_blanks_and_signs_is_named_as_in_a_uri(collector, tmp_path):
    with lineage.reported([]):
        write_json(UPath(tmp_path / "our runs #1 %20" / "elbow.json"), {})
    expected = f"{tmp_path}/our%20runs%20%231%20%2520/elbow.json"
    assert names(collector.collected_assets.outputs) == [("file", expected)]


def test_a_task_whose_lineage_cannot_be_had_goes_on(collector, monkeypatch, caplog):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "mssql:///")
    monkeypatch.setattr(collector, "add_input_asset", lambda *_, **__: 1 / 0)
    with lineage.reported([SALES]):
        pass
    assert "could not be reported as lineage: division by zero" in caplog.text


def test_what_an_attempt_that_fails_has_used_is_not_reported(collector, tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"), lineage.reported([SALES]):
        write_json(UPath(tmp_path / "half.json"), {"inertia": float("nan")})
    assert not collector.has_collected
