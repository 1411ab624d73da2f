"""What a person is asked, with figures worked out by hand."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from upath import UPath

from reclustering.core.decision import Matter
from reclustering.core.run import Run
from reclustering.decision.question import ask_about

URL = "https://airflow.example.com/dags/customer_reclustering/runs/1"
SHA256 = "c" * 64
FINDINGS = [
    {"guard": "groups", "problem": "3 groups, where 2 were"},
    {"guard": "influence", "problem": "<b>4711</b> is [all] of it"},
]


@pytest.fixture
def ask(files, tmp_path):
    """Ask about a run that has left these files."""
    files["clusters"]["continuity"]["unpaired_previous"] = [1]

    def ask(subject, *, url=URL, within=timedelta(hours=12)):
        run = Run(date(2026, 1, 15), "one", UPath(tmp_path), url=url)
        run.path("x").parent.mkdir(parents=True, exist_ok=True)
        for name in ("clusters", "target_list"):
            run.path(f"{name}.json").write_text(json.dumps(files[name]))
        matter = Matter(subject, "2026-01-15", 0, SHA256)
        return ask_about(run, matter, FINDINGS, within=within)

    return ask


def table(question):
    rows = [line.strip("| ").split(" | ") for line in question.body.splitlines() if "|" in line]
    return [rows[0], *rows[2:]]


def test_it_says_what_is_asked_what_was_found_and_what_follows(ask):
    question = ask("fit")
    assert question.title == "Publish the clusters of 15 January 2026?"
    assert question.problem == "3 groups, where 2 were; <b>4711</b> is [all] of it."
    assert "**Reject**: nothing is published, and the run ends as failed." in question.body
    assert "Without an answer within 12 hours it is rejected." in question.terms
    assert f"counts for this fit alone: `{SHA256}`, label 0." in question.terms
    assert f"({URL})" in question.terms
    assert "http" not in ask("fit", url="").terms


def test_what_a_guard_says_is_text_and_no_markup(ask):
    assert r"**influence**: \<b\>4711\</b\> is \[all\] of it" in ask("fit").body


def test_a_fit_is_shown_beside_the_last_one_each_cluster_by_its_counterpart(ask):
    assert table(ask("fit")) == [
        ["2026-01-14", "2026-01-15"],
        ["clusters", "3", "2"],
        ["customers", "10", "10"],
        ["label 0", "8", "8"],
        ["label 1", "1", "2"],
        ["label 1 of before", "1", "–"],  # noqa: RUF001
    ]


def test_a_first_fit_has_nothing_beside_it(ask, files):
    files["clusters"]["continuity"] = {"first_run": True, "summary": "First run."}
    assert table(ask("fit")) == [
        ["before", "2026-01-15"],
        ["clusters", "–", "2"],  # noqa: RUF001
        ["customers", "–", "10"],  # noqa: RUF001
        ["label 0", "–", "8"],  # noqa: RUF001
        ["label 1", "–", "2"],  # noqa: RUF001
    ]


def test_a_list_is_shown_beside_the_last_one(ask, files):
    files["target_list"] |= {"customers": 29_663, "audience": 29_663}
    files["target_list"]["previous"] |= {"customers": 29_700, "added": 12, "gone": 49}
    question = ask("list", within=timedelta(minutes=90))
    assert question.title == "Mail the target list of 15 January 2026?"
    assert table(question) == [
        ["2026-01-14", "2026-01-15"],
        ["on the list", "29,700", "29,663"],
        ["added", "–", "12"],  # noqa: RUF001
        ["gone", "49", "–"],  # noqa: RUF001
    ]
    assert "**Reject**: nobody is mailed" in question.body
    assert "Without an answer within 90 minutes" in question.terms
    # A holdout is no change of the store.
    files["target_list"] |= {"customers": 26_700}
    assert table(ask("list"))[1:3] == [
        ["on the list", "–", "26,700"],  # noqa: RUF001
        ["on the list, resting or held out", "29,700", "29,663"],
    ]
    files["target_list"] |= {"customers": 29_663, "previous": None}
    assert table(ask("list"))[1:] == [["on the list", "–", "29,663"]]  # noqa: RUF001


def test_one_hour_is_one(ask):
    assert "within 1 hour it" in ask("fit", within=timedelta(hours=1)).terms
