"""Airflow Variables that are wrong are named, and nothing is guessed."""

from __future__ import annotations

import pytest

from reclustering.core.errors import TerminalError

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.mark.parametrize("value", ["0", "-1", "30 days", "1e3", "\u0663"])
def test_what_is_no_whole_number_is_refused(value, monkeypatch):
    from reclustering.orchestration import whole_number

    monkeypatch.setenv("AIRFLOW_VAR_LABEL_HISTORY_DAYS", value)
    with pytest.raises(TerminalError, match=f"label_history_days is '{value}'"):
        whole_number("label_history_days", default=730)


def test_the_default_counts_when_nothing_is_set(monkeypatch):
    from reclustering.orchestration import whole_number

    assert whole_number("label_history_days", default=730) == 730
    monkeypatch.setenv("AIRFLOW_VAR_LABEL_HISTORY_DAYS", "10")
    assert whole_number("label_history_days", default=730) == 10


@pytest.mark.parametrize("value", ["-0.1", "1.5", "0,1", "10 %", "nan", "1e-3", "."])
def test_what_is_no_share_is_refused(value, monkeypatch):
    from reclustering.orchestration import share

    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_MAX_QUARANTINED", value)
    with pytest.raises(TerminalError, match=r"reclustering_max_quarantined is .* from 0 to 1"):
        share("reclustering_max_quarantined", default=0.001)


@pytest.mark.parametrize(("value", "read"), [("0", 0.0), ("1", 1.0), ("0.001", 0.001), (".5", 0.5)])
def test_a_share_is_read(value, read, monkeypatch):
    from reclustering.orchestration import share

    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_MAX_QUARANTINED", value)
    assert share("reclustering_max_quarantined", default=0.001) == read


def test_a_missing_folder_for_artifacts_is_named(monkeypatch):
    from reclustering.orchestration import artifacts

    monkeypatch.delenv("AIRFLOW_VAR_RECLUSTERING_ARTIFACTS")
    with pytest.raises(
        TerminalError, match="reclustering_artifacts is not set; expected the folder"
    ):
        artifacts()
