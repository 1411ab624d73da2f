"""What stops a list, and how a person lets it pass."""

from __future__ import annotations

import duckdb
import pytest

from reclustering.core.errors import BadInputError, TerminalError
from reclustering.core.guards import problems
from reclustering.mail import SmtpMailer
from tests.world import AS_OF, NEXT, Person, people, read_json


def guards(built: dict) -> list[str]:
    return [one["guard"] for one in built["findings"]]


@pytest.fixture
def yesterday(world):
    run = world.publish(people(100))
    world.build(run)
    return run


def today(world, everybody):
    return world.publish(everybody, world.run(NEXT, "scheduled__2"))


def test_a_list_that_hardly_changes_passes_and_says_what_changed(world, yesterday):
    built = world.build(today(world, people(100, start=11)))
    assert built["previous"] == {
        "as_of": "2024-01-01",
        "run_id": "scheduled__1",
        "sha256": read_json(yesterday, "target_list.json")["sha256"],
        "customers": 100,
        "added": 10,
        "gone": 10,
        "change": 0.2,
    }
    assert built["findings"] == []


@pytest.mark.parametrize(("added", "stops"), [(25, False), (26, True)])
def test_a_list_may_change_by_a_quarter(world, yesterday, added, stops):
    run = today(world, people(100 + added))
    found = world.build(run)["findings"]
    assert [one["guard"] for one in found] == ["change"] * stops
    assert all("changed by 26.0%" in one["problem"] for one in found)


def test_what_speaks_against_a_list_is_left_for_whoever_decides(world, yesterday):
    run = today(world, people(50))
    world.build(run)
    (finding,) = read_json(run, "target_list.json")["findings"]
    assert finding["guard"] == "change"
    assert "changed by 50.0% since 2024-01-01 (0 added, 50 gone, of 100)" in finding["problem"]


def test_a_stopped_list_is_not_the_measure_of_the_next(world, yesterday):
    run = today(world, people(10))
    assert guards(world.build(run)) == ["change"]
    later = world.publish(people(100), world.run(NEXT.replace(day=3), "scheduled__3"))
    assert world.build(later)["previous"]["as_of"] == "2024-01-01"


def test_a_corrected_list_is_compared_with_the_mailed_one_of_its_day(world, yesterday, script):
    # A day that was run later, with few customers, does not make the mailed list unusual.
    run = today(world, people(20))
    world.build(run)
    world.decide(run)
    world.email(run, SmtpMailer())
    again = world.publish(people(21), world.run(NEXT, "manual__2"))
    built = world.build(again)
    assert built["previous"] == {
        "as_of": NEXT.isoformat(),
        "run_id": "scheduled__2",
        "sha256": read_json(run, "target_list.json")["sha256"],
        "customers": 20,
        "added": 1,
        "gone": 0,
        "change": 0.05,
    }
    assert built["findings"] == []


def test_a_run_is_not_compared_with_itself(world, yesterday, script):
    run = today(world, people(101))
    first = world.build(run)
    world.email(run, SmtpMailer())
    assert world.build(run) == first


@pytest.mark.parametrize("again", ["another label", "a guard stops it"])
def test_running_a_mailed_day_again_does_not_hide_its_list(world, yesterday, script, again):
    world.email(yesterday, SmtpMailer())
    returned = [Person(p.customer, p.email, label=1, frequency=3) for p in people(5, start=500)]
    if again == "another label":
        other = world.publish([*people(100), *returned], world.run(run_id="manual__2"))
        world.build(other, label=1)
    else:
        other = world.publish(people(10), world.run(run_id="manual__2"))
        assert guards(world.build(other)) == ["change"]
    assert world.build(today(world, people(101)))["previous"]["run_id"] == "scheduled__1"


def test_what_marketing_has_is_the_measure_not_what_was_held_since(world, yesterday, script):
    """It may not drift away night by night under their eyes."""
    world.email(yesterday, SmtpMailer())
    held = today(world, people(120))
    world.build(held)
    later = world.publish(people(135), world.run(NEXT.replace(day=3), "scheduled__3"))
    (finding,) = world.build(later)["findings"]
    assert "changed by 35.0% since 2024-01-01" in finding["problem"]


def test_a_backfill_is_not_stopped_by_a_trial_of_long_ago(world, script):
    """Nothing is mailed, so each day is built, says what is unusual, and is the next one's measure."""
    trial = world.publish(people(2), world.run(AS_OF.replace(year=1999), "manual__1999"))
    world.build(trial)
    world.email(trial, SmtpMailer(), held="delivery is hold")
    built = []
    for day in range(1, 15):
        run = world.publish(
            people(140 + day), world.run(AS_OF.replace(day=day), f"backfill__{day}")
        )
        built.append(world.build(run))
        world.email(run, SmtpMailer(), held="it is a backfill's")
    assert [len(one["findings"]) for one in built] == [1] + [0] * 13
    assert "changed by 6950.0% since 1999-01-01" in built[0]["findings"][0]["problem"]


def test_what_speaks_against_a_held_list_stops_its_mail_until_a_person_releases_it(
    world, yesterday, script
):
    run = today(world, people(50))
    world.build(run)
    held = world.email(run, SmtpMailer(), held="delivery is hold")
    assert (
        "What speaks against it: the list has changed by 50.0% since 2024-01-01" in held["summary"]
    )
    for verdict in (None, "rejected"):
        if verdict:
            world.decide(run, verdict)
        with pytest.raises(BadInputError, match=r"not approved.*changed by 50.0%.*Clear approve_l"):
            world.email(run, SmtpMailer())
    world.decide(run, how="accept_change")
    world.email(run, SmtpMailer(), held="delivery is hold")
    assert script.received() == []
    world.decide(run, how="release")
    world.email(run, SmtpMailer(), held="delivery is hold")
    assert len(script.received()) == 1


def test_lists_of_other_labels_are_not_compared(world, yesterday):
    other = [Person(p.customer, p.email, label=1, frequency=2) for p in people(5, start=500)]
    run = today(world, [*people(100), *other])
    assert world.build(run, label=1)["previous"] is None


def test_a_mailed_list_that_cannot_be_found_stops_the_next(world, yesterday, script):
    world.email(yesterday, SmtpMailer())
    yesterday.path("target_list.parquet").unlink()
    run = today(world, people(100))
    built = world.build(run)
    assert guards(built) == ["change"]
    assert (
        "list of 2024-01-01 was mailed, but the target_list.parquet of run sch"
        in (built["findings"][0]["problem"])
    )


def test_a_mailed_list_in_whose_place_another_was_built_is_not_the_measure(
    world, yesterday, script
):
    """What was rejected since is nothing that marketing knows."""
    world.email(yesterday, SmtpMailer())
    world.publish(people(300), yesterday)
    world.build(yesterday)
    world.decide(yesterday, "rejected")
    built = world.build(today(world, people(300)))
    assert guards(built) == ["change"]
    assert (built["previous"], built["new"]) == (None, None)


def test_vanished_opt_outs_stop_the_list(world):
    for customer in range(1000, 1004):
        world.opt_out(customer=customer)
    world.build(world.publish(people(100)))
    world.sql("DELETE FROM dbo.email_suppressions WHERE customer = 1000")
    run = today(world, people(100))
    assert world.build(run)["findings"] == []
    world.sql("DELETE FROM dbo.email_suppressions")
    built = world.build(run)
    assert guards(built) == ["opt_outs"]
    assert "has 0 rows and had 4 on 2024-01-01" in built["findings"][0]["problem"]


def test_without_the_opt_outs_there_is_no_list_and_nothing_to_decide(world):
    run = world.publish(people(4))
    world.sql("DROP TABLE dbo.email_suppressions")
    with pytest.raises(TerminalError, match=r"(?s)could not be read.*No parameter"):
        world.build(run)
    assert not run.path("target_list.csv").exists()


def test_all_that_is_wrong_is_said_at_once(world, yesterday):
    for customer in range(1000, 1004):
        world.opt_out(customer=customer)
    first = today(world, people(100))
    world.build(first)
    world.sql("DELETE FROM dbo.email_suppressions")
    built = world.build(world.publish(people(10), world.run(NEXT.replace(day=3), "scheduled__3")))
    assert "changed by 90.0%" in problems(built["findings"])
    assert "has 0 rows and had 4" in problems(built["findings"])
    with duckdb.connect(str(world.file)) as connection:
        rows = connection.execute("SELECT count(*) FROM dbo.target_list_deliveries").fetchall()
    assert rows == [(0,)]
