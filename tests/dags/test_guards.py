"""A wrong list never goes out: the whole DAG, on a store in which something went wrong overnight."""

from __future__ import annotations

import getpass
import json
import os
from datetime import timedelta
from email import message_from_bytes, policy

import duckdb
import pytest

from quickstart.sample_days import yesterday
from quickstart.sample_store import day_key


@pytest.fixture
def night(run_dag, warehouse_file, outbox):
    """A store whose list of yesterday is published; runs today's after a change of the store."""
    first = run_dag(as_of=yesterday().isoformat(), delivery="hold")
    assert first.state == "success", first.failure

    def run(statement, **params):
        with duckdb.connect(str(warehouse_file)) as connection:
            connection.execute(statement)
        outcome = run_dag(**params)
        with duckdb.connect(str(warehouse_file)) as connection:
            published = connection.execute("SELECT max(as_of) FROM dbo.clustering_runs").fetchall()
        return outcome, published[0][0], list(outbox.glob("*.eml"))

    return run


def test_one_bad_record_is_named_and_nothing_is_published_or_mailed(night):
    sale = (
        "SELECT ss_customer_sk, min(ss_ticket_number) FROM dbo.store_sales JOIN dbo.store_returns"
    )
    sale += " ON ss_customer_sk = sr_customer_sk GROUP BY 1 HAVING count(*) = 1 ORDER BY 1 LIMIT 1"
    outcome, published, mails = night(
        f"UPDATE dbo.store_sales SET ss_net_paid = 0.01 FROM ({sale}) AS hit(sk, ticket)"
        " WHERE ss_customer_sk = sk"
    )
    assert outcome.state == "failed"
    assert "1 of 37,336 customers make up 100.0%" in outcome.failure
    assert "of the variance of all (customer " in outcome.failure
    assert outcome.failed == "approve_fit"
    assert outcome.failure.endswith(
        "There is nobody here to ask. If this is right, run it with accept_change=true, or at a terminal."
    )
    assert (published, mails) == (yesterday(), [])
    assert (outcome.folder / "clusters.png").exists(), "for a person to look at"
    clusters = json.loads((outcome.folder / "clusters.json").read_text())
    assert clusters["clusters"][0]["size"] == 31_675, "nor would it have moved label 0"


def test_a_label_0_that_takes_in_returners_is_not_published(night):
    outcome, published, mails = night("SELECT 1", k=1)
    assert outcome.state == "failed"
    assert (
        "5,661 of the 37,336 customers of label 0 (15.2%) have returned something"
        in outcome.failure
    )
    assert (published, mails) == (yesterday(), [])


def test_a_stopped_fit_is_not_what_the_next_run_is_compared_with(night):
    night("SELECT 1", k=1)
    outcome, _, mails = night("SELECT 1")
    assert outcome.state == "success", outcome.failure
    clusters = json.loads((outcome.folder / "clusters.json").read_text())
    assert clusters["continuity"]["previous"]["as_of"] == yesterday().isoformat()
    assert clusters["continuity"]["changed"] == 0
    assert len(mails) == 1


def test_a_person_can_let_it_pass_and_the_list_says_so(night, warehouse_file):
    outcome, published, mails = night("SELECT 1", k=1, accept_change=True)
    assert outcome.state == "success", outcome.failure
    assert published > yesterday()
    found = json.loads((outcome.folder / "fit_check.json").read_text())["findings"]
    assert {one["guard"] for one in found} == {"returners", "changed_cluster"}
    mail = message_from_bytes(mails[0].read_bytes(), policy=policy.default)
    text = " ".join(mail.get_body(("plain",)).get_content().split())
    assert "15.2%" in text
    assert "Let pass by dag_test, who had started the run with accept_change." in text
    with duckdb.connect(str(warehouse_file)) as connection:
        decided = connection.execute(
            "SELECT run_id, subject, label, sha256, verdict, how, guards FROM dbo.clustering_decisions"
        ).fetchall()
    left = json.loads((outcome.folder / "fit_decision.json").read_text())
    said = ("approved", "accept_change", "returners, changed_cluster")
    assert decided == [(outcome.run_id, "fit", 0, left["sha256"], *said)]


@pytest.fixture
def terminal(monkeypatch):
    """Somebody at a terminal, who types what is given."""
    keyboard, screen = os.openpty()
    with os.fdopen(keyboard, "w") as hands, os.fdopen(screen) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)

        def type_in(line):
            hands.write(f"{line}\n")
            hands.flush()

        yield type_in


def test_make_run_asks_at_its_terminal(night, terminal):
    terminal("Approve")
    outcome, published, mails = night("SELECT 1", k=1)
    assert outcome.state == "success", outcome.failure
    assert published > yesterday()
    mail = message_from_bytes(mails[0].read_bytes(), policy=policy.default)
    text = " ".join(mail.get_body(("plain",)).get_content().split())
    assert f"Approved by {getpass.getuser()}, " in text


def test_who_only_presses_return_at_the_terminal_rejects(night, terminal):
    terminal("")
    outcome, published, mails = night("SELECT 1", k=1)
    assert outcome.failure.startswith(f"Rejected by {getpass.getuser()}, ")
    assert outcome.failure.endswith(
        "Nothing was published. To be asked once more, clear approve_fit, and the tasks after it."
    )
    assert (published, mails) == (yesterday(), [])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "DELETE FROM dbo.store_sales WHERE ss_sold_date_sk = {last}",
            "the newest row of dbo.store_sales is of {before}, 2 days before",
        ),
        (
            "DELETE FROM dbo.store_returns WHERE sr_ticket_number % 5 < 2",
            "dbo.store_returns has other rows of the days before {last_day}",
        ),
    ],
    ids=["last day", "40 % of returns"],
)
def test_a_load_that_is_not_whole_stops_the_run_and_may_come_later(change, says, night):
    days = {"last": day_key(yesterday()), "last_day": yesterday()}
    days["before"] = yesterday() - timedelta(days=1)
    outcome, published, mails = night(change.format(**days))
    assert outcome.state == "failed"
    assert outcome.failure.startswith("The night's load is not there, or not whole")
    assert says.format(**days) in outcome.failure
    assert (published, mails) == (yesterday(), [])


def test_a_preview_shows_everything_and_changes_nothing(night, warehouse_file):
    outcome, published, mails = night("SELECT 1", k=1, scaling="robust", preview=True)
    assert outcome.state == "success", outcome.failure
    assert (published, mails) == (yesterday(), [])
    assert {path.name for path in outcome.folder.iterdir()} >= {
        "elbow.png",
        "clusters.png",
        "labels.parquet",
        "target_list.csv",
        "mail.html",
    }
    mail = (outcome.folder / "mail.html").read_text()
    assert mail.index("Nothing was published, and nobody was mailed") < mail.index(
        "customers of the"
    )
    assert "Checks would have stopped this run" in mail
    built = json.loads((outcome.folder / "target_list.json").read_text())
    assert (built["preview"], built["customers"]) == (True, 34_817)
    delivery = json.loads((outcome.folder / "delivery.json").read_text())
    assert delivery["summary"].endswith("because the run is a preview.")
    with duckdb.connect(str(warehouse_file)) as connection:
        assert connection.execute("FROM dbo.target_list_deliveries").fetchall() == []
        assert connection.execute("FROM dbo.customer_clusters_staging").fetchall() == []


def test_a_trial_does_not_replace_what_is_published_unless_a_person_insists(night, run_dag):
    first, _, _mails = night("SELECT 1")
    assert first.state == "success", first.failure
    trial, _, _ = night("SELECT 1", scaling="robust")
    assert trial.state == "failed"
    assert f"run {first.run_id} has published the labels of" in trial.failure
    assert "with k = 4 (31,675 + 4,989 + 671 + 1 customers), scaling none" in trial.failure
    assert "scaling robust, outliers keep in their place, from the same data" in trial.failure
    insisted, _, _ = night("SELECT 1", scaling="robust", accept_change=True)
    assert insisted.state == "success", insisted.failure
    found = json.loads((insisted.folder / "fit_check.json").read_text())["findings"]
    assert "replacement" in {one["guard"] for one in found}


def test_a_day_that_is_over_is_not_waited_for(run_dag, warehouse_file):
    day = yesterday() - timedelta(days=3)
    with duckdb.connect(str(warehouse_file)) as connection:
        connection.execute(
            f"DELETE FROM dbo.store_sales WHERE ss_sold_date_sk = {day_key(day) - 1}"
        )
    outcome = run_dag(as_of=day.isoformat())
    assert outcome.failure.startswith(
        "The store does not hold what it should: the newest row of dbo"
    )
