"""Who is on the list, and the file."""

from __future__ import annotations

import csv
import io
import json
import stat
from datetime import date
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from email_validator import validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reclustering.core.errors import BadInputError
from reclustering.target_list import addresses
from reclustering.target_list.addresses import address_key
from reclustering.target_list.list_file import COLUMNS, write_csv
from reclustering.target_list.opt_outs import OptOuts
from reclustering.warehouse.duckdb import DuckDBSession
from tests.target_list.choosing import Candidate, choose, on_list
from tests.world import AS_OF, Person, World, people, read_json


def opt_outs(customers: tuple[int, ...] = (), addresses: tuple[str, ...] = ()) -> OptOuts:
    keys = frozenset(map(address_key, addresses))
    return OptOuts(len(customers) + len(keys), frozenset(customers), keys)


def listed(world: World, run) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(run.path("target_list.csv").read_text("utf-8-sig"))))


def test_the_list_has_each_customers_last_purchase_and_number_of_orders(world):
    day = date(2023, 6, 1)
    run = world.publish(
        [
            Person(3, "c@example.com", bought=(day, date(2023, 12, 31))),
            Person(1, "a@example.com", bought=(day, None)),
            Person(2, "b@example.com", bought=(None,)),
            Person(4, "d@example.com", label=1, frequency=3),
        ]
    )
    world.build(run)
    rows = [(row["customer"], row["last_purchase"], row["orders"]) for row in listed(world, run)]
    assert rows == [("1", "2023-06-01", "2"), ("2", "", "1"), ("3", "2023-12-31", "2")]


def test_every_exclusion_is_counted_by_its_reason(world):
    run = world.publish(
        [
            *people(2),
            Person(10, None),
            Person(11, "   "),
            Person(12, "gone@example.com", known=False),
            Person(20, "at home"),
            Person(21, "a@@example.com"),
            Person(22, "a@localhost"),
            Person(30, "  P1@EXAMPLE.com  ", bought=(date(2023, 7, 1),)),
            Person(40, "Named.Key@example.com"),
            Person(41, "by.address@example.com"),
            Person(42, "named.key@EXAMPLE.com"),
            Person(50, "-jane@example.com"),
            Person(51, "=1+1|x@example.com"),
        ]
    )
    world.opt_out(customer=40)
    world.opt_out(email=" BY.Address@Example.com ")
    built = world.build(run)
    assert built["excluded"] == {
        "no_address": 3,
        "malformed": 3,
        "suppressed": 3,
        "formula_address": 2,
        "duplicate_address": 1,
        "cool_off": 0,
        "holdout": 0,
    }
    assert built["customers"] + sum(built["excluded"].values()) == built["cluster_size"] == 14
    # Of customers 1 and 30 the one with the later purchase stays.
    assert [row["customer"] for row in listed(world, run)] == ["2", "30"]


def test_a_mailbox_that_an_opted_out_customer_of_another_cluster_shares_is_left_alone(world):
    shared = "family@example.com"
    run = world.publish([Person(1, shared), Person(2, shared, label=1, frequency=4)])
    world.opt_out(customer=2)
    assert world.build(run)["excluded"]["suppressed"] == 1


def test_blank_padding_is_no_part_of_a_value(world):
    run = world.publish([Person(1, "a@example.com".ljust(50), first="Ann ".ljust(20))])
    world.build(run)
    assert [(row["email"], row["first_name"]) for row in listed(world, run)] == [
        ("a@example.com", "Ann")
    ]


def test_the_same_data_give_the_same_bytes_for_the_owner_alone(world):
    run = world.publish(people(50))
    first = world.build(run)
    content = run.path("target_list.csv").read_bytes()
    again = world.publish(people(50)[::-1], world.run(run_id="manual__2"))
    assert world.build(again)["sha256"] == first["sha256"]
    assert again.path("target_list.csv").read_bytes() == content
    assert content.startswith(b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n")
    assert stat.S_IMODE(Path(run.path("target_list.csv").path).stat().st_mode) == 0o600


def test_who_was_listed_stays_known_by_key_alone(world):
    run = world.publish(people(3))
    world.build(run)
    keys = pq.read_table(run.path("target_list.parquet").path)
    assert keys.to_pydict() == {
        "customer": [1, 2, 3],
        "outcome": ["listed"] * 3,
        "since": [AS_OF] * 3,
    }
    assert read_json(run, "target_list.json")["customers"] == 3


def test_labels_of_another_run_are_noticed(world):
    run = world.publish(people(4))
    world.sql("UPDATE dbo.clustering_runs SET run_id = 'manual__9'")
    with pytest.raises(
        BadInputError, match=r"labels of 2024-01-01 are those of run manual__9; expec"
    ):
        world.build(run)


def test_labels_that_are_not_there_at_all_are_noticed(world):
    run = world.publish(people(2))
    world.sql("DELETE FROM dbo.clustering_runs")
    with pytest.raises(BadInputError, match="published labels of 2024-01-01 are not there"):
        world.build(run)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_customers_come_out_the_same_however_many_come_at_once(world, monkeypatch, batch_size):
    """Some of the cluster are not in dbo.customer: before, between and after those who are."""
    strangers = [Person(i, None, known=False) for i in (1, 4, 9)]
    run = world.publish([*strangers, *(Person(i, f"p{i}@example.com") for i in (2, 3, 5, 7))])
    stream = DuckDBSession.stream
    monkeypatch.setattr(
        DuckDBSession,
        "stream",
        lambda self, name, parameters=None: stream(self, name, parameters, batch_size=batch_size),
    )
    assert world.build(run)["excluded"]["no_address"] == 3
    assert [row["customer"] for row in listed(world, run)] == ["2", "3", "5", "7"]


def test_customers_without_a_key_are_nobody(world, monkeypatch):
    """They come first, and fill whole batches."""
    run = world.publish(people(3))
    world.sql("INSERT INTO dbo.customer SELECT NULL, 'Ms.', 'A', 'B', 'x@y.de' FROM range(5)")
    stream = DuckDBSession.stream
    monkeypatch.setattr(
        DuckDBSession,
        "stream",
        lambda self, name, parameters=None: stream(self, name, parameters, batch_size=2),
    )
    assert world.build(run)["customers"] == 3


def test_addresses_that_the_database_masks_are_no_addresses(world):
    """As SQL Server shows them to a login without UNMASK: valid, and nobody's."""
    run = world.publish([Person(i, f"{'abc'[i % 3]}XXX@XXXX.com") for i in range(1, 7)])
    with pytest.raises(
        BadInputError, match=r"addresses of 6 of 6 customers are like aXXX@XXXX.com: .* is masked"
    ):
        world.build(run)


def test_one_odd_address_is_malformed_and_stops_nothing(world):
    run = world.publish([Person(1, "aXXX@XXXX.com"), *people(100, start=2)])
    built = world.build(run)
    assert (built["excluded"]["malformed"], built["customers"]) == (1, 100)


def test_a_customer_who_is_in_the_customer_table_twice_is_noticed(world):
    run = world.publish(people(2))
    world.sql("INSERT INTO dbo.customer SELECT * FROM dbo.customer WHERE c_customer_sk = 1")
    with pytest.raises(BadInputError, match="c_customer_sk 1 twice"):
        world.build(run)


def test_clusters_json_of_another_fit_is_noticed(world):
    run = world.publish(people(3))
    clusters = read_json(run, "clusters.json")
    clusters["clusters"][0]["size"] = 4
    run.path("clusters.json").write_text(json.dumps(clusters))
    with pytest.raises(BadInputError, match="make 3; cluster 0 has 4 customers"):
        world.build(run)


def test_a_label_that_the_run_does_not_have_is_refused(world):
    run = world.publish(people(2))
    with pytest.raises(BadInputError, match=r"target_label is 7; expected one of .* 0 to 0"):
        world.build(run, label=7)


@pytest.mark.parametrize(
    ("days", "stays"),
    [
        ([date(2023, 1, 1), date(2023, 1, 2)], 2),
        ([date(2023, 1, 2), date(2023, 1, 1)], 1),
        ([None, date(2023, 1, 1)], 2),
        ([date(2023, 1, 1), date(2023, 1, 1)], 1),
        ([None, None], 1),
    ],
)
def test_of_two_customers_with_one_address_the_latest_buyer_stays(days, stays):
    twins = [
        Candidate(key, address, last_purchase=day)
        for key, address, day in zip((1, 2), ("A@example.com", "a@Example.com"), days, strict=True)
    ]
    chosen = choose(twins)
    assert chosen.customers == [stays]
    assert chosen.excluded["duplicate_address"] == 1


def test_an_opted_out_customer_never_keeps_an_address_from_another_reason():
    """Who has opted out is out for that reason, even where an address is shared."""
    chosen = choose(
        [Candidate(1, "a@example.com"), Candidate(2, "A@example.com")],
        opt_outs(addresses=("a@EXAMPLE.com",)),
    )
    assert (chosen.entries, chosen.excluded["suppressed"]) == ([], 2)


@pytest.mark.parametrize(
    ("opt_out", "address"),
    [
        ("USER@BÜCHER.example", "user@bücher.example"),
        ("user@xn--bcher-kva.example", "user@bücher.example"),
        ("JOSE\u0301@example.com", "jos\u00e9@example.com"),
    ],
)
def test_two_spellings_of_one_address_are_equal(opt_out, address):
    chosen = choose([Candidate(1, address)], opt_outs(addresses=(opt_out,)))
    assert chosen.excluded["suppressed"] == 1


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        (" \t=1", "'=1"),
        ("\x00=1", "'=1"),
        ("\x00 =1", "'=1"),
        ("\ufffeAnn\uffff", "Ann"),
        ("a;=1+1", "a,=1+1"),
        ('a; "-1', 'a, "-1'),
        ("O&#39;Brien", "O&#39;Brien"),
        ("x" * 200_000, "x" * 32_767),
        ("\uff1d1", "'\uff1d1"),
        ('O"Hara, Ann', 'O"Hara, Ann'),
        ("Ann\r\nLee", "Ann Lee"),
        ("Zoë 小林", "Zoë 小林"),
        (None, ""),
    ],
)
def test_no_cell_is_a_formula_and_every_other_reads_as_it_was(tmp_path, name, cell):
    out = tmp_path / "list.csv"
    write_csv(on_list(Candidate(1, "a@example.com", last_name=name)), out)
    (row,) = csv.DictReader(io.StringIO(out.read_text("utf-8-sig"), newline=""))
    assert (row["last_name"], row["email"]) == (cell, "a@example.com")


@pytest.mark.parametrize(
    "address",
    [
        "jane@xn--mller-kva.de",
        "jane@m\u00fcller.de",
        "JOSE\u0301@Example.com",
        "O'Neil+tag@Example.COM",
        "'jane@example.com",
        "a!#$%&*/?^_`{|}~@example.com",
        "Jane@EXAMPLE.com",
    ],
)
def test_an_address_is_written_as_the_store_has_it(world, address):
    run = world.publish([Person(1, f"  {address} ".ljust(50))])
    assert world.build(run)["customers"] == 1
    assert [row["email"] for row in listed(world, run)] == [address]
    book = openpyxl.load_workbook(run.path("target_list.xlsx").path)
    assert book.active.cell(2, 2).value == address


@pytest.mark.parametrize("sign", ["=", "+", "-", "\uff1d", "\uff0b", "\uff0d"])
def test_an_address_that_a_spreadsheet_would_run_is_left_out_and_counted(sign):
    chosen = choose([Candidate(1, f" {sign}jane@example.com")])
    assert chosen.entries == []
    assert chosen.excluded["formula_address"] + chosen.excluded["malformed"] == 1


WORDS = st.lists(st.from_regex(r"[A-Za-z0-9_+'-]{1,20}", fullmatch=True), min_size=1, max_size=4)
LABELS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", fullmatch=True)
ENDS = st.sampled_from(
    ["com", "info", "de", "zz", "xn", "test", "local", "onion", "arpa", "c1", "COM", "a", "museum"]
)
ANYTHING = st.text("aZ9.-_+'@!\u00e9 ", max_size=12)


@settings(max_examples=3000)
@given(WORDS, st.lists(LABELS, min_size=1, max_size=4), ENDS, ANYTHING, ANYTHING)
@example(["x"], ["xn--a"], "de", "", "")
@example(["x"], ["a--b"], "de", "", "")
@example(["x" * 64], ["y" * 63, "y" * 63], "de", "", "")
@example(["x" * 65], ["y"], "de", "", "")
@example(["x" * 32, "x" * 32], ["y"], "de", "", "")
@example(["x"], ["y" * 63] * 4, "de", "", "")
@example(["x"], ["y" * 64], "de", "", "")
@example(["x"], ["y"], "y" * 64, "", "")
@example(["x"], ["y"], "local", "", "")
@example(["x"], ["y"], "de", "", "\n")
def test_what_is_taken_for_valid_without_asking_is_and_stays_as_it_is(
    words, labels, end, before, after
):
    """The library changes nothing but capitals in the domain, and the key has none."""
    address = f"{before}{'.'.join(words)}@{'.'.join([*labels, end])}{after}"
    if addresses.are_plain(pa.array([address]))[0].as_py():
        found = validate_email(address, check_deliverability=False)
        assert found.normalized.lower() == address.lower()
        assert found.normalized.partition("@")[0] == address.partition("@")[0]
        assert address_key(address) == address.lower()


@settings(max_examples=1000)
@given(st.lists(st.emails() | ANYTHING))
@example(
    ["JOSE\u0301@example.com", " A@b.de ", "u@xn--bcher-kva.example", "u@XN--bcher-kva.example"]
)
def test_keys_of_many_are_the_keys_of_each(texts):
    keys = addresses.address_keys(pa.array(texts, pa.string()))
    assert keys.to_pylist() == list(map(address_key, texts))


def test_most_addresses_need_no_asking():
    usual = [
        "jane.doe@example.com",
        "Ann.O'Neil@EXAMPLE.NET",
        "J_D+tag@mail.shop.co",
        "007@x-y.org",
        "ann@corner.shop",
    ]
    assert addresses.are_plain(pa.array(usual)).to_pylist() == [True] * 5


TEXTS = (
    st.none() | st.text(max_size=12) | st.sampled_from(["a@b.de", "A@B.de", " a@b.de", "c@d.eu"])
)


@settings(max_examples=50)
@given(
    st.lists(
        st.builds(
            Candidate,
            st.integers(1, 9),
            TEXTS,
            TEXTS,
            TEXTS,
            TEXTS,
            st.none() | st.dates(),
            st.integers(0, 9),
            st.integers(0, 1),
        )
    ),
    st.sets(st.integers(1, 9), max_size=3),
    st.sets(st.sampled_from(["a@b.de", "x@y.zz"])),
)
def test_everybody_is_accounted_for_and_every_cell_is_safe(tmp_path_factory, rows, keys, addresses):
    rows = list({row.customer: row for row in rows}.values())
    suppressed = opt_outs(tuple(keys), tuple(addresses))
    chosen = choose(rows, suppressed)
    assert len(chosen.entries) + sum(chosen.excluded.values()) == len(rows)
    mailed = [address_key(entry["email"]) for entry in chosen.entries]
    assert len(set(mailed)) == len(mailed)
    assert not suppressed.addresses.intersection(mailed)
    assert not suppressed.customers.intersection(chosen.customers)

    out = tmp_path_factory.getbasetemp() / "property.csv"
    write_csv([chosen.list], out)
    _, *cells = csv.reader(io.StringIO(out.read_text("utf-8-sig"), newline=""))
    assert len(cells) == len(chosen.entries)
    assert not any(cell.startswith(tuple("=+-@\t\r")) for row in cells for cell in row)
