"""The DAG in all of Airflow: API server, scheduler, DAG processor, a process per task."""

from __future__ import annotations

import json
import os
import shutil
import time
import urllib.error
import urllib.request
from email import message_from_bytes, policy

import duckdb
import pytest

from quickstart.environment import CONNECTIONS, PROJECT, airflow_environment, defaults
from quickstart.mail_sink import free_port, mail_sink
from quickstart.make_ui import USER, airflow_standalone, make_password, web_environment

DAG = "/api/v2/dags/customer_reclustering"
pytestmark = pytest.mark.timeout(600)


class Airflow:
    """Airflow's REST API, and what the runs leave outside it."""

    def __init__(self, address, password, var):
        self.address = address
        self.var = var
        self.token = None
        self.token = self.call("/auth/token", {"username": USER, "password": password})[
            "access_token"
        ]

    def call(self, path, body=None):
        request = urllib.request.Request(
            self.address + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        for attempts_left in (2, 1, 0):
            try:
                with urllib.request.urlopen(request, timeout=120) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                # The scheduler has a run of its own under way, and SQLite one writer at a time.
                if error.code < 500 or not attempts_left:
                    raise
                time.sleep(2)
        raise AssertionError

    def trigger(self, dag=DAG, **params):
        return self.call(f"{dag}/dagRuns", {"logical_date": None, "conf": params})["dag_run_id"]

    def finished(self, run_id, dag=DAG):
        return self._until(
            lambda: self.call(f"{dag}/dagRuns/{run_id}"),
            lambda run: run["state"] in {"success", "failed"},
        )

    def alert(self, run_id):
        """Wait for the one alert about a run."""
        alerts = self._until(lambda: self.sent(f": {run_id}"), lambda found: found)
        time.sleep(2)
        assert len(self.sent(f": {run_id}")) == 1
        return alerts[0]

    def finished_backfill(self, backfill_id):
        return self._until(
            lambda: self.call(f"/api/v2/backfills/{backfill_id}"), lambda one: one["completed_at"]
        )

    def _until(self, read, done):
        deadline = time.monotonic() + 240
        while not done(state := read()):
            assert time.monotonic() < deadline, state
            time.sleep(1)
        return state

    def mails(self, as_of):
        # By their day, for the scheduler may start a run of its own: today's.
        return [mail for mail in self.sent(as_of) if mail["To"] == "marketing@example.com"]

    def sent(self, subject):
        mails = [
            message_from_bytes(path.read_bytes(), policy=policy.default)
            for path in (self.var / "outbox").glob("*.eml")
        ]
        return [mail for mail in mails if subject in mail["Subject"]]

    def published(self):
        with duckdb.connect(str(self.var / "warehouse.duckdb"), read_only=True) as connection:
            return dict(
                connection.execute(
                    "SELECT as_of::VARCHAR, count(*) FROM dbo.customer_clusters GROUP BY 1"
                ).fetchall()
            )


@pytest.fixture(scope="module")
def airflow(sample_store, tmp_path_factory):
    var = tmp_path_factory.mktemp("airflow")
    shutil.copyfile(sample_store, var / "warehouse.duckdb")
    mail_port, port = free_port(), free_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in (*CONNECTIONS, "AIRFLOW_VAR_RECLUSTERING_ARTIFACTS"):
            patch.delenv(name, raising=False)
        dags = var / "dags"
        shutil.copytree(PROJECT / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT / "tests" / "dags" / "failing_dags.py", dags)
        environment = (
            airflow_environment(var)
            | defaults(var, mail_port)
            | {
                "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
                "AIRFLOW_VAR_ALERT_RECIPIENTS": "pager@example.com",
                # After which a task that is not heard of is taken for dead; five minutes by default.
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            }
        )
        for name, value in (environment | web_environment(var, port)).items():
            patch.setenv(name, value)
        password = make_password(var)
        address = os.environ["AIRFLOW__API__BASE_URL"]
        with (
            mail_sink(var / "outbox", mail_port),
            airflow_standalone(address, var / "airflow.log"),
        ):
            airflow = Airflow(address, password, var)
            airflow._until(lambda: airflow.call("/api/v2/dags")["total_entries"], lambda n: n >= 6)
            yield airflow


@pytest.fixture(scope="module")
def run_id(airflow):
    run_id = airflow.trigger(as_of="2026-01-15", delivery="send")
    assert airflow.finished(run_id)["state"] == "success"
    return run_id


def test_no_dag_fails_to_import(airflow):
    assert airflow.call("/api/v2/importErrors")["import_errors"] == []


def test_the_runbook_and_the_form_are_in_the_ui(airflow):
    details = airflow.call(f"{DAG}/details")
    assert "When a task fails" in details["doc_md"]
    assert details["params"]["k"]["schema"]["maximum"] == 40
    assert details["params"]["delivery"]["description"].startswith(
        "auto: send today's list, but not from a backfill"
    )


def test_a_bad_param_is_refused_on_triggering(airflow):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        airflow.trigger(k=99)
    assert refusal.value.code == 400
    assert "param k: 99 is greater than the maximum of 40" in refusal.value.read().decode()


def test_a_triggered_run_publishes_and_mails(airflow, run_id):
    assert airflow.published()["2026-01-15"] == 37_336
    [mail] = airflow.mails("2026-01-15")
    assert mail["To"] == "marketing@example.com"
    link = f"{airflow.address}/dags/customer_reclustering/runs/"
    body = mail.get_body(("html",)).get_content()
    assert link in body
    assert "This list describes the store as of 15 January 2026. It was made on" in body


def test_the_list_of_runs_says_which_day_each_is_about(airflow, run_id):
    assert airflow.call(f"{DAG}/dagRuns/{run_id}")["note"] == "as of 2026-01-15"


def test_another_days_list_is_not_mailed_by_itself_and_somebody_hears_of_it(airflow, run_id):
    held = airflow.trigger(as_of="2026-01-16")
    assert airflow.finished(held)["state"] == "success"
    alert = airflow.alert(held)
    assert alert["Subject"].strip() == f"customer_reclustering holds a list: {held}"
    text = alert.get_content()
    assert "delivery is auto, which mails today's list, and this is that of 2026-01-16" in text
    assert "set the Airflow Variable target_list_released to 2026-01-16/0/" in text
    assert airflow.mails("2026-01-16") == []


@pytest.mark.parametrize(
    ("dag", "task", "reason"),
    [
        ("says_why", "refuse", "k is 'four'; expected a whole number."),
        ("task_is_killed", "die", "its process was killed"),
        ("task_and_its_supervisor_are_killed", "die", "its process was killed"),
    ],
)
def test_one_alert_says_that_a_run_has_failed_however_its_task_ended(airflow, dag, task, reason):
    path = f"/api/v2/dags/{dag}"
    run_id = airflow.trigger(path)
    assert airflow.finished(run_id, path)["state"] == "failed"
    alert = airflow.alert(run_id)
    assert alert["To"] == "pager@example.com"
    assert alert["Subject"].strip() == f"{dag} failed at {task}: {run_id}"
    text = alert.get_content()
    assert reason in text
    assert f"/dags/{dag}/runs/" in text
    assert "docs/operations.md" in text


def test_the_log_of_what_was_refused_ends_with_its_sentence_and_no_traceback(airflow):
    path = "/api/v2/dags/says_why"
    run_id = airflow.trigger(path)
    airflow.finished(run_id, path)
    log = airflow.call(f"{path}/dagRuns/{run_id}/taskInstances/refuse/logs/1")["content"]
    assert [one for one in log if one.get("error_detail")] == []
    errors = [one["event"] for one in log if one.get("level") == "error"]
    assert errors == ["k is 'four'; expected a whole number.", "Task exited"]


def test_every_task_can_be_cleared_and_run_again_alone(airflow, run_id):
    tasks = [task["task_id"] for task in airflow.call(f"{DAG}/tasks")["tasks"]]
    assert len(tasks) == 7
    for task in tasks:
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task], "only_failed": False}
        airflow.call(f"{DAG}/clearTaskInstances", body | {"reset_dag_runs": True})
        assert airflow.finished(run_id)["state"] == "success", task
    instances = airflow.call(f"{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
    assert {one["task_id"]: one["try_number"] for one in instances} == dict.fromkeys(tasks, 2)
    assert airflow.published()["2026-01-15"] == 37_336
    assert len(airflow.mails("2026-01-15")) == 1


def test_a_backfill_publishes_each_day_at_once_and_mails_nobody(airflow, run_id):
    backfill = {
        "dag_id": "customer_reclustering",
        "from_date": "2026-01-20T00:00:00Z",
        "to_date": "2026-01-21T23:00:00Z",
        "max_active_runs": 2,
        "dag_run_conf": {},
        "reprocess_behavior": "none",
        "run_backwards": False,
    }
    airflow.finished_backfill(airflow.call("/api/v2/backfills", backfill)["id"])
    runs = airflow.call(f"{DAG}/dagRuns?run_type=backfill")["dag_runs"]
    assert [run["state"] for run in runs] == ["success", "success"]
    published = airflow.published()
    assert (published["2026-01-20"], published["2026-01-21"]) == (37_336, 37_336)
    assert airflow.mails("2026-01-20") == airflow.mails("2026-01-21") == []
