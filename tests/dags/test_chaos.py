"""Every task is killed once, at a random moment: `make chaos` in short."""

from __future__ import annotations

import pytest

from benchmarks.chaos import impatient_airflow, wreak


@pytest.mark.timeout(600)
def test_killed_tasks_leave_whole_labels_one_mail_and_nothing_else(sample_store, tmp_path):
    with impatient_airflow(tmp_path, sample_store) as airflow:
        outcome = wreak(airflow, kills=5, seed=7)
    assert outcome.kills.total() >= 5
    assert outcome.problems == []
