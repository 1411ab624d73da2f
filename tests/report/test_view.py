"""What people are told of a run."""

from __future__ import annotations

import re

import pytest

from reclustering.report.rendering import as_json, render_report
from reclustering.report.view import RunView, differences, read_run

EVIL = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"


def text_of(html):
    """What a reader sees: without styles, scripts and tags."""
    html = re.sub(r"<(style|script)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_report_tells_it_all(files):
    text = text_of(render_report(RunView(files)))
    assert "10 customers in 2 clusters. 5 customers on the list, which is mailed." in text
    assert "The target list has 5 of the 8 customers of label 0." in text
    assert "Against the list of 2026-01-14: 1 added, 2 gone (50%)." in text
    assert "no e-mail address 2" in text
    assert "1 2 20% 0.5 0.5 0.5 0.5" in text
    assert "2 → 1 -0.125" in text
    assert "Missing" not in text


@pytest.mark.parametrize("there", range(1, 8))
def test_of_a_run_that_has_not_ended_what_is_missing_is_named(files, there):
    view = RunView({name: files[name] for name in [*files][:there]})
    text = text_of(render_report(view))
    assert "15 January 2026" in text
    assert "Not all is here. Missing is what" in text
    assert view.missing[-1] == "email_target_list"
    assert len(view.missing) == len(files) - there


def test_no_address_of_anybody_is_in_a_report(files):
    assert "@" not in text_of(render_report(RunView(files)))
    assert "ann@example.com" not in render_report(RunView(files))


def test_what_comes_from_outside_stays_text(files):
    files["run"]["run_id"] = files["run"]["params"]["k"] = EVIL
    files["elbow"]["reason"] = files["elbow"]["alt_text"] = EVIL
    files["clusters"]["clusters"][0]["description"] = EVIL
    files["clusters"]["clusters"][0]["flags"] = [EVIL]
    files["clusters"]["continuity"]["summary"] = EVIL
    files["target_list"]["findings"] = [{"guard": EVIL, "problem": EVIL}]
    files["list_decision"] = decision(files, "list") | {"by": EVIL}
    files["delivery"]["summary"] = EVIL
    html = render_report(RunView(files))
    assert "<img" not in html
    assert "<script>alert" not in html
    assert html.count("</script>") == 3


def test_json_in_a_page_cannot_end_its_element():
    text = as_json({"name": EVIL, "separator": "\u2028"})
    assert "<" not in text
    assert "\u2028" not in text


def decision(files, subject, **other):
    """What somebody has decided on the fit or the list of these files."""
    found = files[{"fit": "fit_check", "list": "target_list"}[subject]]
    about = {name: found[name] for name in ("as_of", "label", "sha256")} | {"subject": subject}
    said = {"verdict": "approved", "how": "answer", "by": "anna", "at": "2026-01-15T09:12:30+00:00"}
    return about | said | other


def test_what_a_guard_said_is_told_with_what_became_of_it(files):
    files["features"]["overrides"] = [{"guard": "age", "problem": "the newest sale is old"}]
    files["fit_check"]["findings"] = [{"guard": "groups", "problem": "one group more"}]
    files["target_list"]["findings"] = [{"guard": "change", "problem": "half is new"}]

    def became():
        return {one["guard"]: one["became"] for one in RunView(files).findings}

    files["delivery"]["outcomes"] = {"held": 0}
    assert became() == {
        "age": "A person let it pass.",
        "groups": "Nobody has decided yet.",
        "change": "Nobody has decided yet.",
    }
    files["fit_decision"] = decision(files, "fit")
    files["list_decision"] = decision(files, "list", verdict="rejected", by="bob")
    assert became() == {
        "age": "A person let it pass.",
        "groups": "Approved by anna, 15 January 2026, 09:12 UTC.",
        "change": "Rejected by bob, 15 January 2026, 09:12 UTC.",
    }
    files["fit_decision"] = decision(files, "fit", how="accept_change")
    files["list_decision"] = decision(
        files, "list", verdict="rejected", how="no_answer", by=None, at="2026-01-15T23:59:59+00:00"
    )
    assert became() == {
        "age": "A person let it pass.",
        "groups": "Let pass by anna, who had started the run with accept_change.",
        "change": "Rejected, for nobody had answered by 15 January 2026, 23:59 UTC.",
    }
    assert "one group more. Let pass by anna" in text_of(render_report(RunView(files)))


@pytest.mark.parametrize(
    "other", [{"sha256": "c" * 64}, {"label": 1}, {"as_of": "2026-01-14"}, {"subject": "list"}]
)
def test_what_was_decided_on_something_else_is_not_told_of_this(files, other):
    files["fit_check"]["findings"] = [{"guard": "groups", "problem": "one group more"}]
    files["fit_decision"] = decision(files, "fit") | other
    assert RunView(files).findings[0]["became"] == "Nobody has decided yet."


def test_a_held_list_says_what_stops_it_and_who_released_it(files):
    files["delivery"]["outcomes"] = {"held": 1}
    files["target_list"]["findings"] = [{"guard": "change", "problem": "half is new"}]
    assert RunView(files).findings[0]["became"] == "It stops the mail."
    files["target_list"]["findings"] = []
    files["list_decision"] = decision(files, "list", how="release")
    told = text_of(render_report(RunView(files)))
    assert "Released by anna, 15 January 2026, 09:12 UTC." in told


def test_a_preview_says_so(files):
    files["run"]["params"]["preview"] = True
    files["features"]["overrides"] = [{"guard": "age", "problem": "the newest sale is old"}]
    files["fit_check"]["findings"] = [{"guard": "influence", "problem": "one is all"}]
    text = text_of(render_report(RunView(files)))
    assert "A preview. Nothing was published" in text
    assert "the newest sale is old. It would have stopped the run." in text
    assert "one is all. It would have stopped the run." in text
    files["run"]["params"]["accept_change"] = True
    text = text_of(render_report(RunView(files)))
    assert "the newest sale is old. A person let it pass." in text


def test_what_was_left_before_a_task_was_cleared_is_not_shown(files):
    view = RunView(files).of_tasks({"extract_features", "choose_k"})
    assert view.missing[0] == "fit_clusters"
    assert view.elbow
    assert view.clusters is None


def test_a_first_run_has_nothing_to_compare_with(files):
    files["clusters"]["continuity"] = {"first_run": True, "summary": "First run."}
    view = RunView(files)
    assert (view.migration, view.shifts, view.earlier_run) == ([], [], None)
    assert "First run." in text_of(render_report(view))


def test_a_folder_without_files_is_no_run(write, files):
    root = write({})
    assert read_run(root / "as_of=2026-01-15" / "run") is None
    root = write(files, run="whole")
    assert read_run(root / "as_of=2026-01-15" / "whole") == RunView(files)


def test_two_runs_differ_by_figure(files):
    other = RunView(files | {"target_list": files["target_list"] | {"customers": 6}})
    one = RunView({name: files[name] for name in ("run", "elbow")})
    assert differences(RunView(files), other)[-1] == ("on the list", 5, 6)
    assert differences(one, other)[0] == ("customers", None, 10)
