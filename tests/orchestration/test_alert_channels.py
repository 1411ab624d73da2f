"""An alert goes out on every channel, and one that fails hides neither the others nor itself."""

from __future__ import annotations

import json
import logging
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from quickstart.environment import defaults
from quickstart.mail_sink import free_port, mail_sink
from reclustering.core.errors import TerminalError
from reclustering.orchestration.alert_channels import alert_services, send_alert

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.fixture
def outbox(tmp_path, monkeypatch):
    port = free_port()
    monkeypatch.setenv(
        "AIRFLOW_CONN_SMTP_DEFAULT", defaults(tmp_path, port)["AIRFLOW_CONN_SMTP_DEFAULT"]
    )
    monkeypatch.setenv("AIRFLOW_VAR_ALERT_RECIPIENTS", "a@example.com, b@example.com")
    with mail_sink(tmp_path / "outbox", port):
        yield tmp_path / "outbox"


@pytest.fixture
def webhook():
    """A server that takes what is posted to it; gives its port and what it got."""
    got = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, got
        server.shutdown()


def connect_channel(monkeypatch, config):
    connection = {"conn_type": "apprise", "extra": {"config": config}}
    monkeypatch.setenv("AIRFLOW_CONN_ALERT_CHANNEL", json.dumps(connection))


def recipients(outbox):
    mails = [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in outbox.glob("*.eml")
    ]
    return sorted(mail["To"] for mail in mails)


def test_everybody_gets_it_and_the_second_channel_too(outbox, webhook, monkeypatch):
    port, got = webhook
    connect_channel(monkeypatch, {"path": f"json://127.0.0.1:{port}/hook", "tag": "alerts"})
    send_alert("It failed", "Because.")
    assert recipients(outbox) == ["a@example.com", "b@example.com"]
    assert [(one["title"], one["message"]) for one in got] == [("It failed", "Because.")]


def test_no_text_can_keep_the_mail_from_going(outbox):
    send_alert("It failed\r\nBcc: x@example.com \ud800", "scaling is '\ud800\x00'.\n\nThe log: …\n")
    assert recipients(outbox) == ["a@example.com", "b@example.com"]
    [mail, _] = [
        message_from_bytes(p.read_bytes(), policy=policy.default) for p in outbox.glob("*.eml")
    ]
    assert mail["Bcc"] is None
    assert mail.get_content().splitlines() == ["scaling is ''.", "", "The log: …"]


def test_several_services(outbox, webhook, monkeypatch):
    port, got = webhook
    connect_channel(monkeypatch, [{"path": f"json://127.0.0.1:{port}/{i}"} for i in (1, 2)])
    send_alert("It failed", "Because.")
    assert len(got) == 2


def test_without_a_second_channel_there_is_the_mail(outbox):
    assert alert_services() is None
    send_alert("It failed", "Because.")
    assert len(recipients(outbox)) == 2


def test_a_channel_that_fails_is_named_and_keeps_nobody_else_from_hearing(
    outbox, webhook, monkeypatch, caplog
):
    connect_channel(monkeypatch, {"path": f"json://127.0.0.1:{webhook[0]}/broken"})
    send_alert("It failed", "Because.")
    assert len(recipients(outbox)) == 2
    [error] = [one for one in caplog.records if one.name.startswith("reclustering")]
    assert error.levelno == logging.ERROR
    assert (
        "'It failed' could not be sent: TransientError: a service of the connection"
        in error.message
    )


def test_a_mail_server_that_is_down_keeps_the_second_channel_from_nothing(
    webhook, monkeypatch, caplog
):
    port, got = webhook
    connect_channel(monkeypatch, {"path": f"json://127.0.0.1:{port}/hook"})
    monkeypatch.setenv(
        "AIRFLOW_CONN_SMTP_DEFAULT", "smtp://127.0.0.1:1/?from_email=s%40example.com"
    )
    monkeypatch.setenv("AIRFLOW_VAR_ALERT_RECIPIENTS", "a@example.com")
    send_alert("It failed", "Because.")
    assert len(got) == 1
    assert "no connection to the mail server" in caplog.text


def test_recipients_that_are_none_are_named_and_keep_the_second_channel_from_nothing(
    webhook, monkeypatch, caplog
):
    port, got = webhook
    connect_channel(monkeypatch, {"path": f"json://127.0.0.1:{port}/hook"})
    monkeypatch.setenv("AIRFLOW_VAR_ALERT_RECIPIENTS", "pager")
    send_alert("It failed", "Because.")
    assert len(got) == 1
    assert "could not be sent: TerminalError: The Airflow Variable alert_recipients" in caplog.text


@pytest.mark.parametrize(
    "config",
    [
        {},
        [],
        "no JSON",
        {"tag": "x"},
        {"path": "nowhere://secret-token"},
        {"path": 7},
        [{"path": "json://127.0.0.1"}, {"path": "nowhere://secret-token"}],
        ["json://127.0.0.1"],
    ],
)
def test_a_channel_that_is_none_is_refused_without_its_secret(monkeypatch, caplog, config):
    connect_channel(monkeypatch, config)
    with pytest.raises(TerminalError, match="'alert_channel' names a service") as refusal:
        alert_services()
    assert "secret-token" not in str(refusal.value) + caplog.text


def test_a_connection_of_another_type_is_refused(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ALERT_CHANNEL", "http://example.com")
    with pytest.raises(TerminalError, match="is of type 'http'; expected apprise"):
        alert_services()
