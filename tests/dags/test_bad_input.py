"""Whatever is wrong with the input, the run stops with a sentence to act on, and publishes nothing.

Each test starts from a store with a published set and checks that it is still there, untouched.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import duckdb
import pytest


@pytest.fixture
def store(published_store, warehouse_file):
    """A store with a run published for an earlier day; a callable that changes or reads it."""
    shutil.copyfile(published_store, warehouse_file)

    def change(statement):
        with duckdb.connect(str(warehouse_file)) as connection:
            return connection.execute(statement).fetchall()

    return change


@pytest.fixture
def stops(run_dag, store, outbox):
    """Run, and check that it stopped with this message, publishing and mailing nothing."""

    def published():
        return [
            store(f"SELECT count(*), sum(hash(t)) FROM dbo.{table} AS t")
            for table in ("customer_clusters", "clustering_runs")
        ]

    before = published()
    assert before[1][0][0] == 1

    def check(message, **params):
        outcome = run_dag(**params)
        assert outcome.state == "failed"
        assert message in outcome.failure
        assert published() == before
        assert list(outbox.glob("*.eml")) == []
        return outcome

    return check


def test_no_sales(stops, store):
    store("DELETE FROM dbo.store_sales")
    stops("dbo.store_sales has no row with a date before")
    stops("No customer has bought anything before this as_of", accept_change=True)


def test_no_sales_yet_on_that_day(stops, store):
    store("DELETE FROM dbo.store_sales WHERE ss_sold_date_sk IS NULL")
    stops("dbo.store_sales has no row with a date before 2022-12-31", as_of="2022-12-31")
    stops("No customer has bought anything", as_of="2022-12-31", accept_change=True)


def test_a_missing_table(stops, store):
    store("DROP TABLE dbo.store_returns")
    stops("The store lacks table dbo.store_returns, or this login may not read it")


def test_missing_columns(stops, store):
    store("ALTER TABLE dbo.store_sales DROP COLUMN ss_net_paid")
    store("ALTER TABLE dbo.date_dim DROP COLUMN d_date")
    stops("The store lacks column dbo.date_dim.d_date, column dbo.store_sales.ss_net_paid")


def test_more_impossible_customers_than_are_allowed(stops, store):
    customers = (
        "SELECT DISTINCT sr_customer_sk FROM dbo.store_returns WHERE sr_customer_sk IN"
        " (SELECT ss_customer_sk FROM dbo.store_sales) ORDER BY 1 LIMIT 50"
    )
    store(f"UPDATE dbo.store_returns SET sr_return_amt = -5 WHERE sr_customer_sk IN ({customers})")
    stops("dbo.store_returns has other money of the days before 2024-07-01")
    few = "50 of 37,336 customers have features that cannot be; expected at most 0.10%"
    stops(few, accept_change=True)


def test_a_few_impossible_customers_are_left_out_and_the_run_goes_on(run_dag, store):
    [(negative, huge)] = store(
        "SELECT min(sr_customer_sk), max(sr_customer_sk) FROM dbo.store_returns"
        " WHERE sr_customer_sk IN (SELECT ss_customer_sk FROM dbo.store_sales)"
    )
    store(f"UPDATE dbo.store_returns SET sr_return_amt = -5 WHERE sr_customer_sk = {negative}")
    store("ALTER TABLE dbo.store_returns ALTER sr_return_amt TYPE double")
    store(f"UPDATE dbo.store_returns SET sr_return_amt = 'nan' WHERE sr_customer_sk = {huge}")
    outcome = run_dag(delivery="hold", accept_change=True)
    assert outcome.state == "success", outcome.failure
    quarantine = json.loads((outcome.folder / "features.json").read_text())["quarantine"]
    assert [(one["customer"], one["feature"]) for one in quarantine["named"]] == [
        (negative, "monetaryRatio"),
        (huge, "monetaryRatio"),
    ]
    labelled = f"FROM dbo.customer_clusters WHERE customer IN ({negative}, {huge})"
    assert store(f"SELECT count(*) {labelled} AND as_of > '2024-07-01'") == [(0,)]


def test_fewer_different_customers_than_k(stops, store):
    store("DELETE FROM dbo.store_returns")
    stops("k is 4, but there are only 1 distinct customers", k=4, accept_change=True)


@pytest.mark.parametrize("damage", ["truncated", "not Parquet", "gone"])
def test_a_damaged_feature_file(damage, stops, monkeypatch):
    from reclustering import steps

    extract = steps.extract_features

    def extract_and_damage(warehouse, run, **settings):
        result = extract(warehouse, run, **settings)
        path = Path(run.path("features.parquet").path)
        if damage == "truncated":
            path.write_bytes(path.read_bytes()[:-1000])
        elif damage == "not Parquet":
            path.write_text("customer,frequency\n1,0\n")
        else:
            path.unlink()
        return result

    monkeypatch.setattr(steps, "extract_features", extract_and_damage)
    stops("features.parquet")


def test_no_connection(stops, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE")
    stops("There is no Airflow connection 'warehouse'. Create it under Admin > Connections")


def test_a_store_that_is_not_there(stops, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "duckdb:///nowhere/store.duckdb")
    stops("There is no DuckDB file /nowhere/store.duckdb")


def test_a_connection_of_another_kind(stops, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgres://db/store")
    stops("is of type 'postgres'; expected duckdb or mssql")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TARGET_LIST_RECIPIENTS", "", "Nobody is configured to receive the target list"),
        ("TARGET_LIST_RECIPIENTS", "marketing", "target_list_recipients has 'marketing', which is"),
        ("TARGET_LIST_CONTACT", "the team", "target_list_contact has 'the team', which is no"),
        (
            "TARGET_LIST_MAX_ATTACHMENT",
            "10 MB",
            "target_list_max_attachment is '10 MB'; expected a",
        ),
        ("TARGET_LIST_ATTACHMENT", "pdf", "target_list_attachment is 'pdf'; expected xlsx or csv"),
        (
            "RECLUSTERING_ARTIFACTS",
            "artifacts",
            "reclustering_artifacts is 'artifacts'; expected an",
        ),
        (
            "RECLUSTERING_ARTIFACTS",
            "file:///dev/null/x",
            "NotADirectoryError: [Errno 20] Not a dir",
        ),
        ("RECLUSTERING_ARTIFACTS", "gs://bucket", "apache-airflow-providers-google, which is not"),
        ("RECLUSTERING_BOUNDS", "{", "reclustering_bounds is '{'; expected a JSON object"),
        ("RECLUSTERING_K_PATIENCE", "0", "reclustering_k_patience is '0'; expected a whole number"),
        ("ALERT_RECIPIENTS", "pager", "alert_recipients has 'pager', which is no e-mail address"),
    ],
)
def test_a_setting_that_is_wrong_stops_the_first_task(stops, monkeypatch, variable, value, said):
    monkeypatch.setenv(f"AIRFLOW_VAR_{variable}", value)
    outcome = stops(said)
    assert outcome.failed == "extract_features"
    assert "Error" not in outcome.failure.replace("NotADirectoryError", "")


def test_all_settings_that_are_wrong_are_named_at_once(stops, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_TARGET_LIST_RECIPIENTS", "")
    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_K_PATIENCE", "a week")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "smtp://mail/?disable_tls=perhaps")
    outcome = stops("Nobody is configured to receive the target list")
    assert "reclustering_k_patience is 'a week'" in outcome.failure
    assert "disable_tls = 'perhaps'; expected true or false" in outcome.failure


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"delivry": "hold"}, "'delivry' (did you mean delivery?), which is no parameter"),
        ({"recipient": ["me@example.com"]}, "'recipient' (did you mean recipients?)"),
        ({"kk": 6}, "'kk' (did you mean k?)"),
    ],
)
def test_a_parameter_that_is_none_stops_the_first_task(stops, conf, said):
    assert stops(said, **conf).failed == "extract_features"


def test_a_store_that_may_not_be_written_stops_the_first_task(stops, monkeypatch, warehouse_file):
    monkeypatch.setattr(
        "reclustering.warehouse.duckdb.os.access", lambda path, mode: path != warehouse_file
    )
    outcome = stops(f"{warehouse_file} cannot be written by this user")
    assert outcome.failed == "extract_features"


def test_a_mail_server_that_cannot_be_reached_can_be_tried_again(run_dag, outbox, monkeypatch):
    from quickstart.mail_sink import free_port

    reachable = os.environ["AIRFLOW_CONN_SMTP_DEFAULT"]
    monkeypatch.setenv(
        "AIRFLOW_CONN_SMTP_DEFAULT",
        f"smtp://127.0.0.1:{free_port()}/?disable_ssl=true&disable_tls=true&from_email=a%40example.com",
    )
    outcome = run_dag()
    assert outcome.state == "failed"
    assert "no connection to the mail server of 'smtp_default'" in outcome.failure
    assert (outcome.folder / "target_list.csv").exists(), "the list is kept for the next attempt"
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", reachable)
    assert run_dag().state == "success"
    assert len(list(outbox.glob("*.eml"))) == 1
