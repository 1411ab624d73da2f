"""The DAG in all of Airflow: API server, scheduler, DAG processor, a process per task."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import threading
import urllib.error
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from quickstart.environment import PROJECT
from tests.airflow_server import DAG, DAG_ID, SOON_DEAD, serve

pytestmark = pytest.mark.timeout(600)

LINEAGE = "lineage.jsonl"
"""In the folder `var`: what OpenLineage is told."""


@pytest.fixture(scope="module")
def audience_tool():
    """A service that takes audiences; give its port and what it was sent."""
    received = []

    class Tool(BaseHTTPRequestHandler):
        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Tool)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, received
    server.shutdown()


@pytest.fixture(scope="module")
def airflow(sample_store, tmp_path_factory, audience_tool):
    settings = SOON_DEAD | {
        # Its nights begin on the day before in UTC, and two of them in a year are an hour off.
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Europe/Copenhagen",
        "RECLUSTERING_SCHEDULE": "30 0 * * *",
        "AIRFLOW_VAR_ALERT_RECIPIENTS": "pager@example.com",
    }
    failing = PROJECT / "tests" / "dags" / "failing_dags.py"
    var = tmp_path_factory.mktemp("airflow")
    lineage = {"type": "file", "log_file_path": str(var / LINEAGE), "append": True}
    settings |= {"AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(lineage)}
    waiting = tmp_path_factory.mktemp("docs") / "after_publication.py"
    text = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    waiting.write_text(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0], encoding="utf-8")
    settings |= {
        "AIRFLOW_VAR_TARGET_LIST_DROP": str(var / "drop"),
        "AIRFLOW_CONN_AUDIENCE_TOOL": f"http://127.0.0.1:{audience_tool[0]}",
    }
    feeding = PROJECT / "docs" / "examples" / "feed_audience.py"
    with serve(var, sample_store, settings, failing, waiting, feeding) as airflow:
        airflow.until(lambda: airflow.call("/api/v2/dags")["total_entries"], lambda n: n >= 8)
        airflow.unpause("feed_audience")
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


def test_each_published_set_of_labels_is_an_event_that_others_can_wait_for(airflow, run_id):
    def published():
        events = airflow.call("/api/v2/assets/events?limit=100")["asset_events"]
        return {
            event["source_run_id"]: event["extra"]
            for event in events
            if event["source_task_id"] == "write_labels"
        }

    def reported():
        """What the DAG of docs/operations.md was woken with."""
        path = "/api/v2/dags/after_publication/dagRuns"
        runs = [run for run in airflow.call(path)["dag_runs"] if run["state"] == "success"]
        answers = [
            airflow.call(
                f"{path}/{run['dag_run_id']}/taskInstances/report/xcomEntries/return_value"
            )
            for run in runs
        ]
        return [event for answer in answers for event in answer["value"]]

    extra = airflow.until(published, lambda events: run_id in events)[run_id]
    assert extra == {
        "as_of": "2026-01-15",
        "run_id": run_id,
        "k": 4,
        "customers": 37_336,
        "sizes": [31_675, 4_989, 671, 1],
    }
    # Of two sets that are published within a moment, tonight's and this one, Airflow may hand
    # over the second with the next one only.
    for event in airflow.until(reported, lambda events: events):
        assert event == published()[event["run_id"]]


def test_openlineage_sees_which_task_reads_and_writes_what(airflow, run_id):
    [folder] = (airflow.var / "artifacts" / "as_of=2026-01-15").iterdir()
    store = str(airflow.var / "warehouse.duckdb")

    def used():
        """The files of this run, and the store, that each task has read and written."""
        events = map(json.loads, (airflow.var / LINEAGE).read_text().splitlines())
        return {
            event["job"]["name"].partition(".")[2]: [
                {
                    "store" if one["name"] == store else Path(one["name"]).name
                    for one in event[way]
                    if one["namespace"] == "file" and one["name"].startswith((store, str(folder)))
                }
                for way in ("inputs", "outputs")
            ]
            for event in events
            if event["eventType"] == "COMPLETE" and str(folder) in json.dumps(event["outputs"])
        }

    tasks = airflow.until(used, lambda tasks: len(tasks) == 7)
    assert tasks["extract_features"][0] == {"store"}
    assert "features.parquet" in tasks["choose_k"][0]
    assert tasks["write_labels"][1] == {"store", "publication.json"}
    written = [name for _, outputs in tasks.values() for name in outputs - {"store"}]
    assert sorted(written) == sorted(file.name for file in folder.iterdir())


def test_the_list_that_went_out_feeds_the_tool_of_the_docs(airflow, run_id, audience_tool):
    """That of the newest day, if tonight's has gone out in the same moment."""
    lists = {
        hashlib.sha256(path.read_bytes()).hexdigest(): [
            (row["customer"], row["email"])
            for row in csv.DictReader(path.open(encoding="utf-8-sig", newline=""))
        ]
        for path in (airflow.var / "drop").rglob("*.csv")
    }

    def fed():
        batches = [(path.split("/")[-2], members) for path, members in audience_tool[1]]
        newest = batches[-1][0] if batches else None
        return newest, [
            (one["key"], one["email"])
            for sha, members in batches
            if sha == newest
            for one in members
        ]

    sha256, members = airflow.until(
        fed, lambda found: len(found[1]) == len(lists.get(found[0], "x"))
    )
    assert members == lists[sha256]
    assert len(members) > 20_000


def test_a_preview_is_no_event(airflow):
    preview = airflow.trigger(as_of="2026-01-17", preview=True)
    assert airflow.finished(preview)["state"] == "success"
    events = airflow.call("/api/v2/assets/events?limit=100")["asset_events"]
    assert preview not in {event["source_run_id"] for event in events}
    assert airflow.sent(f": {preview}") == []


def test_another_days_list_is_not_mailed_by_itself_and_somebody_hears_of_it(airflow, run_id):
    held = airflow.trigger(as_of="2026-01-16")
    assert airflow.finished(held)["state"] == "success"
    alert = airflow.alert(held)
    assert alert["Subject"].strip() == f"customer_reclustering holds a list: {held}"
    text = alert.get_content()
    assert "delivery is auto, which mails today's list, and this is that of 2026-01-16" in text
    assert "press 'Mail this list' in the run's tab" in text
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
    assert len(tasks) == 9
    for task in tasks:
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task], "only_failed": False}
        airflow.call(f"{DAG}/clearTaskInstances", body | {"reset_dag_runs": True})
        assert airflow.finished(run_id)["state"] == "success", task
    instances = airflow.call(f"{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
    assert {one["task_id"]: one["try_number"] for one in instances} == dict.fromkeys(tasks, 2)
    assert airflow.published()["2026-01-15"] == 37_336
    assert len(airflow.mails("2026-01-15")) == 1


def test_a_manual_run_with_a_logical_date_is_about_that_day(airflow):
    # 23:00 UTC is the next day in Copenhagen.
    asked = {"logical_date": "2026-02-03T23:00:00Z", "conf": {}}
    run = airflow.finished(airflow.call(f"{DAG}/dagRuns", asked)["dag_run_id"])
    assert (run["state"], run["note"]) == ("success", "as of 2026-02-04")
    assert airflow.published()["2026-02-04"] == 37_336


def test_the_command_line_triggers_with_as_of(airflow):
    airflow.command(
        "dags", "trigger", DAG_ID, "--run-id", "by_hand", "--conf", '{"as_of": "2026-02-05"}'
    )
    assert airflow.finished("by_hand")["note"] == "as of 2026-02-05"
    assert airflow.published()["2026-02-05"] == 37_336


CLOCK_GOES_FORWARD = ["2026-03-29", "2026-03-30"]
CLOCK_GOES_BACK = ["2026-10-25", "2026-10-26"]


def window(days):
    """Give a backfill's bounds in UTC for days whose runs begin at 00:30 in Copenhagen."""
    before = date.fromisoformat(days[0]) - timedelta(days=1)
    return f"{before}T22:00:00Z", f"{days[-1]}T12:00:00Z"


def backfilled(airflow, days):
    """Wait for the newest backfill; give its runs' states and tries, and the labels, of these days."""
    newest = airflow.call(f"/api/v2/backfills?dag_id={DAG_ID}&order_by=-id")["backfills"][0]
    airflow.finished_backfill(newest["id"])
    runs = {
        run["note"].removeprefix("as of "): run
        for run in airflow.call(f"{DAG}/dagRuns?run_type=backfill&limit=100")["dag_runs"]
    }
    tries = {
        task["try_number"]
        for day in days
        for task in airflow.call(f"{DAG}/dagRuns/{runs[day]['dag_run_id']}/taskInstances")[
            "task_instances"
        ]
    }
    sums, published = airflow.label_sums(), airflow.published()
    assert [published[day] for day in days] == [37_336] * len(days)
    assert [airflow.mails(day) for day in days] == [[]] * len(days)
    return [runs[day]["state"] for day in days], tries, [sums[day] for day in days]


@pytest.fixture(scope="module")
def backfill(airflow):
    """Two days backfilled by the API, as the UI does it; gives what is asked for, and what came of it."""
    first, last = window(CLOCK_GOES_FORWARD)
    asked = {"dag_id": DAG_ID, "from_date": first, "to_date": last, "max_active_runs": 2}
    asked |= {"dag_run_conf": {}, "reprocess_behavior": "none", "run_backwards": False}
    airflow.call("/api/v2/backfills", asked)
    return asked, backfilled(airflow, CLOCK_GOES_FORWARD)


def test_a_backfill_over_a_change_of_the_clock_has_every_day_once_and_mails_nobody(backfill):
    states, tries, _ = backfill[1]
    assert (states, tries) == (["success", "success"], {1})


def test_a_day_that_ran_is_left_alone_by_none_and_failed(airflow, backfill):
    for behaviour in ("none", "failed"):
        asked = backfill[0] | {"reprocess_behavior": behaviour}
        assert airflow.call("/api/v2/backfills/dry_run", asked)["backfills"] == [], behaviour


def test_the_command_line_runs_days_again_to_the_same_end(airflow, backfill):
    command_line_backfill(airflow, CLOCK_GOES_FORWARD, "completed")
    again = backfilled(airflow, CLOCK_GOES_FORWARD)
    assert again == (["success", "success"], {2}, backfill[1][2])


def test_the_command_line_backfills_days_that_never_ran(airflow):
    command_line_backfill(airflow, CLOCK_GOES_BACK, "failed")
    assert backfilled(airflow, CLOCK_GOES_BACK)[:2] == (["success", "success"], {1})


def command_line_backfill(airflow, days, behaviour):
    first, last = window(days)
    airflow.command(
        *("backfill", "create", "--dag-id", DAG_ID, "--reprocess-behavior", behaviour),
        *("--from-date", first, "--to-date", last, "--max-active-runs", "2"),
    )


def test_a_backfills_tasks_go_after_those_of_other_runs(airflow, run_id, backfill):
    def weights(run):
        instances = airflow.call(f"{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
        return {one["priority_weight"] for one in instances}

    [one, *_] = airflow.call(f"{DAG}/dagRuns?run_type=backfill")["dag_runs"]
    assert (weights(run_id), weights(one["dag_run_id"])) == ({10}, {1})
