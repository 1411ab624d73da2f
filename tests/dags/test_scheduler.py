"""The DAG in all of Airflow: API server, scheduler, DAG processor, a process per task."""

from __future__ import annotations

import urllib.error

import pytest

from quickstart.environment import PROJECT
from tests.airflow_server import DAG, serve

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def airflow(sample_store, tmp_path_factory):
    settings = {
        "AIRFLOW_VAR_ALERT_RECIPIENTS": "pager@example.com",
        # After which a task that is not heard of is taken for dead; five minutes by default.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    }
    failing = PROJECT / "tests" / "dags" / "failing_dags.py"
    var = tmp_path_factory.mktemp("airflow")
    with serve(var, sample_store, settings, failing) as airflow:
        airflow.until(lambda: airflow.call("/api/v2/dags")["total_entries"], lambda n: n >= 6)
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
