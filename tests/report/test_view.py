"""What people are told of a run."""

from __future__ import annotations

import re

import pytest

from reclustering.report.rendering import as_json, render_report
from reclustering.report.view import FILES, RunView, differences, read_run

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


@pytest.mark.parametrize("there", range(1, len(FILES)))
def test_of_a_run_that_has_not_ended_what_is_missing_is_named(files, there):
    view = RunView({name: files[name] for name in FILES[:there]})
    text = text_of(render_report(view))
    assert "15 January 2026" in text
    assert "Not all is here. Missing is what" in text
    assert view.missing[-1] == "email_target_list"
    assert len(view.missing) == len(FILES) - there


def test_no_address_of_anybody_is_in_a_report(files):
    assert "@" not in text_of(render_report(RunView(files)))
    assert "ann@example.com" not in render_report(RunView(files))


def test_what_comes_from_outside_stays_text(files):
    files["run"]["run_id"] = files["run"]["params"]["k"] = EVIL
    files["elbow"]["reason"] = files["elbow"]["alt_text"] = EVIL
    files["clusters"]["clusters"][0]["description"] = EVIL
    files["clusters"]["clusters"][0]["flags"] = [EVIL]
    files["clusters"]["continuity"]["summary"] = EVIL
    files["target_list"]["overrides"] = [{"guard": EVIL, "problem": EVIL}]
    files["delivery"]["summary"] = EVIL
    html = render_report(RunView(files))
    assert "<img" not in html
    assert "<script>alert" not in html
    assert html.count("</script>") == 3


def test_json_in_a_page_cannot_end_its_element():
    text = as_json({"name": EVIL, "separator": "\u2028"})
    assert "<" not in text
    assert "\u2028" not in text


def test_what_a_guard_said_is_told_once_and_with_what_became_of_it(files):
    said = {"guard": "list change", "problem": "the list has changed by half"}
    early = {"guard": "stale load", "problem": "the newest sale is old"}
    files["features"]["overrides"] = [early]
    files["target_list"]["overrides"] = [early, said]
    assert [(one["guard"], one["became"]) for one in RunView(files).findings] == [
        ("stale load", "A person let it pass."),
        ("list change", "A person let it pass."),
    ]
    files["target_list"] |= {"overrides": [], "findings": [said]}
    files["features"]["overrides"] = []
    assert [one["became"] for one in RunView(files).findings] == ["A person released the list."]
    files["delivery"]["outcomes"] = {"held": 1}
    assert "the list has changed by half. It stops the mail." in text_of(
        render_report(RunView(files))
    )


def test_a_preview_says_so(files):
    files["run"]["params"]["preview"] = True
    files["fit_check"]["overrides"] = [{"guard": "influence", "problem": "one is all"}]
    text = text_of(render_report(RunView(files)))
    assert "A preview. Nothing was published" in text
    assert "one is all. It would have stopped the run." in text
    files["run"]["params"]["accept_change"] = True
    assert "one is all. A person let it pass." in text_of(render_report(RunView(files)))


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
