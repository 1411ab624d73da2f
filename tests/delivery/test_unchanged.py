"""A night on which the list is the one that people have."""

from __future__ import annotations

from datetime import date

import pytest

from reclustering.delivery.deadline import require_mailed
from reclustering.mail import SmtpMailer
from tests.world import AS_OF, MARKETING, NEXT, Person, people


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
