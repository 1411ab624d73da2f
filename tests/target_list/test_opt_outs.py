"""Whatever people write in the table of opt-outs counts, or stops the list."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclustering.core.errors import BadInputError
from reclustering.target_list.addresses import find_addresses
from tests.stores import Store
from tests.target_list.test_candidates import listed
from tests.world import Person, people

BOTH = {"p1@example.com", "p2@example.com"}


@pytest.mark.parametrize(
    "written",
    [
        "p1@example.com;",
        "Ann Lee <p1@example.com>",
        "<p1@example.com>",
        "mailto:p1@example.com",
        "mailto:p1%40example.com?subject=unsubscribe",
        "p1@exam\u200bple.com",
        "\ufeffp1@example.com",
        "p1\u00a0@\u00a0example.com",
        "p1\uff20example.com",
        "'P1@Example.com'",
        "“p1@example.com”",
        "[p1@example.com](mailto:p1@example.com)",
        "&lt;p1@example.com&gt;",
        "SMTP:p1@example.com",
        "p1@example.com.",
        "=p1@example.com",
        "E-Mail: p1@example.com (work)",
        "p1@example.com_old",
        "p1@example.com\x00",
    ],
)
def test_an_address_is_read_out_of_what_people_and_exports_write(world, written):
    world.opt_out(email=written)
    run = world.publish(people(3))
    assert world.build(run)["excluded"]["suppressed"] == 1
    assert [row["customer"] for row in listed(world, run)] == ["2", "3"]


ODD = [
    "a|b",
    "{b",
    "o\u00b4brien",
    "\u00aab",
    "\u00b5",
    "x\u00b2",
    "\uff46ull",
    "\ufb01",
    "\u201cx\u201dy",
]
ODD_ADDRESSES = [
    *(f"{local}@example.com" for local in ODD),
    "ann@\u0939\u093f\u0928\u094d\u0926\u0940.\u092d\u093e\u0930\u0924",
    "\u00abx\u00bb@example.com",
    "\u4f8b@\u4f8b\u3048.jp",
]


@pytest.mark.parametrize("address", ODD_ADDRESSES)
def test_an_address_written_as_in_the_store_is_that_one_however_odd(world, address):
    run = world.publish([*people(2), Person(3, address), Person(4, address)])
    assert world.build(run)["excluded"]["duplicate_address"] == 1
    world.opt_out(email=f" {address} ")
    assert world.build(run)["excluded"]["suppressed"] == 2


@pytest.mark.parametrize("address", ODD_ADDRESSES)
def test_a_mailbox_shared_with_somebody_who_opted_out_by_key_is_left_alone(world, address):
    run = world.publish([*people(2), Person(3, address), Person(4, address)])
    world.opt_out(customer=3)
    assert world.build(run)["excluded"]["suppressed"] == 2


@pytest.mark.parametrize(
    "address", ["\u0390@example.com", "\u01f0@example.com", "\u00fc@example.com"]
)
def test_capitals_make_no_other_address_in_any_alphabet(world, address):
    run = world.publish([*people(2), Person(3, address)])
    world.opt_out(email=address.upper())
    assert world.build(run)["excluded"]["suppressed"] == 1


@pytest.mark.parametrize("between", [";", ", ", " ", "\r\n", "|", "/", ">, Bob <", " and "])
def test_every_address_in_a_cell_counts(world, between):
    world.opt_out(email=f"<p1@example.com{between}p2@example.com>")
    assert world.build(world.publish(people(3)))["excluded"]["suppressed"] == 2


@pytest.mark.parametrize(
    "written",
    [
        "p1@example",
        "p1@",
        "@example.com",
        "p1@@example.com",
        "p1 at example.com",
        "p1@example,com",
        "p1@example..com",
        "p1@example.com; p2@",
        "p1@example.comp2@example.com",
        "   ",
    ],
)
def test_what_is_no_address_is_named_by_row_and_stops_the_list(world, written, caplog):
    caplog.set_level(logging.DEBUG)
    for email in ("p3@example.com", written, "p2@example.com"):
        world.opt_out(email=email)
    run = world.publish(people(3))
    with pytest.raises(BadInputError) as stop:
        world.build(run)
    [(row, email)] = world.sql(
        "SELECT row, email FROM (SELECT row_number() OVER (ORDER BY since, customer, email) AS row, email"
        " FROM dbo.email_suppressions) WHERE email = ?",
        [written],
    )
    assert f"They are rows {row} of dbo.email_suppressions, sorted by since" in str(stop.value)
    assert "1 opt-outs name neither a customer nor a readable address" in str(stop.value)
    if email.strip():
        assert email not in str(stop.value) + caplog.text
    assert not run.path("target_list.csv").exists()


def test_a_word_beside_a_customers_key_does_no_harm(world):
    world.opt_out(email="unknown", customer=2)
    assert world.build(world.publish(people(3)))["excluded"]["suppressed"] == 1


def test_a_broken_address_beside_a_customers_key_may_be_anothers(world):
    world.opt_out(email="p1@example", customer=2)
    with pytest.raises(BadInputError, match="rows 1 of"):
        world.build(world.publish(people(3)))


def test_a_key_that_is_no_customers_is_counted(world):
    world.opt_out(customer=2)
    world.opt_out(customer=404)
    world.opt_out(customer=405, email="p1@example.com")
    built = world.build(world.publish(people(3)))
    assert (built["opt_outs"], built["opt_outs_unknown"]) == (3, 2)
    assert built["excluded"]["suppressed"] == 2


@given(st.text(max_size=12), st.text(max_size=12))
def test_an_address_between_blanks_is_always_found(before, after):
    found = find_addresses(f"{before} <p1@example.com> {after}")
    # A stray "@" makes the cell unreadable, which stops the list.
    assert found is None or "p1@example.com" in found


def test_both_warehouses_number_the_rows_alike(store: Store):
    from reclustering.target_list.opt_outs import load_opt_outs
    from reclustering.warehouse.schema import create_own_objects

    store.create_source()
    create_own_objects(store.hook())
    rows = [("ok@example.com", None, "a", None), ("one@", None, "b", "2024-01-02")]
    store.insert("email_suppressions", [*rows, ("two@", None, "c", "2024-01-01")])
    with pytest.raises(BadInputError, match=r"They are rows 2, 3 of"):
        load_opt_outs(store.hook())
