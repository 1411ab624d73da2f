"""A night on which the list is the one that people have."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from reclustering.core.errors import BadInputError
from reclustering.delivery.deadline import require_mailed
from reclustering.mail import SmtpMailer
from reclustering.taking_back import take_back
from reclustering.target_list.settings import ListSettings
from tests.world import AS_OF, MARKETING, NEXT, NOW, Person, people


@pytest.fixture
def first(world, script):
    run = world.publish(people(5))
    world.build(run)
    world.email(run, SmtpMailer())
    return run


def next_night(world, everybody, **how):
    run = world.publish(everybody, world.run(NEXT, "scheduled__2"))
    world.build(run)
    return world.email(run, SmtpMailer(), **how)


def test_who_has_the_list_gets_a_short_mail(world, script, first):
    # Somebody has bought again: the file differs, whom to write to does not.
    again = [*people(4), Person(5, "p5@example.com", bought=(date(2023, 12, 30), AS_OF))]
    done = next_night(world, again)
    assert done["outcomes"]["sent"] == 1
    _, note = script.inbox(MARKETING)
    assert note["Subject"] == "Corner Store: target list of 2 January 2024, unchanged"
    assert [part.get_content_type() for part in note.walk() if not part.is_multipart()] == [
        "text/plain",
        "text/html",
    ]
    for kind in ("plain", "html"):
        words = " ".join(note.get_body((kind,)).get_content().split())
        assert "same customers, names and addresses as that of 1 January 2024" in words
        assert "Go on with the list that you have." in words
        assert "attached file" not in words


def test_or_nothing_and_the_deadline_is_content(world, script, first):
    done = next_night(world, people(5), unchanged="silence")
    assert done["outcomes"]["unchanged"] == 1
    assert "Nothing was mailed to 1 recipient: the list has the same customers" in done["summary"]
    assert len(script.received()) == 1
    assert require_mailed(world.warehouse, NEXT, pipeline="") == {
        "as_of": "2024-01-02",
        "recipients": 1,
    }
    # The third night still knows that they have it.
    third = world.publish(people(5), world.run(NEXT.replace(day=3), "scheduled__3"))
    world.build(third)
    assert world.email(third, SmtpMailer(), unchanged="silence")["outcomes"]["unchanged"] == 1
    assert len(script.received()) == 1


def test_who_has_not_got_it_gets_it(world, script, first):
    next_night(world, people(5), recipients=f"{MARKETING}, new@example.com", unchanged="silence")
    (mail,) = script.inbox("new@example.com")
    assert len(list(mail.iter_attachments())) == 1
    assert len(script.inbox(MARKETING)) == 1


@pytest.mark.parametrize(
    "changed",
    [
        [*people(4), Person(5, "moved@example.com")],
        [*people(4), Person(5, "p5@example.com", last="Married")],
        people(6),
        people(4),
    ],
)
def test_another_customer_name_or_address_is_another_list(world, script, first, changed):
    next_night(world, changed, unchanged="silence")
    assert len(list(script.inbox(MARKETING)[-1].iter_attachments())) == 1


def test_a_list_that_nobody_got_is_no_reason_to_be_silent(world, script):
    run = world.publish(people(5))
    world.build(run)
    world.email(run, SmtpMailer(), held="delivery is hold")
    next_night(world, people(5), unchanged="silence")
    assert len(script.received()) == 1


def test_of_the_same_day_too_and_nothing_is_corrected(world, script, first):
    again = [*people(4), Person(5, "p5@example.com", bought=(date(2023, 12, 30), date(2023, 1, 1)))]
    run = world.publish(again, world.run(run_id="manual__2"))
    world.build(run)
    world.email(run, SmtpMailer())
    _, note = script.inbox(MARKETING)
    assert note["Subject"] == "Corner Store: target list of 1 January 2024, unchanged"
    assert "replaces the one" not in note.get_body(("plain",)).get_content()


def test_the_same_attempt_again_says_nothing_more(world, script, first):
    run = world.publish(people(5), world.run(NEXT, "scheduled__2"))
    world.build(run)
    for _ in range(2):
        world.email(run, SmtpMailer())
    assert len(script.received()) == 2


def test_a_correction_back_to_the_day_before_is_sent_and_called_one(world, script, first):
    """They were sent another list since: what they had before that is not what they have."""
    run = world.publish(people(6), world.run(NEXT, "scheduled__2"))
    world.build(run)
    world.email(run, SmtpMailer(), now=NOW + timedelta(days=1))
    world.opt_out(customer=6)
    world.build(run)
    done = world.email(run, SmtpMailer(), unchanged="silence", now=NOW + timedelta(days=1, hours=1))
    assert done["outcomes"]["sent"] == 1
    last = script.inbox(MARKETING)[-1]
    assert last["Subject"] == "Corner Store: corrected target list of 2 January 2024, 5 customers"
    assert len(list(last.iter_attachments())) == 1


def test_so_is_the_list_of_a_day_that_was_taken_back(world, script, first):
    run = world.publish(people(6), world.run(NEXT, "scheduled__2"))
    world.build(run)
    world.email(run, SmtpMailer(), now=NOW + timedelta(days=1))
    take_back(world.warehouse, run.artifacts, NEXT, now=NOW + timedelta(days=1, hours=1))
    done = next_night(world, people(5), unchanged="silence", now=NOW + timedelta(days=1, hours=2))
    assert done["outcomes"]["sent"] == 1
    assert "corrected" in script.inbox(MARKETING)[-1]["Subject"]


def test_who_opted_out_meanwhile_is_not_kept_silent_about(world, script, first):
    run = world.publish(people(5), world.run(NEXT, "scheduled__2"))
    world.build(run)
    world.opt_out(customer=3)
    for unchanged in ("silence", "note"):
        with pytest.raises(BadInputError, match="1 customers on the list have opted out since"):
            world.email(run, SmtpMailer(), unchanged=unchanged)


def test_a_list_that_a_person_sends_is_sent(world, script, first):
    run = world.publish(people(5), world.run(NEXT, "scheduled__2"))
    world.build(run)
    world.email(run, SmtpMailer(), held="delivery is hold", unchanged="silence")
    world.decide(run, how="release")
    world.email(run, SmtpMailer(), held="delivery is hold", unchanged="silence")
    assert len(list(script.inbox(MARKETING)[-1].iter_attachments())) == 1


def test_a_correction_to_nobody_says_that_the_list_before_is_none(world, script, first):
    for customer in range(1, 6):
        world.opt_out(customer=customer)
    world.build(first)
    world.decide(first)
    done = world.email(first, SmtpMailer(), now=NOW + timedelta(hours=1))
    assert done["outcomes"]["sent"] == 1
    last = script.inbox(MARKETING)[-1]
    assert last["Subject"] == "Corner Store: corrected target list of 1 January 2024, 0 customers"
    assert "Use only this one." in last.get_body(("plain",)).get_content()


def test_those_who_have_had_a_rest_are_written_to_anew(world, script):
    who = ListSettings(cool_off=7)
    for n in (0, 7):
        day, at = AS_OF + timedelta(days=n), NOW + timedelta(days=n)
        run = world.publish(people(5), world.run(day, f"scheduled__{n}"))
        world.build(run, cool_off=7)
        world.email(run, SmtpMailer(), who=who, now=at)
    assert [len(list(mail.iter_attachments())) for mail in script.inbox(MARKETING)] == [1, 1]
    assert world.sql("SELECT count(*) FROM dbo.target_list_members") == [(10,)]
