"""Whoever operates the pipeline hears of a failure, if there is somebody to tell."""

from __future__ import annotations

import os
from email import message_from_bytes, policy


def test_a_failure_is_mailed_to_the_operator(run_dag, outbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_ALERT_RECIPIENTS", "pager@example.com")
    assert run_dag(as_of="2999-01-01").state == "failed"
    [path] = outbox.glob("*.eml")
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert mail["To"] == "pager@example.com"
    assert mail["Subject"].strip().startswith("customer_reclustering failed at extract_features: ")
    body = mail.get_body(("plain",)).get_content()
    assert "/dags/customer_reclustering/runs/manual__" in body


def test_everybody_is_alerted_by_the_rule_of_the_list_and_as_safely(run_dag, outbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_ALERT_RECIPIENTS", "Ops <ops@corp.local>; pager@exchange")
    assert run_dag(as_of="2999-01-01").state == "failed"
    mails = [message_from_bytes(path.read_bytes()) for path in outbox.glob("*.eml")]
    assert {mail["To"] for mail in mails} == {"ops@corp.local", "pager@exchange"}

    # A server that offers no STARTTLS hears nothing, unless both switches say that it may.
    uri = os.environ["AIRFLOW_CONN_SMTP_DEFAULT"].replace("disable_tls=true", "disable_tls=no")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", uri)
    assert run_dag(as_of="2999-01-01").state == "failed"
    assert len(list(outbox.glob("*.eml"))) == 2


def test_nobody_to_tell_is_no_failure_of_its_own(run_dag, outbox):
    outcome = run_dag(as_of="2999-01-01")
    assert "is in the future" in outcome.failure
    assert list(outbox.glob("*.eml")) == []
