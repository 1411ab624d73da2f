"""Who is kept off the list for marketing's own reasons, and since when people are on it."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclustering.core.contracts import EXCLUSIONS
from reclustering.mail import SmtpMailer
from reclustering.target_list.membership import prune_members
from reclustering.target_list.selection import Before
from reclustering.target_list.settings import ListSettings
from tests.target_list.choosing import DAY, Candidate, choose
from tests.world import AS_OF, NEXT, Person, people, read_json

THIRD = NEXT + timedelta(days=1)


def everybody(n, start=1):
    return [Candidate(i, f"p{i}@example.com") for i in range(start, start + n)]


def held_out(n, share, salt=""):
    """Work out the hash by another library."""

    def position(customer):
        return int(hashlib.md5(f"{salt}:{customer}".encode()).hexdigest()[:15], 16) / 16**15

    return [i for i in range(1, n + 1) if position(i) < share]


@pytest.mark.parametrize(("share", "salt"), [(0.1, ""), (0.25, "spring"), (0.5, "b:1")])
def test_the_held_out_are_a_share_by_a_hash_of_customer_and_salt(share, salt):
    chosen = choose(everybody(4000), holdout=share, salt=salt)
    expected = held_out(4000, share, salt)
    assert {*range(1, 4001)} - {*chosen.customers} == {*expected}
    assert chosen.excluded == dict.fromkeys(EXCLUSIONS, 0) | {"holdout": len(expected)}
    # Four standard deviations.
    assert abs(len(expected) - 4000 * share) < 4 * (4000 * share * (1 - share)) ** 0.5


def test_the_same_are_held_out_whatever_else_there_is():
    alone = {*range(1, 1001)} - {*choose(everybody(1000), holdout=0.2).customers}
    with_others = choose(
        [*everybody(3000), Candidate(5000, "x")], holdout=0.2, as_of=DAY + timedelta(days=99)
    )
    assert alone == {*range(1, 1001)} - {*with_others.customers}
    more = {*range(1, 1001)} - {*choose(everybody(1000), holdout=0.3).customers}
    assert alone < more


def test_only_who_would_be_mailed_is_held_out():
    """Else the two groups would differ in more than the mail."""
    rows = [Candidate(i, None if i % 2 else f"p{i}@example.com") for i in range(1, 1001)]
    chosen = choose(rows, holdout=0.5)
    assert chosen.excluded["no_address"] == 500
    assert chosen.excluded["holdout"] == len([i for i in held_out(1000, 0.5) if not i % 2])


def test_who_was_mailed_lately_has_a_rest_and_so_has_the_mailbox():
    rows = [
        Candidate(1, "a@example.com"),
        Candidate(2, "shared@example.com", last_purchase=date(2023, 1, 1)),
        Candidate(3, "Shared@example.com", last_purchase=date(2023, 1, 2)),
        Candidate(4, "c@example.com"),
    ]
    chosen = choose(rows, mailed=[2, 4, 99])
    assert chosen.customers == [1]
    assert (chosen.excluded["cool_off"], chosen.excluded["duplicate_address"]) == (2, 1)


OWNERS = st.lists(
    st.tuples(
        st.sampled_from(["a@example.com", "b@example.com", "c@example.com", None]),
        st.none() | st.dates(date(2023, 1, 1), date(2023, 1, 3)),
    ),
    max_size=8,
)


@settings(max_examples=60)
@given(OWNERS, st.sets(st.integers(1, 9), max_size=3))
def test_one_owner_of_each_mailbox_is_mailed_unless_any_of_them_was_lately(owners, mailed):
    rows = [
        Candidate(i, email, last_purchase=day) for i, (email, day) in enumerate(owners, start=1)
    ]
    expected, resting, duplicates = [], 0, 0
    for mailbox in {row.email for row in rows} - {None}:
        sharing = [row for row in rows if row.email == mailbox]
        # The latest purchase counts, then the lowest key.
        owner = max(sharing, key=lambda row: (row.last_purchase or date.min, -row.customer))
        duplicates += len(sharing) - 1
        if mailed & {row.customer for row in sharing}:
            resting += 1
        else:
            expected.append(owner.customer)
    chosen = choose(rows, mailed=mailed)
    assert chosen.customers == sorted(expected)
    assert chosen.excluded == dict.fromkeys(EXCLUSIONS, 0) | {
        "no_address": sum(row.email is None for row in rows),
        "duplicate_address": duplicates,
        "cool_off": resting,
    }


def test_since_is_the_first_day_of_an_unbroken_stay(tmp_path):
    first, second, third = (tmp_path / f"{n}.parquet" for n in range(3))
    days = [DAY + timedelta(days=n) for n in range(3)]
    choose(everybody(3), outcomes=first, as_of=days[0])
    choose(everybody(2), before=Before(first, days[0]), outcomes=second, as_of=days[1])
    last = choose(everybody(4), before=Before(second, days[1]), outcomes=third, as_of=days[2])
    # Customer 3 was away for a day.
    since = {entry["customer"]: entry["since"] for entry in last.entries}
    assert since == {1: days[0], 2: days[0], 3: days[2], 4: days[2]}
    assert (last.totals.new, last.totals.added, last.totals.before) == (2, 2, 2)


def test_a_rest_ends_no_stay_and_makes_nobody_new(tmp_path):
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    days = [DAY + timedelta(days=n) for n in range(3)]
    choose(everybody(3), outcomes=first, as_of=days[0])
    rest = choose(
        everybody(3), before=Before(first, days[0]), mailed=[1, 2], outcomes=second, as_of=days[1]
    )
    assert rest.customers == [3]
    back = choose(everybody(3), before=Before(second, days[1]), as_of=days[2])
    assert [entry["since"] for entry in back.entries] == [days[0]] * 3
    assert (back.totals.new, back.totals.added) == (0, 0)


def test_a_list_that_is_older_than_these_columns_names_who_was_on_it(tmp_path):
    old = tmp_path / "old.parquet"
    pq.write_table(pa.table({"customer": pa.array([1, 2], pa.int64())}), old)
    chosen = choose(everybody(3), before=Before(old, date(2023, 12, 1)))
    assert [entry["since"] for entry in chosen.entries] == [date(2023, 12, 1)] * 2 + [DAY]


def members(world):
    return world.sql(
        "SELECT as_of, customer, listed FROM dbo.target_list_members ORDER BY as_of, customer"
    )


def night(world, as_of, who, everybody, *, mail=True, **how):
    run = world.publish(everybody, world.run(as_of, f"scheduled__{as_of}"))
    built = world.build(run, holdout=who.holdout, cool_off=who.cool_off)
    if mail:
        at = datetime.combine(as_of, time(6, 30), UTC)
        world.email(run, SmtpMailer(), who=who, now=at, **how)
    return built


def test_listed_and_held_out_are_on_record_before_the_mail_goes(world, script):
    who = ListSettings(holdout=0.5)
    night(world, AS_OF, who, [*people(6), Person(7, None)])
    out = held_out(6, 0.5)
    assert 0 < len(out) < 6
    assert members(world) == [(AS_OF, i, int(i not in out)) for i in range(1, 7)]
    run = world.run(AS_OF, f"scheduled__{AS_OF}")
    world.email(run, SmtpMailer(), who=who, recipients="b@example.com")
    assert len(members(world)) == 6, "the same list to somebody else"


def test_what_a_killed_attempt_has_written_down_is_made_whole(world, script):
    who = ListSettings(holdout=0.5)
    run = world.publish(people(6))
    world.build(run, holdout=0.5)
    sha256 = read_json(run, "target_list.json")["sha256"]
    world.sql("INSERT INTO dbo.target_list_members VALUES (?, 0, ?, 1, 1)", [AS_OF, sha256])
    world.email(run, SmtpMailer(), who=who)
    assert len(members(world)) == 6


def test_nothing_is_on_record_where_nobody_asks_for_it_or_nothing_goes_out(world, script):
    night(world, AS_OF, ListSettings(), people(3))
    night(world, NEXT, ListSettings(holdout=0.5), people(9), held="delivery is hold")
    assert members(world) == []


def test_the_rest_is_as_long_as_it_is_set_to(world, script):
    """Mailed on day 0 with three days of rest: off the list on days 1 and 2, on it again on day 3."""
    who = ListSettings(cool_off=3)
    rest = []
    for n in range(4):
        built = night(world, AS_OF + timedelta(days=n), who, people(5 + n))
        rest.append((built["customers"], built["excluded"]["cool_off"], built["findings"]))
    assert rest == [(5, 0, []), (1, 5, []), (1, 6, []), (6, 2, [])]
    assert len(script.received()) == 4


def test_a_list_that_was_only_built_or_refused_gives_nobody_a_rest(world, script):
    who = ListSettings(cool_off=30)
    night(world, AS_OF, who, people(5), mail=False)
    assert night(world, NEXT, who, people(5), mail=False)["customers"] == 5
    script.on_data = "451 later"
    with pytest.raises(Exception, match="0 of 1 recipients"):
        night(world, NEXT, who, people(5))
    assert len(members(world)) == 5
    assert night(world, THIRD, who, people(5), mail=False)["customers"] == 5


def test_the_rest_begins_on_the_day_of_the_mail(world, script):
    """A list of two weeks ago that went out yesterday."""
    who = ListSettings(cool_off=10)
    old = world.publish(people(5), world.run(AS_OF - timedelta(days=14), "manual__0"))
    world.build(old, cool_off=10)
    world.email(old, SmtpMailer(), who=who)
    assert night(world, NEXT, who, people(6), mail=False)["customers"] == 1


def test_a_correction_of_the_same_day_goes_to_those_whom_it_corrects(world, script):
    who = ListSettings(cool_off=30)
    night(world, AS_OF, who, people(5))
    again = world.publish(people(6), world.run(AS_OF, "manual__2"))
    assert world.build(again, cool_off=30)["customers"] == 6


def test_when_all_have_a_rest_the_mail_says_so_and_nothing_is_wrong(world, script):
    who = ListSettings(cool_off=30)
    night(world, AS_OF, who, people(5))
    night(world, NEXT, who, people(5))
    last = script.inbox("marketing@example.com")[-1]
    assert last["Subject"] == "Corner Store: target list of 2 January 2024, unchanged"
    text = last.get_body(("plain",)).get_content()
    assert "Nothing new: everybody who could be on the list was mailed a short while ago." in text
    assert "There is nobody to write to today." in text
    assert list(last.iter_attachments()) == []


def test_old_members_go_day_by_day(world, script):
    who = ListSettings(holdout=0.5)
    for n, day in enumerate((AS_OF, NEXT, THIRD)):
        night(world, day, who, people(20 + 3 * n))
    done = prune_members(world.warehouse, days=1, today=THIRD)
    assert done == {"before": NEXT.isoformat(), "days": 1, "deleted": 20}
    assert {row[0] for row in members(world)} == {NEXT, THIRD}
