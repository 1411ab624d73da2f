"""Airflow Variables that are wrong are named, and nothing is guessed."""

from __future__ import annotations

import pytest

from reclustering.core.errors import TerminalError

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.mark.parametrize("value", ["0", "-1", "30 days", "1e3", "\u0663", "36501", "9" * 99])
def test_what_is_no_whole_number_is_refused(value, monkeypatch):
    from reclustering.orchestration import whole_number

    monkeypatch.setenv("AIRFLOW_VAR_LABEL_HISTORY_DAYS", value)
    with pytest.raises(TerminalError, match=f"label_history_days is '{value}'"):
        whole_number("label_history_days", default=730, most=36_500)


def test_the_default_counts_when_nothing_is_set(monkeypatch):
    from reclustering.orchestration import whole_number

    assert whole_number("label_history_days", default=730) == 730
    monkeypatch.setenv("AIRFLOW_VAR_LABEL_HISTORY_DAYS", "10")
    assert whole_number("label_history_days", default=730) == 10


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        ("0.5", r"reclustering_bounds is '0.5'; expected a JSON object"),
        ("{max_returners: 1}", r"is '\{max_returners: 1\}'; expected a JSON object"),
        (
            '{"max_returner": 1}',
            r"with 'max_returner' \(did you mean max_returners\?\); expected some of max_sales_age, ",
        ),
        ('{"max_returners": 1.5}', r"with max_returners = 1.5; expected a share from 0 to 1"),
        ('{"max_returners": NaN}', r"with max_returners = NaN; expected a share from 0 to 1"),
        ('{"max_returners": "1"}', r'with max_returners = "1"; expected a share'),
        ('{"max_returners": true}', r"with max_returners = true; expected a share"),
        ('{"max_sales_age": -1}', r"with max_sales_age = -1; expected a whole number, 0 or more"),
        ('{"max_sales_age": 1e400}', r"with max_sales_age = Infinity; expected a whole number"),
        ("[" * 100_000, r"expected a JSON object"),
        ('{"max_sales_age": 1.5}', r"with max_sales_age = 1.5; expected a whole number"),
    ],
)
def test_what_is_no_bound_is_refused_by_name(value, refused, monkeypatch):
    from reclustering.orchestration import guard_bounds

    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_BOUNDS", value)
    with pytest.raises(TerminalError, match=refused):
        guard_bounds()


def test_bounds_that_are_set_count_and_the_others_stay(monkeypatch):
    from reclustering.core.guards import Bounds
    from reclustering.orchestration import guard_bounds

    assert guard_bounds() == Bounds()
    monkeypatch.setenv(
        "AIRFLOW_VAR_RECLUSTERING_BOUNDS", '{"max_returners": 1, "max_sales_age": 3}'
    )
    assert guard_bounds() == Bounds(max_returners=1, max_sales_age=3)


@pytest.mark.parametrize(
    "value",
    ["anna", '["anna"]', '{"anna": 1}', '{"": "anna@example.com"}', "{anna: x}", "[" * 100_000],
)
def test_deciders_that_are_none_are_refused(value, monkeypatch):
    from reclustering.orchestration.variables import deciders

    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_DECIDERS", value)
    with pytest.raises(TerminalError, match=r"reclustering_deciders is '.*expected a JSON object"):
        deciders()


def test_a_deciders_address_that_is_none_is_refused(monkeypatch):
    from reclustering.orchestration.variables import deciders

    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_DECIDERS", '{"anna": "anna"}')
    with pytest.raises(TerminalError, match="Variable reclustering_deciders"):
        deciders()
    monkeypatch.setenv("AIRFLOW_VAR_RECLUSTERING_DECIDERS", '{"anna": "Anna <anna@example.com>"}')
    assert deciders() == {"anna": "anna@example.com"}


def test_a_missing_folder_for_artifacts_is_named(monkeypatch):
    from reclustering.orchestration import artifacts

    monkeypatch.delenv("AIRFLOW_VAR_RECLUSTERING_ARTIFACTS")
    with pytest.raises(
        TerminalError, match="reclustering_artifacts is not set; expected the folder"
    ):
        artifacts()


@pytest.mark.parametrize("value", ["1", "1.0", "-0.1", "10%", "0,1", ".1", "1e-1", "nan", ""])
def test_what_is_no_share_is_refused(value, monkeypatch):
    from reclustering.orchestration import list_settings

    monkeypatch.setenv("AIRFLOW_VAR_TARGET_LIST_HOLDOUT", value)
    with pytest.raises(TerminalError, match=rf"target_list_holdout is '{value}'; expected a share"):
        list_settings()


def test_who_is_kept_off_the_list_is_read(monkeypatch):
    from reclustering.orchestration import list_settings
    from reclustering.target_list.settings import ListSettings

    assert list_settings() == ListSettings(holdout=0.0, salt="", cool_off=0)
    for name, value in {"HOLDOUT": "0.125", "HOLDOUT_SALT": "b", "COOL_OFF": "7"}.items():
        monkeypatch.setenv(f"AIRFLOW_VAR_TARGET_LIST_{name}", value)
    assert list_settings() == ListSettings(holdout=0.125, salt="b", cool_off=7)
    monkeypatch.setenv("AIRFLOW_VAR_TARGET_LIST_COOL_OFF", "367")
    with pytest.raises(TerminalError, match="expected a whole number from 0 to 366"):
        list_settings()


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("UNCHANGED", "quiet", "target_list_unchanged is 'quiet'; expected note or silence"),
        ("ATTACHMENT", "pdf", "target_list_attachment is 'pdf'; expected xlsx or csv"),
        ("DROP", "lists", "target_list_drop is 'lists'; expected an absolute path"),
        ("DROP", "/" + "x" * 254, "target_list_drop has 255 characters; expected at most 254"),
    ],
)
def test_what_is_no_setting_of_the_mail_is_refused(name, value, refused, monkeypatch):
    from reclustering.orchestration import mail_settings

    monkeypatch.setenv(f"AIRFLOW_VAR_TARGET_LIST_{name}", value)
    with pytest.raises(TerminalError, match=refused):
        mail_settings(None)
