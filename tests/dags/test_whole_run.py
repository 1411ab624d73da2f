"""The whole DAG on the sample store, through Airflow."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy

import duckdb
import openpyxl
import pyarrow.parquet as pq
import pytest

from quickstart.sample_store import TUTORIAL
from reclustering.__main__ import main
from reclustering.core.contracts import FEATURES


def rows(warehouse_file, statement):
    with duckdb.connect(str(warehouse_file), read_only=True) as connection:
        return connection.execute(statement).fetchall()


def mails(outbox):
    return [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in sorted(outbox.glob("*.eml"))
    ]


def read(outcome, name):
    return json.loads((outcome.folder / f"{name}.json").read_text())


@pytest.fixture
def ran(run_dag):
    outcome = run_dag()
    assert outcome.state == "success", outcome.failure
    return outcome


def test_the_tutorials_clusters_come_out(ran, warehouse_file):
    elbow = read(ran, "elbow")
    assert (elbow["k"], elbow["method"]) == (4, "clear")
    # Means of the published rows, not of what the pipeline reports of itself.
    means = ", ".join(f"round(avg({feature}), 6)" for feature in FEATURES)
    published = rows(
        warehouse_file,
        f"SELECT cluster, count(*), {means} FROM dbo.customer_clusters GROUP BY 1 ORDER BY 1",
    )
    assert published == [
        (label, one.size, *(getattr(one, feature) for feature in FEATURES))
        for label, one in enumerate(TUTORIAL)
    ]


def test_each_task_leaves_one_small_xcom(ran):
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = session.query(XComModel.task_id, XComModel.key, XComModel.value)
        xcoms = [(task, key, value) for task, key, value in rows.filter_by(run_id=ran.run_id)]
    assert {key for _, key, _ in xcoms} == {"return_value"}
    assert len(xcoms) == 9
    assert all(
        len(value if isinstance(value, dict) else json.loads(value)) <= 4 for *_, value in xcoms
    )


def test_the_tutorials_table_is_there_under_its_old_name(ran, warehouse_file):
    view = rows(
        warehouse_file,
        "SELECT Customer, OrderRatio, itemsRatio, monetaryRatio, frequency, cluster"
        " FROM dbo.py_customer_clusters",
    )
    assert len(view) == 37_336


def test_marketing_gets_the_list(ran, outbox):
    [mail] = mails(outbox)
    listed = read(ran, "target_list")
    assert mail["To"] == "marketing@example.com"
    [attachment] = mail.iter_attachments()
    assert attachment.get_filename() == f"target_list_{listed['as_of']}.xlsx"
    sheet = openpyxl.load_workbook(io.BytesIO(attachment.get_content()), read_only=True).active
    assert sheet.max_row == 1 + listed["customers"]
    with (ran.folder / "target_list.csv").open(encoding="utf-8-sig", newline="") as file:
        assert sum(1 for _ in csv.reader(file)) == 1 + listed["customers"]
    assert listed["customers"] + sum(listed["excluded"].values()) == 31_675


def test_every_artifact_is_left_and_those_with_addresses_are_private(ran):
    names = {path.name for path in ran.folder.iterdir()}
    assert names >= {
        "features.parquet",
        "elbow.json",
        "elbow.png",
        "clusters.json",
        "clusters.png",
        "labels.parquet",
        "target_list.csv",
        "target_list.xlsx",
        "delivery.json",
        "run.json",
    }
    for name in ("target_list.csv", "target_list.xlsx"):
        assert (ran.folder / name).stat().st_mode & 0o077 == 0


def why(customer, capsys, *options):
    capsys.readouterr()
    assert main(["why", str(customer), *options]) == 0
    return capsys.readouterr().out.splitlines()


def test_why_a_customer_is_on_the_list_or_not(ran, warehouse_file, capsys):
    """Distances by hand: without scaling they are Euclid's."""
    features = ", ".join(FEATURES)
    table = f"SELECT customer, {features} FROM dbo.customer_clusters WHERE cluster"
    (far, *x), *_ = rows(warehouse_file, f"{table} = 3")
    centroids = [list(one["centroid"].values()) for one in read(ran, "clusters")["clusters"]]
    away = sorted((math.dist(x, centroid), label) for label, centroid in enumerate(centroids))
    said = why(far, capsys)
    assert said[0].endswith("orderRatio 1, itemsRatio 2, monetaryRatio 108.719, frequency 1.")
    assert f"Cluster 3, {away[0][0]:.4g} from its centroid" in said[1]
    assert f"that of cluster {away[1][1]}, is {away[1][0]:.4g} away." in said[1]
    assert said[2] == "Not on the list, which is of cluster 0."

    became = pq.read_table(ran.folder / "target_list.parquet").to_pylist()
    as_of = read(ran, "run")["as_of"]
    day = date.fromisoformat(as_of)
    (listed, opted_out) = (
        next(one["customer"] for one in became if one["outcome"] == outcome)
        for outcome in ("listed", "suppressed")
    )
    since = f"{day.day} {day:%B %Y}"
    assert why(listed, capsys, "--as-of", as_of)[2] == f"On the list since {since}."
    assert why(opted_out, capsys)[2] == "Not on the list: opted out."
    assert "had bought nothing before" in why(10**9, capsys)[0]
    assert main(["why", "1", "--as-of", "1999-01-01"]) == 1
    assert "No labels of 1999-01-01 are published" in capsys.readouterr().err


def test_a_second_run_sends_nothing_and_publishes_the_same(ran, run_dag, warehouse_file, outbox):
    statement = "SELECT * FROM dbo.customer_clusters ORDER BY as_of, customer"
    before = rows(warehouse_file, statement)
    again = run_dag()
    assert again.state == "success", again.failure
    assert rows(warehouse_file, statement) == before
    assert len(mails(outbox)) == 1
    assert rows(warehouse_file, "SELECT count(*) FROM dbo.customer_clusters_staging") == [(0,)]
    labels = [pq.read_table(one.folder / "labels.parquet") for one in (ran, again)]
    assert labels[0].equals(labels[1])


def test_an_earlier_day_gives_other_clusters_beside_the_first(ran, run_dag, warehouse_file):
    earlier = run_dag(as_of="2024-07-01", accept_change=True)
    assert earlier.state == "success", earlier.failure
    sizes = dict(
        rows(warehouse_file, "SELECT as_of, count(*) FROM dbo.customer_clusters GROUP BY 1")
    )
    assert len(sizes) == 2
    assert max(sizes.values()) == 37_336
    assert 20_000 < min(sizes.values()) < 30_000
    [newest] = rows(warehouse_file, "SELECT count(*) FROM dbo.py_customer_clusters")
    assert newest == (37_336,)


def test_a_fixed_k_and_a_held_mail(run_dag, outbox):
    outcome = run_dag(k=6, delivery="hold")
    assert outcome.state == "success", outcome.failure
    assert read(outcome, "elbow")["method"] == "fixed"
    assert len(read(outcome, "clusters")["clusters"]) == 6
    assert mails(outbox) == []


def test_a_day_in_the_future_stops_the_run(run_dag, warehouse_file):
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    outcome = run_dag(as_of=tomorrow)
    assert outcome.state == "failed"
    assert f"as_of {tomorrow} is in the future" in outcome.failure


def test_a_bad_param_stops_the_run_before_it_starts(run_dag):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError, match="param k: 99 is greater than the maximum of 40"):
        run_dag(k=99)


def test_no_address_or_name_leaves_the_list(ran, warehouse_file, caplog):
    """Neither Airflow's database, nor the log, nor any file but the list holds one."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    people = rows(
        warehouse_file,
        "SELECT trim(c_email_address), c_first_name || ' ' || c_last_name FROM dbo.customer"
        " WHERE c_email_address LIKE '%_@example.%'",
    )
    with create_session() as session:
        xcoms = " ".join(str(value) for (value,) in session.query(XComModel.value).all())
    files = {path.name: path.read_bytes().decode("latin-1") for path in ran.folder.iterdir()}
    target_list = files.pop("target_list.csv")
    texts = {"XCom": xcoms, "log": caplog.text, **files}
    assert sum(address in target_list for address, _ in people[:100]) > 50, "the check itself works"
    for address, name in people[:500]:
        for place, text in texts.items():
            assert address not in text, place
            assert name not in text, place


def test_k_is_kept_over_the_nights_and_a_person_can_change_it(run_dag, warehouse_file):
    """On 2024-07-01 nothing is clear, so k is the tutorial's; from 2025 on, three groups are."""
    runs = [
        run_dag(as_of=as_of, k=k, delivery="hold", accept_change=True)
        for as_of, k in (
            ("2024-07-01", None),
            ("2025-06-02", None),
            ("2025-06-03", 2),
            ("2025-06-04", None),
        )
    ]
    assert [outcome.failure for outcome in runs] == [None] * 4
    elbows = [read(outcome, "elbow") for outcome in runs]
    assert [one["method"] for one in elbows] == ["default", "kept", "fixed", "kept"]
    assert [one["evidence"]["groups"] for one in elbows] == [None, 3, 3, 3]
    assert elbows[0]["groups"] == elbows[1]["groups"]
    assert elbows[3]["k"] == 2
    assert elbows[3]["evidence"]["since"] == "2025-06-02"
    assert "on 3 days in a row, since 2025-06-02; 7 change k" in elbows[3]["reason"]


def test_the_command_line_tests_a_day(
    airflow_database, warehouse_file, outbox, tmp_path, monkeypatch
):
    """Without a scheduler: one that runs on the same database takes tasks away from the command."""
    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_ARTIFACTS", (tmp_path / "artifacts").as_uri())
    command = ("dags", "test", "customer_reclustering", "2026-02-06T12:00:00Z")
    ended = subprocess.run(
        [sys.executable, "-m", "airflow", *command], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout[-3000:]
    published = rows(
        warehouse_file, "SELECT as_of::TEXT, count(*) FROM dbo.customer_clusters GROUP BY 1"
    )
    assert published == [("2026-02-06", 37_336)]
    assert mails(outbox) == []
