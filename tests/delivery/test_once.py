"""Every list reaches every recipient once, whatever the mail server does."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tenacity import wait_none

from reclustering import steps
from reclustering.core.errors import BadInputError, TerminalError, TransientError
from reclustering.delivery import sending
from reclustering.delivery.ledger import Ledger, ListKey, clear_doubt
from reclustering.delivery.settings import MailSettings
from reclustering.mail import SmtpMailer
from reclustering.target_list.settings import ListSettings
from tests.smtp_servers import DROP, HANG, Script, connection_uri
from tests.world import AS_OF, MARKETING, NEXT, NOW, World, people, read_json

SALES = "sales@example.com"
TWO = f"{MARKETING}, {SALES}"


@pytest.fixture
def run(world: World):
    run = world.publish(people(4))
    world.build(run)
    return run


def message_id(world: World) -> str:
    return world.sql("SELECT message_id FROM dbo.target_list_deliveries")[0][0]


def test_an_accepted_mail_is_sent_once_however_often_the_task_is_cleared(world, run, script):
    first = world.email(run, SmtpMailer())
    second = world.email(run, SmtpMailer())
    assert script.received() == [MARKETING]
    assert world.ledger() == [(MARKETING, "sent", 1)]
    assert (first["outcomes"]["sent"], second["outcomes"]["already_sent"]) == (1, 1)
    assert script.inbox(MARKETING)[0]["Message-ID"] == message_id(world)


def test_a_rerun_of_the_whole_dag_does_not_mail_the_same_list_again(world, run, script):
    world.email(run, SmtpMailer())
    again = world.publish(people(4), world.run(run_id="manual__2"))
    world.build(again)
    world.email(again, SmtpMailer())
    assert script.received() == [MARKETING]
    assert world.ledger() == [(MARKETING, "sent", 1)]


def test_the_same_list_is_sent_on_the_next_day(world, run, script):
    world.email(run, SmtpMailer())
    tomorrow = world.publish(people(4), world.run(NEXT, "scheduled__2"))
    world.build(tomorrow)
    world.email(tomorrow, SmtpMailer())
    assert script.received() == [MARKETING] * 2
    assert world.ledger() == [(MARKETING, "sent", 1)] * 2
    assert len({mail["Message-ID"] for mail in script.inbox(MARKETING)}) == 2


def test_a_different_list_of_the_same_day_is_sent_as_a_correction(world, run, script):
    world.email(run, SmtpMailer())
    world.publish(people(5), run)
    world.build(run)
    world.email(run, SmtpMailer())
    subjects = [mail["Subject"] for mail in script.inbox(MARKETING)]
    assert subjects == [
        "Corner Store: target list of 1 January 2024, 4 customers",
        "Corner Store: corrected target list of 1 January 2024, 5 customers",
    ]
    assert world.ledger() == [(MARKETING, "sent", 1)] * 2


@pytest.mark.parametrize("where", ["recipient", "data"])
def test_a_mail_refused_for_now_is_sent_once_later(world, run, script, where):
    if where == "data":
        script.on_data = "451 try later"
    else:
        script.on_recipient[MARKETING] = "450 greylisted"
    with pytest.raises(TransientError, match=r"45[01] (try later|greylisted)"):
        world.email(run, SmtpMailer())
    assert (script.received(), world.ledger()) == ([], [(MARKETING, "pending", 1)])

    script.on_data, script.on_recipient = None, {}
    world.email(run, SmtpMailer())
    world.email(run, SmtpMailer())
    assert (script.received(), world.ledger()) == ([MARKETING], [(MARKETING, "sent", 2)])


def test_a_mail_refused_for_good_fails_at_once_and_can_be_sent_after_a_person_has_acted(
    world, run, script
):
    script.on_data = "554 too much"
    with pytest.raises(TerminalError, match=r"marketing@example.com was refused.*554 too much"):
        world.email(run, SmtpMailer())
    assert (script.received(), world.ledger()) == ([], [(MARKETING, "pending", 1)])
    assert read_json(run, "delivery.json")["outcomes"]["refused"] == 1

    script.on_data = None
    world.email(run, SmtpMailer())
    assert (script.received(), world.ledger()) == ([MARKETING], [(MARKETING, "sent", 2)])


def test_one_refused_recipient_does_not_keep_the_list_from_the_others(world, run, script):
    script.on_recipient[MARKETING] = "550 no such user"
    for _ in range(2):
        with pytest.raises(TerminalError, match=r"1 of 2 recipients have .*marketing@example.com"):
            world.email(run, SmtpMailer(), recipients=TWO)
    assert script.received() == [SALES]
    assert world.ledger() == [(MARKETING, "pending", 2), (SALES, "sent", 1)]

    script.on_recipient = {}
    world.email(run, SmtpMailer(), recipients=TWO)
    assert script.received() == [SALES, MARKETING]
    assert world.ledger() == [(MARKETING, "sent", 3), (SALES, "sent", 1)]


def test_a_retry_is_made_while_it_can_still_help_somebody(world, run, script):
    script.on_recipient = {MARKETING: "550 no such user", SALES: "451 busy"}
    with pytest.raises(TransientError, match=r"550 no such user.*451 busy"):
        world.email(run, SmtpMailer(), recipients=TWO)
    assert world.ledger() == [(MARKETING, "pending", 1), (SALES, "pending", 1)]


def test_a_recipient_who_is_added_later_gets_the_list_and_the_others_nothing(world, run, script):
    world.email(run, SmtpMailer())
    world.email(run, SmtpMailer(), recipients=TWO)
    assert script.received() == [MARKETING, SALES]
    assert world.ledger() == [(MARKETING, "sent", 1), (SALES, "sent", 1)]


def test_a_server_that_hangs_before_the_mail_is_tried_again(world, run, script):
    script.on_recipient[MARKETING] = HANG
    with pytest.raises(TransientError, match="timed out"):
        world.email(run, SmtpMailer())
    assert (script.received(), world.ledger()) == ([], [(MARKETING, "pending", 1)])

    script.on_recipient = {}
    world.email(run, SmtpMailer())
    assert (script.received(), world.ledger()) == ([MARKETING], [(MARKETING, "sent", 2)])


def test_a_connection_that_drops_before_the_last_dot_is_tried_again(
    world, run, script, monkeypatch
):
    patient = os.environ["AIRFLOW_CONN_SMTP_DEFAULT"].replace("timeout=1", "timeout=60")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", patient)
    # More than the socket buffers hold, so that the drop is noticed while the mail is being sent.
    large = bytes(12_000_000)
    run.path("target_list.xlsx").write_bytes(large)
    built = read_json(run, "target_list.json")
    built["spreadsheet_sha256"] = hashlib.sha256(large).hexdigest()
    run.path("target_list.json").write_text(json.dumps(built))
    script.before_dot = DROP
    with pytest.raises(TransientError, match="before the mail was complete"):
        world.email(run, SmtpMailer(), max_attachment=len(large))
    assert (script.received(), world.ledger()) == ([], [(MARKETING, "pending", 1)])

    script.before_dot = None
    world.email(run, SmtpMailer())
    assert (script.received(), world.ledger()) == ([MARKETING], [(MARKETING, "sent", 2)])


@pytest.mark.parametrize("reaction", [DROP, HANG], ids=["drop", "hang"])
@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "lost"])
def test_a_mail_without_an_answer_is_never_sent_again_by_itself(
    world, run, script, reaction, arrived
):
    if arrived:
        script.accept_then = reaction
    else:
        script.on_data = reaction
    with pytest.raises(
        TerminalError, match=r"not known.*python -m reclustering ledger clear '<\w+@exa"
    ):
        world.email(run, SmtpMailer())
    inbox = [MARKETING] if arrived else []
    assert (script.received(), world.ledger()) == (inbox, [(MARKETING, "sending", 1)])

    script.accept_then = script.on_data = None
    with pytest.raises(TerminalError, match="not known"):
        world.email(run, SmtpMailer())
    assert (script.received(), world.ledger()) == (inbox, [(MARKETING, "sending", 1)])

    clear_doubt(world.warehouse, message_id(world), arrived=arrived, now=NOW)
    world.email(run, SmtpMailer())
    assert script.received() == [MARKETING]
    assert world.ledger() == [(MARKETING, "sent", 1 if arrived else 2)]


def test_a_mail_in_doubt_does_not_keep_the_list_from_the_others(world, run, script):
    script.accept_then = DROP
    with pytest.raises(TerminalError):
        world.email(run, SmtpMailer())
    script.accept_then = None
    with pytest.raises(TerminalError, match="1 of 2 recipients have"):
        world.email(run, SmtpMailer(), recipients=TWO)
    assert script.received() == [MARKETING, SALES]
    assert world.ledger() == [(MARKETING, "sending", 1), (SALES, "sent", 1)]


def test_an_unreachable_server_is_tried_again(world, run, script, monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection_uri(1))
        with pytest.raises(TransientError, match="no connection to the mail server"):
            world.email(run, SmtpMailer())
    assert world.ledger() == [(MARKETING, "pending", 0)]
    world.email(run, SmtpMailer())
    assert (script.received(), world.ledger()) == ([MARKETING], [(MARKETING, "sent", 1)])


def test_two_attempts_at_once_send_one_mail(world, run, script):
    def attempt(_: int) -> str:
        try:
            return "done" if world.email(run, SmtpMailer()) else ""
        except (TransientError, TerminalError) as error:
            return f"not now: {error}"

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(attempt, range(2)))
    assert "done" in outcomes
    assert (script.received(), world.ledger()) == ([MARKETING], [(MARKETING, "sent", 1)])


HELD = "delivery is hold"


def test_a_held_list_is_sent_when_a_person_releases_exactly_this_list(world, run, script):
    held = world.email(run, SmtpMailer(), held=HELD)
    assert held["outcomes"]["held"] == 1
    assert held["summary"] == (
        "The list is not mailed to 1 recipient, because delivery is hold. To send exactly this list, press "
        "'Mail this list' in the run's tab, Customer clusters."
    )
    assert run.path("mail.html").exists()
    for other in (
        {"sha256": "0" * 64},
        {"label": 1},
        {"as_of": "2024-01-02"},
        {"subject": "fit"},
        {"verdict": "rejected"},
        {"how": "accept_change"},
    ):
        world.decide(run, **{"how": "release", **other})
        world.email(run, SmtpMailer(), held=HELD)
    assert (script.received(), world.ledger()) == ([], [])

    world.decide(run, how="release")
    world.email(run, SmtpMailer(), held=HELD)
    assert (script.received(), world.ledger()) == ([MARKETING], [(MARKETING, "sent", 1)])
    mail = " ".join(script.inbox(MARKETING)[0].get_body(("plain",)).get_content().split())
    assert "THIS LIST WAS HELD" in mail.upper()
    assert "Released by anna, 1 January 2024, 09:12 UTC." in mail


def test_a_release_does_not_cover_the_same_list_of_another_day(world, run, script):
    held = world.email(run, SmtpMailer(), held=HELD)
    tomorrow = world.publish(people(4), world.run(NEXT, "scheduled__2"))
    assert world.build(tomorrow)["sha256"] == held["sha256"]
    world.decide(tomorrow, how="release", as_of="2024-01-01")
    world.email(tomorrow, SmtpMailer(), held=HELD)
    assert script.received() == []


def test_a_held_list_that_was_sent_before_says_so(world, run, script):
    world.email(run, SmtpMailer())
    again = world.email(run, SmtpMailer(), held=HELD)
    assert (again["outcomes"]["already_sent"], again["outcomes"]["held"]) == (1, 0)


def test_a_held_run_does_not_call_what_another_one_is_sending_in_doubt(world, run, script):
    world.email(run, SmtpMailer())
    world.sql("UPDATE dbo.target_list_deliveries SET state = 'sending', detail = ''")
    assert world.email(run, SmtpMailer(), held=HELD)["outcomes"]["held"] == 1


@pytest.mark.parametrize("opt_out", [{"email": "P2@example.com;"}, {"customer": 2}])
def test_who_opts_out_while_a_list_is_held_does_not_get_the_mail(world, run, script, opt_out):
    world.email(run, SmtpMailer(), held=HELD)
    world.opt_out(**opt_out)
    world.decide(run, how="release")
    with pytest.raises(BadInputError, match="1 customers on the list have opted out since it was"):
        world.email(run, SmtpMailer(), held=HELD)
    assert script.received() == []
    built = world.build(run)
    assert built["excluded"]["suppressed"] == 1
    world.email(run, SmtpMailer(), held=HELD)
    assert script.received() == [], "for another list is released"
    world.decide(run, how="release")
    world.email(run, SmtpMailer(), held=HELD)
    assert script.received() == [MARKETING]


def test_who_has_the_list_is_not_asked_again_after_an_opt_out(world, run, script):
    world.email(run, SmtpMailer())
    world.opt_out(customer=2)
    assert world.email(run, SmtpMailer())["outcomes"]["already_sent"] == 1


def test_opt_outs_that_cannot_be_read_keep_a_built_list_from_going_out(world, run, script):
    world.sql("DROP TABLE dbo.email_suppressions")
    with pytest.raises(TerminalError, match=r"(?s)could not be read.*No parameter overrides this"):
        world.email(run, SmtpMailer())
    assert script.received() == []


def test_a_list_of_nobody_is_not_mailed(world, script):
    run = world.publish(people(1))
    world.opt_out(customer=1)
    world.build(run)
    for released in (False, True):
        if released:
            world.decide(run, how="release")
        result = world.email(run, SmtpMailer())
        assert result["summary"] == (
            "The list is not mailed to 1 recipient, because nobody is on it."
        )
    assert script.received() == []


def test_a_list_that_is_sent_needs_no_file_any_more(world, run, script):
    world.email(run, SmtpMailer())
    run.path("target_list.csv").unlink()
    world.email(run, SmtpMailer())
    assert script.received() == [MARKETING]


def test_a_list_that_is_not_the_described_one_is_not_sent(world, run, script: Script):
    run.path("target_list.csv").write_text("somebody else's")
    with pytest.raises(BadInputError, match="SHA-256"):
        world.email(run, SmtpMailer())
    assert (script.received(), world.ledger()) == ([], [(MARKETING, "pending", 0)])


def test_a_list_of_another_label_is_not_sent(world, run, script):
    with pytest.raises(BadInputError, match="built for label 0; expected label 1"):
        world.email(run, SmtpMailer(), label=1)
    assert script.received() == []


def test_a_doubt_that_is_none_cannot_be_cleared(world, run, script):
    world.email(run, SmtpMailer())
    with pytest.raises(TerminalError, match="it is sent"):
        clear_doubt(world.warehouse, message_id(world), arrived=False, now=NOW)
    with pytest.raises(TerminalError, match="there is none"):
        clear_doubt(world.warehouse, "<x@y>", arrived=False, now=NOW)


def test_a_doubt_that_is_settled_meanwhile_is_not_reported_as_cleared(
    world, run, script, monkeypatch
):
    script.accept_then = DROP
    with pytest.raises(TerminalError, match="not known"):
        world.email(run, SmtpMailer())
    monkeypatch.setattr(Ledger, "settle", lambda *args, **named: False)
    with pytest.raises(TerminalError, match="has changed in the ledger a moment ago"):
        clear_doubt(world.warehouse, message_id(world), arrived=True, now=NOW)


def test_the_servers_answer_and_the_moment_are_on_record(world, run, script):
    moments = iter(NOW + timedelta(minutes=n) for n in range(100))
    steps.email_target_list(
        world.warehouse,
        run,
        SmtpMailer(),
        MailSettings(TWO),
        label=0,
        who=ListSettings(),
        held=None,
        clock=lambda: next(moments),
        today=AS_OF,
    )
    rows = world.sql("SELECT detail, changed_at FROM dbo.target_list_deliveries ORDER BY recipient")
    assert [detail for detail, _ in rows] == ["250 Stored"] * 2
    assert NOW.replace(tzinfo=None) < rows[0][1] < rows[1][1]
    [sent, _] = read_json(run, "delivery.json")["recipients"]
    assert (sent["outcome"], sent["detail"]) == ("sent", "250 Stored")


@pytest.fixture
def ledger_out_of_order(monkeypatch):
    """The ledger cannot be written for as many times as the test says, once a mail was handed over."""
    monkeypatch.setattr(sending, "_persistently", sending._persistently.copy(wait=wait_none()))
    settle, failures = Ledger.settle, []

    def failing(self, *args, **named):
        if failures:
            raise failures.pop()
        return settle(self, *args, **named)

    monkeypatch.setattr(Ledger, "settle", failing)
    return failures


def test_an_answer_is_written_down_when_the_ledger_is_back(world, run, script, ledger_out_of_order):
    ledger_out_of_order += [TransientError("the warehouse is away")] * 3
    world.email(run, SmtpMailer(), recipients=TWO)
    assert world.ledger() == [(MARKETING, "sent", 1), (SALES, "sent", 1)]


def test_a_ledger_that_stays_away_keeps_the_list_from_nobody_and_the_answer_is_told(
    world, run, script, ledger_out_of_order
):
    ledger_out_of_order += [TerminalError("no right to write")]
    with pytest.raises(TerminalError) as stop:
        world.email(run, SmtpMailer(), recipients=TWO)
    assert script.received() == [MARKETING, SALES]
    assert world.ledger() == [(MARKETING, "sending", 1), (SALES, "sent", 1)]
    assert (
        "The mail server has answered for marketing@example.com, but the ledger could not be written: the "
        "answer was '250 Stored', and then: no right to write."
    ) in str(stop.value)
    assert f"ledger clear '{message_id(world)}' --arrived" in str(stop.value)


class RivalMailer(SmtpMailer):
    """Lets another attempt do something with the ledger at a given moment."""

    def __init__(self, *, on_connect=lambda: None, on_sent=lambda: None):
        super().__init__()
        self.on_connect, self.on_sent = on_connect, on_sent

    @contextmanager
    def connect(self):
        self.on_connect()
        yield self

    def send(self, recipient, message):
        with super().connect() as conversation:
            answer = conversation.send(recipient, message)
        self.on_sent()
        return answer


def test_an_attempt_that_is_overtaken_finds_the_mail_sent(world, run, script):
    rival = RivalMailer(on_connect=lambda: world.email(run, SmtpMailer()))
    assert world.email(run, rival)["outcomes"]["already_sent"] == 1
    assert (script.received(), world.ledger()) == ([MARKETING], [(MARKETING, "sent", 1)])


def test_an_attempt_that_is_overtaken_by_one_still_at_work_comes_back_later(world, run, script):
    claimed = "UPDATE dbo.target_list_deliveries SET state = 'sending', attempts = 1"
    rival = RivalMailer(on_connect=lambda: world.sql(claimed))
    with pytest.raises(TransientError, match="another attempt is at work"):
        world.email(run, rival)
    assert (script.received(), world.ledger()) == ([], [(MARKETING, "sending", 1)])


def test_a_mail_that_somebody_gave_up_while_it_was_sent_is_in_doubt(world, run, script):
    def give_up() -> None:
        clear_doubt(world.warehouse, message_id(world), arrived=False, now=NOW)

    with pytest.raises(
        TerminalError, match=r"was accepted \(.250 Stored.\) after somebody had changed the"
    ):
        world.email(run, RivalMailer(on_sent=give_up))
    assert (script.received(), world.ledger()) == ([MARKETING], [(MARKETING, "pending", 1)])


def test_an_attempt_given_up_for_dead_cannot_undo_a_later_one(world, run, script):
    sha256 = read_json(run, "target_list.json")["sha256"]
    ledger = Ledger(world.warehouse, ListKey(AS_OF, 0, sha256), run_id="r", clock=lambda: NOW)
    (first,) = ledger.enter([MARKETING], customers=4, sender="Store <store@example.com>")
    assert ledger.claim(first)
    clear_doubt(world.warehouse, first.message_id, arrived=False, now=NOW)
    (second,) = ledger.enter([MARKETING], customers=4, sender="Store <store@example.com>")
    assert ledger.claim(second)
    assert not ledger.settle(first, state="pending", detail="late")
    assert world.ledger() == [(MARKETING, "sending", 2)]
