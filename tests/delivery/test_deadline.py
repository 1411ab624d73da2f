"""By the deadline everybody has the list, or somebody hears of it, whatever kept it."""

from __future__ import annotations

import pytest

from reclustering.core.errors import TerminalError, TransientError
from reclustering.delivery.deadline import require_mailed
from reclustering.mail import SmtpMailer
from reclustering.taking_back import take_back
from tests.world import AS_OF, MARKETING, NEXT, NOW, people

PAGE = "http://localhost:8080/dags/customer_reclustering"
TWO = f"{MARKETING}, sales@example.com"


def look(world, as_of=AS_OF):
    return require_mailed(world.warehouse, as_of, pipeline=PAGE)


@pytest.fixture
def run(world):
    run = world.publish(people(4))
    world.build(run)
    return run


def test_a_list_that_everybody_has_is_out(world, run, script):
    world.email(run, SmtpMailer(), recipients=TWO)
    assert look(world) == {"as_of": "2024-01-01", "recipients": 2}


def test_a_corrected_list_is_out_as_well(world, run, script):
    world.email(run, SmtpMailer())
    world.opt_out(customer=1)
    world.build(run)
    world.email(run, SmtpMailer())
    assert look(world) == {"as_of": "2024-01-01", "recipients": 1}


def test_a_run_that_never_started_is_noticed(world):
    with pytest.raises(
        TransientError, match="The list of 2024-01-01 is not out: no mail was begun"
    ) as late:
        look(world)
    assert PAGE in str(late.value)


def test_the_list_of_the_day_before_does_not_count(world, run, script):
    world.email(run, SmtpMailer())
    with pytest.raises(TransientError, match="The list of 2024-01-02 is not out"):
        look(world, NEXT)


def test_a_held_list_is_not_out(world, run, script):
    world.email(run, SmtpMailer(), held="delivery is hold")
    with pytest.raises(TransientError, match="no mail was begun"):
        look(world)


def test_a_list_that_not_everybody_has_is_not_out(world, run, script):
    script.on_recipient = {"sales@example.com": "550 no such user"}
    with pytest.raises(TerminalError):
        world.email(run, SmtpMailer(), recipients=TWO)
    with pytest.raises(TransientError, match="1 of 2 recipients have it"):
        look(world)


def test_a_list_that_was_taken_back_is_not_out(world, run, script):
    world.email(run, SmtpMailer())
    take_back(world.warehouse, run.artifacts, AS_OF, now=NOW)
    with pytest.raises(TransientError, match="no mail was begun"):
        look(world)
