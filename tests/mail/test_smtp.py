"""What the conversation reports, and that the connection is made as the Airflow connection says."""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from reclustering.core.errors import TerminalError
from reclustering.delivery.sending import NotAcceptedError, UnansweredError
from reclustering.mail import SmtpMailer
from reclustering.mail.connection import EXTRAS
from tests.smtp_servers import DROP, HANG, Script, connection_uri, serve

TO = "marketing@example.com"
MAIL = b"Subject: a list\r\n\r\n.starts with a dot\r\n..and two\r\n"


def send(recipient: str = TO, message: bytes = MAIL) -> None:
    with SmtpMailer().connect() as conversation:
        conversation.send(recipient, message)


def test_the_mail_arrives_byte_by_byte(script):
    send()
    (stored,) = script.mails
    assert (stored.mail_from, stored.rcpt_tos) == ("store@example.com", [TO])
    assert stored.original_content == MAIL


def test_the_servers_answer_is_given_without_addresses(script):
    script.accept_then = "250 2.0.0 Ok: queued as 4XYZ for jane@shop.example"
    with SmtpMailer().connect() as conversation:
        answer = conversation.send(TO, MAIL)
    assert answer == "250 2.0.0 Ok: queued as 4XYZ for (address)"


@pytest.mark.parametrize("offered", [True, False])
def test_a_bounce_is_to_bring_back_the_headers_alone_where_that_can_be_asked_for(script, offered):
    """Else it brings the whole list into a mailbox that nobody reads."""
    script.offers_dsn = offered
    send()
    assert (" RET=HDRS" in script.senders[0]) is offered
    assert script.mails[0].original_content == MAIL


def test_several_mails_go_through_one_conversation(script):
    with SmtpMailer().connect() as conversation:
        conversation.send(TO, MAIL)
        conversation.send("sales@example.com", MAIL)
    assert script.received() == [TO, "sales@example.com"]


@pytest.mark.parametrize(("reply", "permanent"), [("450 busy", False), ("550 unknown", True)])
@pytest.mark.parametrize("where", ["recipient", "mail"])
def test_a_refusal_is_reported_with_the_words_of_the_server(script, where, reply, permanent):
    if where == "mail":
        script.on_data = reply
    else:
        script.on_recipient[TO] = reply
    with pytest.raises(NotAcceptedError, match=f"refused the {where} with {reply}") as refusal:
        send()
    assert refusal.value.permanent is permanent


def test_an_address_that_the_server_quotes_is_not_repeated(script):
    script.on_data = "550 spam: <jane.doe@shop.example>, a=b@c.de"
    with pytest.raises(NotAcceptedError) as refusal:
        send()
    assert "550 spam: <(address)>, (address)" in str(refusal.value)


def test_a_drop_before_the_last_dot_is_no_acceptance(script):
    script.before_dot = DROP
    with pytest.raises(NotAcceptedError, match="before the mail was complete") as refusal:
        send(message=b"Subject: long\r\n\r\n" + b"x" * 70 * 200_000)
    assert not refusal.value.permanent


@pytest.mark.parametrize("reaction", [DROP, HANG, "299 well", "999 what?"])
def test_after_the_last_dot_only_a_clear_answer_counts(script, reaction):
    script.on_data = reaction
    if reaction.startswith("2"):
        send()
    else:
        with pytest.raises(UnansweredError):
            send()


@pytest.mark.parametrize(
    ("greeting", "permanent"), [("421 too busy", False), ("554 go away", True), (DROP, False)]
)
def test_a_server_that_does_not_let_us_in(script, greeting, permanent):
    script.on_connect = greeting
    with pytest.raises(NotAcceptedError, match="no connection to the mail server") as refusal:
        send()
    assert refusal.value.permanent is permanent


def test_a_server_that_takes_no_answer_at_all_times_out(script):
    script.on_connect = HANG
    with pytest.raises(NotAcceptedError, match="no connection") as refusal:
        send()
    assert not refusal.value.permanent


def test_starttls_and_login_are_used_as_the_connection_says(tmp_path, monkeypatch):
    seen = []

    def login(server, session, envelope, mechanism, data):
        seen.append((data.login, data.password, session.ssl is not None))
        return AuthResult(success=data.password == b"s3cret-pass", handled=False)

    script = Script()
    tls = {"tls_context": certificate(tmp_path), "require_starttls": True}
    with serve(script, authenticator=login, auth_required=True, **tls) as port:

        def configure(**changes: str) -> None:
            settings = {"disable_tls": "", "ssl_context": "none"} | changes
            password = settings.pop("password", "s3cret-pass")
            uri = connection_uri(port, login=f"mailer:{password}@", **settings)
            monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", uri)

        configure()
        send()
        assert seen[0] == (b"mailer", b"s3cret-pass", True)
        assert script.received() == [TO]

        configure(password="wrong-pass")
        with pytest.raises(NotAcceptedError, match="535") as wrong_password:
            send()
        configure(ssl_context="default")
        with pytest.raises(NotAcceptedError, match="certificate") as unknown_certificate:
            send()
        configure(disable_tls="true")
        with pytest.raises(NotAcceptedError) as no_tls:
            send()
    assert wrong_password.value.permanent
    assert unknown_certificate.value.permanent
    assert no_tls.value.permanent
    assert script.received() == [TO]


def test_ssl_from_the_start(tmp_path, monkeypatch):
    script = Script()
    with serve(script, ssl_context=certificate(tmp_path)) as port:
        uri = connection_uri(port, disable_ssl="", ssl_context="none")
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", uri)
        send()
    assert script.received() == [TO]


def test_the_sender_is_that_of_the_connection(monkeypatch):
    uri = connection_uri(25, from_email="Corner Store <store@example.com>")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", uri)
    assert SmtpMailer().sender == "Corner Store <store@example.com>"


@pytest.mark.parametrize("sender", ["", "store"])
def test_a_connection_without_a_sender_is_refused(monkeypatch, sender):
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection_uri(25, from_email=sender))
    with pytest.raises(TerminalError, match="from_email"):
        _ = SmtpMailer().sender


def test_a_secret_of_a_wrong_type_is_not_repeated(monkeypatch):
    extra = {"from_email": "a@example.com", "client_secret": 20202}
    connection = {"conn_type": "smtp", "host": "mail", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    with pytest.raises(
        TerminalError, match="client_secret of type int; expected a text"
    ) as refused:
        _ = SmtpMailer().sender
    assert "20202" not in str(refused.value)


def test_a_missing_connection_is_named(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT", raising=False)
    with pytest.raises(TerminalError, match="no Airflow connection 'smtp_default'"):
        _ = SmtpMailer().sender


@pytest.mark.parametrize(
    ("said", "extras"),
    [
        ("from_email, an extra of .* has 'jör@example.com'", {"from_email": "jör@example.com"}),
        ("retry_limit = '-1'; expected a whole number, at least 0", {"retry_limit": "-1"}),
        ("retry_limit = 'many'; expected a whole number", {"retry_limit": "many"}),
        ("timeout = '0'; expected a whole number, at least 1", {"timeout": "0"}),
        ("timeout = '1.5'; expected a whole number", {"timeout": "1.5"}),
        ("disable_tls = 'ja'; expected true or false", {"disable_tls": "ja"}),
        ("disable_ssl = '2'; expected true or false", {"disable_ssl": "2"}),
        ("ssl_context = 'nothing'; expected default or none", {"ssl_context": "nothing"}),
        ("auth_type = 'ntlm'; expected basic or oauth2", {"auth_type": "ntlm"}),
        ("auth_type = 'oauth2'; expected access_token, or client_id", {"auth_type": "oauth2"}),
        (
            "auth_type = 'oauth2'; expected access_token",
            {"auth_type": "oauth2", "client_id": "1"},
        ),
        (r"'disable_tsl' \(did you mean disable_tls\?\)", {"disable_tsl": "true"}),
    ],
)
def test_an_extra_that_is_not_what_it_must_be_is_refused_by_name(said, extras, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection_uri(25, **extras))
    with pytest.raises(TerminalError, match=said):
        _ = SmtpMailer().sender


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("smtp:///?from_email=a%40example.com", "has the host ''"),
        ("smtp://%20/?from_email=a%40example.com", "has the host ' '"),
        ("smtp://mail%3Bx/?from_email=a%40example.com", "has the host 'mail;x'; expected that"),
        ("smtp://a..b/?from_email=a%40example.com", r"has the host 'a\.\.b'"),
        ("smtp://mail%00/?from_email=a%40example.com", "has the host"),
        (f"smtp://{'x' * 300}/?from_email=a%40example.com", "has the host 'xxx"),
        ("smtp://%C3%BC:pw@mail/?from_email=a%40example.com", "with letters beyond ASCII"),
        ("smtp://user@mail/?from_email=a%40example.com", "has a login and no password"),
        ("smtp://:word@mail/?from_email=a%40example.com", "has a password and no login"),
        ("imap://mail/?from_email=a%40example.com", "is of type 'imap'; expected smtp"),
        (
            "smtp://user:a/b@mail/?from_email=a%40example.com",
            "is set, by AIRFLOW_CONN_SMTP_DEFAULT",
        ),
        ("smtp://mail:99999/?from_email=a%40example.com", "is set, by AIRFLOW_CONN_SMTP_DEFAULT"),
        ("smtp://mail/?from_email=", "which is no e-mail address"),
        ("smtp://mail/?__extra__=%5B1%5D", "extras that are no JSON object"),
    ],
)
def test_a_connection_that_leads_nowhere_is_refused_before_it_is_used(uri, said, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", uri)
    with pytest.raises(TerminalError, match=said):
        _ = SmtpMailer().sender
    with pytest.raises(TerminalError, match=said), SmtpMailer().connect():
        pytest.fail("it connected")


NO = ["false", "False", "no", "NO", "0", ""]
YES = ["true", "TRUE", "yes", "1"]


@pytest.mark.parametrize("off", NO)
def test_nothing_goes_in_clear_unless_both_switches_plainly_say_so(off, tmp_path, monkeypatch):
    """The server offers STARTTLS and asks for nothing: who does not start it speaks in clear."""
    seen = []

    def login(server, session, envelope, mechanism, data):
        seen.append(session.ssl is not None)
        return AuthResult(success=True)

    script = Script()
    tls = {"tls_context": certificate(tmp_path), "auth_require_tls": False}
    with serve(script, authenticator=login, **tls) as port:
        uri = connection_uri(port, login="u:pw@", disable_tls=off, ssl_context="none")
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", uri)
        send()
    assert seen == [True]


@pytest.mark.parametrize("off", [*NO, None])
def test_a_server_without_starttls_hears_neither_login_nor_mail(off, monkeypatch):
    script, seen = Script(), []

    def login(server, session, envelope, mechanism, data):
        seen.append(data.login)
        return AuthResult(success=True)

    with serve(script, authenticator=login, auth_require_tls=False) as port:
        uri = connection_uri(port, login="u:pw@", disable_tls=off or "")
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", uri)
        with pytest.raises(NotAcceptedError, match="STARTTLS") as refusal:
            send()
    assert refusal.value.permanent
    assert (seen, script.senders) == ([], [])


@pytest.mark.parametrize("on", YES)
def test_both_switches_together_send_in_clear_with_a_warning(on, monkeypatch, caplog):
    script = Script()
    with serve(script) as port:
        uri = connection_uri(port, disable_ssl=on, disable_tls=on)
        monkeypatch.setattr("reclustering.mail.connection._LOOPBACK", set())
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", uri)
        send()
    assert script.received() == [TO]
    assert "go to 127.0.0.1 unencrypted" in caplog.text


def test_tls_from_the_start_is_what_a_connection_without_switches_means(tmp_path, monkeypatch):
    script = Script()
    with serve(script, ssl_context=certificate(tmp_path)) as port:
        uri = connection_uri(port, disable_ssl="", disable_tls="", ssl_context="none")
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", uri)
        send()
    assert script.received() == [TO]


def test_the_sender_may_have_a_name_and_an_international_domain(script, monkeypatch):
    port = urlsplit(os.environ["AIRFLOW_CONN_SMTP_DEFAULT"]).port
    uri = connection_uri(port, from_email="Zoë's Store <store@müller.de>")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", uri)
    send()
    assert script.mails[0].mail_from == "store@xn--mller-kva.de"


@pytest.mark.parametrize(
    ("reply", "too_large"),
    [
        ("552 message size exceeds fixed limit", True),
        ("552 5.3.4 Message size exceeds fixed limit", True),
        ("554 5.3.4 too big", True),
        ("552 5.2.2 mailbox full", False),
        ("550 no", False),
    ],
)
def test_a_mail_that_is_too_big_is_told_from_other_refusals(script, reply, too_large):
    script.on_data = reply
    with pytest.raises(NotAcceptedError) as refusal:
        send()
    assert (refusal.value.permanent, refusal.value.too_large) == (True, too_large)


@pytest.mark.parametrize(("reply", "permanent"), [("554 no service", True), ("421 later", False)])
def test_a_server_that_refuses_the_greeting_has_been_spoken_to_before_any_mail(
    script, reply, permanent
):
    script.on_hello = reply
    with pytest.raises(NotAcceptedError, match="no connection to the mail server") as refusal:
        send()
    assert refusal.value.permanent is permanent


def test_a_recipient_that_no_command_can_hold_is_refused_and_not_in_doubt(script):
    with pytest.raises(NotAcceptedError, match="could not be handed over") as refusal:
        send("jör@example.com")
    assert refusal.value.permanent


def test_every_extra_is_documented(request):
    text = (request.config.rootpath / "docs" / "mail.md").read_text(encoding="utf-8")
    assert [extra for extra in EXTRAS if f"`{extra}`" not in text] == []


def certificate(folder) -> ssl.SSLContext:
    """Give a server context with a certificate that nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    local = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([local]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
