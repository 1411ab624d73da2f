"""What a run asks, in all of Airflow and in a browser: it waits, and goes on or ends as people say."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from urllib.parse import quote, urlencode

import duckdb
import pytest
from playwright.sync_api import expect

from reclustering.core.run import folder_name
from tests.airflow_server import DAG, DAG_ID, SOON_DEAD, let_in, password, serve
from tests.browser import browser, logged_in, open_run

__all__ = ["browser"]

pytestmark = pytest.mark.timeout(600)

USERS = {"admin": "admin", "anna": "user", "bob": "user", "viewer": "viewer"}

FIRST = "2026-01-15"

ANSWER_MINUTES = "reclustering_answer_minutes"


@pytest.fixture(scope="module")
def airflow(sample_store, tmp_path_factory):
    """With a published day, and `anna` to decide; as behind a proxy."""
    var = tmp_path_factory.mktemp("airflow")
    settings = SOON_DEAD | {
        "RECLUSTERING_SCHEDULE": "0 0 1 1,6 *",
        "AIRFLOW_VAR_ALERT_RECIPIENTS": "pager@example.com",
        "AIRFLOW_VAR_RECLUSTERING_DECIDERS": '{"anna": "anna@example.com"}',
    }
    with serve(var, sample_store, settings | let_in(var, USERS), base_path="/airflow") as airflow:
        airflow.until(lambda: airflow.call("/api/v2/dags")["total_entries"], lambda n: n >= 3)
        airflow.unpause(DAG_ID)
        first = airflow.trigger(as_of=FIRST, delivery="send")
        assert airflow.finished(first)["state"] == "success"
        yield airflow


@contextmanager
def answer_minutes(airflow, minutes):
    """Let the questions that are asked meanwhile have so many minutes."""
    airflow.call("/api/v2/variables", {"key": ANSWER_MINUTES, "value": minutes})
    yield
    airflow.call(f"/api/v2/variables/{ANSWER_MINUTES}", method="DELETE")


@pytest.fixture(scope="module", autouse=True)
def unanswered(airflow):
    """A run whose question nobody answers: asked before all others, for that takes a minute."""
    with answer_minutes(airflow, "1"):
        run_id = airflow.trigger(as_of="2026-01-20", k=1, delivery="hold")
        assert "within 1 minute " in asked(airflow, run_id, "approve_fit")["body"]
    return run_id


def of_task(run_id, task):
    return f"{DAG}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task}"


def state(airflow, run_id, task):
    return airflow.call(of_task(run_id, task))["state"]


def asked(airflow, run_id, task):
    """Wait for the question of a task; give it as Airflow shows it."""
    airflow.until(lambda: state(airflow, run_id, task), lambda found: found == "awaiting_input")
    # Nobody answers at once.
    time.sleep(3)
    return airflow.call(f"{of_task(run_id, task)}/-1/hitlDetails")


def answer(airflow, run_id, task, option, user="anna"):
    path = f"{of_task(run_id, task)}/-1/hitlDetails"
    body = {"chosen_options": [option], "params_input": {}}
    airflow.call(path, body, method="PATCH", user=user)
    under_way = {"awaiting_input", "scheduled", "queued", "running"}
    became = airflow.until(lambda: state(airflow, run_id, task), lambda now: now not in under_way)
    if became == "up_for_retry":
        # Airflow had not noticed yet that the task waits: it asks again (docs/guards.md), or heeds this.
        ends = {"awaiting_input", "failed", "success"}
        became = airflow.until(lambda: state(airflow, run_id, task), lambda now: now in ends)
        if became == "awaiting_input":
            time.sleep(3)
            answer(airflow, run_id, task, option, user)


def clear(airflow, run_id, task):
    body = {"dag_run_id": run_id, "task_ids": [task], "dry_run": False}
    body |= {"include_downstream": True, "reset_dag_runs": True, "only_failed": False}
    airflow.call(f"{DAG}/clearTaskInstances", body)


def folder(airflow, run_id, as_of):
    return airflow.var / "artifacts" / f"as_of={as_of}" / folder_name(run_id)


def left(airflow, run_id, as_of, name):
    return json.loads((folder(airflow, run_id, as_of) / name).read_text())


def store(airflow, statement, *, write=False):
    def attempt():
        try:
            with duckdb.connect(
                str(airflow.var / "warehouse.duckdb"), read_only=not write
            ) as connection:
                return connection.execute(statement).fetchall()
        except duckdb.IOException:
            return None

    return airflow.until(attempt, lambda rows: rows is not None)


def decisions(airflow, run_id):
    return store(
        airflow,
        "SELECT subject, verdict, how, decided_by FROM dbo.clustering_decisions"
        f" WHERE run_id = '{run_id}' ORDER BY decided_at",
    )


def page(airflow, path, user, *, post=False, **headers):
    """Ask for one of our pages; give status and text."""
    request = urllib.request.Request(
        f"{airflow.address}/reclustering/{path}", method="POST" if post else "GET"
    )
    request.add_header("Cookie", f"_token={airflow.token(user, password(user))}")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_fit_that_a_guard_speaks_against_waits_for_whoever_may_decide(airflow):
    as_of = "2026-01-16"
    run_id = airflow.trigger(as_of=as_of, k=1, delivery="send")
    question = asked(airflow, run_id, "approve_fit")
    check = left(airflow, run_id, as_of, "fit_check.json")
    assert question["subject"] == "Publish the clusters of 16 January 2026?"
    assert "5,661 of the 37,336 customers of label 0 (15.2%)" in question["body"]
    assert "| label 0 | 31,675 | 37,336 |" in question["body"]
    assert f"`{check['sha256']}`, label 0" in question["body"]
    assert (question["options"], question["defaults"]) == (["Approve", "Reject"], ["Reject"])
    assert as_of not in airflow.published()

    [mail] = airflow.until(lambda: airflow.sent(f"asks: {run_id}"), lambda found: found)
    assert mail["To"] == "anna@example.com"
    text = mail.get_content()
    address = (
        f"{airflow.address}/dags/{DAG_ID}/runs/{quote(run_id, safe='')}/tasks/approve_fit/requi"
    )
    assert address in text.replace("=\n", "")
    assert "Publish the clusters of 16 January 2026? 5,661 of the 37,336 customers" in text
    assert "@" not in text

    shown = page(airflow, f"run?{urlencode({'run_id': run_id})}", "viewer")[1]
    assert "This run waits for an answer." in shown
    assert "Nobody has decided yet." in shown
    for user in ("bob", "viewer"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            answer(airflow, run_id, "approve_fit", "Approve", user)
    answer(airflow, run_id, "approve_fit", "Approve")
    assert airflow.finished(run_id)["state"] == "success"
    assert airflow.published()[as_of] == 37_336
    decision = left(airflow, run_id, as_of, "fit_decision.json")
    assert decision.pop("at")
    assert decision == {
        "subject": "fit",
        "as_of": as_of,
        "label": 0,
        "sha256": check["sha256"],
        "verdict": "approved",
        "how": "answer",
        "by": "anna",
    }
    assert decisions(airflow, run_id) == [("fit", "approved", "answer", "anna")]
    assert "Approved by anna" in page(airflow, f"run?{urlencode({'run_id': run_id})}", "viewer")[1]
    [mail] = airflow.mails(as_of)
    assert "Approved by anna" in " ".join(mail.get_body(("plain",)).get_content().split())


def test_a_rejected_fit_ends_the_run_and_can_be_asked_about_once_more(airflow):
    as_of = "2026-01-17"
    run_id = airflow.trigger(as_of=as_of, k=2, delivery="hold", scaling="standard")
    asked(airflow, run_id, "approve_fit")
    answer(airflow, run_id, "approve_fit", "Reject")
    assert airflow.finished(run_id)["state"] == "failed"
    assert as_of not in airflow.published()
    assert [row[1] for row in decisions(airflow, run_id)] == ["rejected"], "no retry asks again"
    text = airflow.until(
        lambda: [one for one in airflow.sent(f": {run_id}") if one["To"] == "pager@example.com"],
        lambda found: found,
    )[0].get_content()
    assert "Rejected by anna" in text
    shown = page(airflow, f"run?{urlencode({'run_id': run_id})}", "viewer")[1]
    assert "This run failed at approve_fit." in shown
    assert "Rejected by anna" in shown

    clear(airflow, run_id, "approve_fit")
    assert asked(airflow, run_id, "approve_fit")["response_received"] is False
    answer(airflow, run_id, "approve_fit", "Approve")
    assert airflow.finished(run_id)["state"] == "success"
    assert as_of in airflow.published()
    assert [row[1] for row in decisions(airflow, run_id)] == ["rejected", "approved"]


def test_what_was_approved_is_not_asked_again_and_what_changed_is(airflow):
    as_of = "2026-01-18"
    run_id = airflow.trigger(as_of=as_of, k=1, delivery="hold")
    before = asked(airflow, run_id, "approve_fit")["body"]
    answer(airflow, run_id, "approve_fit", "Approve")
    assert airflow.finished(run_id)["state"] == "success"
    clear(airflow, run_id, "choose_k")
    assert airflow.finished(run_id)["state"] == "success", "the same fit again"

    # A record that comes late makes another fit of it.
    store(
        airflow,
        "UPDATE dbo.store_returns SET sr_return_amt = sr_return_amt + 1 WHERE sr_customer_sk ="
        " (SELECT min(sr_customer_sk) FROM dbo.store_returns)",
        write=True,
    )
    clear(airflow, run_id, "extract_features")
    after = asked(airflow, run_id, "approve_fit")["body"]
    sha256 = left(airflow, run_id, as_of, "fit_check.json")["sha256"]
    assert sha256 in after
    assert sha256 not in before
    answer(airflow, run_id, "approve_fit", "Approve")
    assert airflow.finished(run_id)["state"] == "success"
    assert len(decisions(airflow, run_id)) == 2


def test_an_earlier_question_is_not_shown_for_a_later_one(airflow):
    run_id = airflow.trigger(as_of="2026-01-19", k=1, delivery="hold")
    assert "within 12 hours " in asked(airflow, run_id, "approve_fit")["body"]
    with answer_minutes(airflow, "120"):
        # What is asked has changed, and the task is cleared while its run is under way.
        clear(airflow, run_id, "approve_fit")
        assert airflow.finished(run_id)["state"] == "failed"
        shown = page(airflow, f"run?{urlencode({'run_id': run_id})}", "viewer")[1]
        assert "Airflow still shows an earlier question of this task" in shown
        clear(airflow, run_id, "approve_fit")
        assert "within 2 hours " in asked(airflow, run_id, "approve_fit")["body"]
    answer(airflow, run_id, "approve_fit", "Reject")
    assert airflow.finished(run_id)["state"] == "failed"


def test_two_questions_are_open_at_once_and_outlive_all_of_airflow(airflow):
    runs = {
        as_of: airflow.trigger(as_of=as_of, k=1, delivery="hold")
        for as_of in ("2026-01-21", "2026-01-22")
    }
    for run_id in runs.values():
        asked(airflow, run_id, "approve_fit")
    airflow.restart()
    for run_id, option in zip(runs.values(), ("Approve", "Reject"), strict=True):
        assert state(airflow, run_id, "approve_fit") == "awaiting_input"
        answer(airflow, run_id, "approve_fit", option)
    ended = [airflow.finished(run_id)["state"] for run_id in runs.values()]
    assert ended == ["success", "failed"]
    assert airflow.published().keys() & runs.keys() == {"2026-01-21"}


def test_a_list_that_a_guard_speaks_against_is_approved_in_the_browser(airflow, browser):
    as_of = "2026-01-23"
    opt_outs = store(airflow, "SELECT count(*) FROM dbo.email_suppressions")
    store(airflow, "CREATE TABLE kept AS FROM dbo.email_suppressions", write=True)
    store(airflow, "DELETE FROM dbo.email_suppressions", write=True)
    run_id = airflow.trigger(as_of=as_of, k=4, delivery="send", accept_change=False)
    if asked_first(airflow, run_id) == "approve_fit":
        answer(airflow, run_id, "approve_fit", "Approve")
    question = asked(airflow, run_id, "approve_list")
    assert question["subject"] == "Mail the target list of 23 January 2026?"
    assert f"has 0 rows and had {opt_outs[0][0]:,} on" in question["body"].replace("\\", "")
    assert airflow.mails(as_of) == []

    tab = logged_in(browser, airflow, "anna")
    inside = open_run(tab, airflow, run_id)
    expect(inside.get_by_text("This run waits for an answer.")).to_be_visible(timeout=30_000)
    inside.get_by_role("link", name="Approve or reject").click()
    expect(tab).to_have_url(re.compile("/tasks/approve_list/required_actions"), timeout=30_000)
    expect(tab.get_by_text("Mail the target list of 23 January 2026?").first).to_be_visible()
    tab.get_by_role("button", name="Approve").click()
    assert airflow.finished(run_id)["state"] == "success"
    tab.context.close()
    store(airflow, "INSERT INTO dbo.email_suppressions FROM kept", write=True)
    [mail] = airflow.mails(as_of)
    text = " ".join(mail.get_body(("plain",)).get_content().split())
    assert "A CHECK HAD STOPPED THIS LIST" in text.upper()
    assert "Approved by anna" in text
    assert ("list", "approved", "answer", "anna") in decisions(airflow, run_id)


def asked_first(airflow, run_id):
    """Wait for the first question of a run; give its task."""
    return airflow.until(
        lambda: next(
            (
                task
                for task in ("approve_fit", "approve_list")
                if state(airflow, run_id, task) == "awaiting_input"
            ),
            None,
        ),
        lambda found: found,
    )


@pytest.fixture(scope="module")
def backfilled(airflow):
    """A backfilled day, whose list is held."""
    as_of = "2026-01-01"
    midnight = f"{as_of}T00:00:00Z"
    body = {"dag_id": DAG_ID, "from_date": midnight, "to_date": midnight, "dag_run_conf": {}}
    airflow.finished_backfill(airflow.call("/api/v2/backfills", body)["id"])
    [run] = airflow.call(f"{DAG}/dagRuns?run_type=backfill")["dag_runs"]
    assert run["state"] == "success"
    return as_of, run["dag_run_id"]


def test_a_held_list_goes_out_by_one_click(airflow, browser, backfilled):
    as_of, run_id = backfilled
    assert airflow.mails(as_of) == []
    sha256 = left(airflow, run_id, as_of, "target_list.json")["sha256"]
    release = f"release?{urlencode({'run_id': run_id, 'sha256': sha256})}"
    run = f"run?{urlencode({'run_id': run_id})}"
    for user in ("viewer", "bob"):
        assert "<button>Mail this list" not in page(airflow, run, user)[1]
        assert page(airflow, release, user, post=True)[0] == 403
    assert page(airflow, release, "anna")[0] == 405
    assert page(airflow, release, "anna", post=True, Sec_Fetch_Site="cross-site")[0] == 403
    other = f"release?{urlencode({'run_id': run_id, 'sha256': '0' * 64})}"
    assert page(airflow, other, "anna", post=True)[0] == 409
    assert not (folder(airflow, run_id, as_of) / "list_decision.json").exists()

    tab = logged_in(browser, airflow, "anna")
    inside = open_run(tab, airflow, run_id)
    inside.get_by_role("button", name="Mail this list").click(timeout=30_000)
    expect(inside.get_by_text(re.compile("This run is (queued|running)"))).to_be_visible()
    assert airflow.finished(run_id)["state"] == "success"
    assert tab.complaints == []
    tab.context.close()
    [mail] = airflow.mails(as_of)
    assert "Released by anna" in " ".join(mail.get_body(("plain",)).get_content().split())
    assert decisions(airflow, run_id) == [("list", "approved", "release", "anna")]
    shown = page(airflow, run, "anna")[1]
    assert "Released by anna" in shown
    assert "<button>Mail this list" not in shown
    assert page(airflow, release, "anna", post=True)[0] == 409, "it has gone out"
    events = airflow.call("/api/v2/eventLogs?event=target_list_released")["event_logs"]
    assert [(one["owner"], one["run_id"]) for one in events] == [("anna", run_id)]


def test_without_an_answer_it_is_rejected(airflow, unanswered):
    assert airflow.finished(unanswered)["state"] == "failed"
    assert decisions(airflow, unanswered) == [("fit", "rejected", "no_answer", "")]
    shown = page(airflow, f"run?{urlencode({'run_id': unanswered})}", "viewer")[1]
    assert "Rejected, for nobody had answered by" in shown
