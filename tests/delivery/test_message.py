"""What marketing gets to see."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from dataclasses import replace

import openpyxl
import pytest

from reclustering.core.errors import BadInputError
from reclustering.delivery.settings import valid_store
from reclustering.mail import SmtpMailer
from tests.world import MARKETING, NEXT, NOW, URL, Person, people, read_json


@pytest.fixture
def mailed(world, script):
    """Publish, build, mail; give the mail."""

    def mail(everybody, run=None, *, label=0, approve=False, **changes):
        run = world.publish(everybody, run)
        world.build(run, label=label)
        if approve:
            world.decide(run)
        world.email(run, SmtpMailer(), label=label, **changes)
        return script.inbox(MARKETING)[-1]

    return mail


def html_of(mail) -> str:
    return mail.get_body(("html",)).get_content()


def text_of(mail) -> str:
    return mail.get_body(("plain",)).get_content()


def test_the_structure_of_the_mail(mailed):
    mail = mailed(people(3))
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ]
    assert mail["From"] == "store@example.com"
    assert mail["To"] == MARKETING
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"


def test_the_mail_needs_no_image_and_asks_nobody_for_anything(mailed):
    html = html_of(mailed(people(3)))
    assert re.findall(r"<img|src=|url\(|<script|<link", html) == []
    assert set(re.findall(r'href="([^"]+)"', html)) == {URL, "mailto:store@example.com"}


@pytest.mark.parametrize(("kind", "sha256"), [("csv", "sha256"), ("xlsx", "spreadsheet_sha256")])
def test_the_attachment_is_the_list_byte_by_byte(world, mailed, kind, sha256):
    mail = mailed(people(3), attachment=kind)
    (attachment,) = mail.iter_attachments()
    assert attachment.get_filename() == f"target_list_2024-01-01.{kind}"
    content = attachment.get_payload(decode=True)
    assert content == world.run().path(f"target_list.{kind}").read_bytes()
    assert hashlib.sha256(content).hexdigest() == read_json(world.run(), "target_list.json")[sha256]
    assert "so it comes as CSV" not in text_of(mail)


def test_the_mail_says_what_the_list_is_and_how_it_came_about(mailed):
    mail = mailed([*people(3), Person(9, None), Person(10, "x"), Person(11, "p1@example.com")])
    assert mail["Subject"] == "Corner Store: target list of 1 January 2024, 3 customers"
    for body in (html_of(mail), text_of(mail)):
        assert (
            "3 customers who bought in the store before 1 January 2024 and never returned" in body
        )
        assert "no e-mail address" in body.lower()
        assert "the e-mail address is not valid" in body.lower()
        assert "another customer with the same address comes first" in body.lower()
        assert "opted out" not in body.lower()
        assert "inactive" not in body.lower()
        assert "The curve" not in body
        assert URL in body
        assert "store@example.com" in body


def test_nothing_is_claimed_of_those_who_did_return_something(mailed):
    mail = mailed([*people(3), Person(9, "p9@example.com", frequency=1)])
    for body in (html_of(mail), text_of(mail)):
        assert "4 customers of the group that returns least. 1 of them returned" in body


def test_another_cluster_is_described_in_its_own_words(mailed):
    mail = mailed([*people(3), Person(9, "p9@example.com", label=1, frequency=4)], label=1)
    assert "1 customer of cluster 1 as of 1 January 2024: They return a lot." in text_of(mail)
    assert mail["Subject"].endswith("1 customer")


def test_the_change_since_the_last_list(world, mailed):
    first = mailed(people(100))
    second = mailed(people(100, start=11), world.run(NEXT, "scheduled__2"))
    assert "Since" not in text_of(first) + html_of(first)
    for body in (html_of(second), text_of(second)):
        words = " ".join(body.split())
        assert "since the list of 1 january 2024" in words.lower()
        assert words.index("90 known before") < words.index("10 new") < words.index("10 gone")
        assert "Its second sheet has the 10 customers who were not on it before." in words


def test_who_is_new_comes_in_a_file_of_their_own_with_a_csv(mailed, world, script):
    mailed(people(100), attachment="csv")
    run = world.run(NEXT, "scheduled__2")
    mail = mailed(people(100, start=11), run, attachment="csv")
    whole, new = mail.iter_attachments()
    assert new.get_filename() == "target_list_2024-01-02_new.csv"
    rows = list(csv.DictReader(io.StringIO(new.get_payload(decode=True).decode("utf-8-sig"))))
    assert [row["customer"] for row in rows] == [str(i) for i in range(101, 111)]
    assert "The file target_list_2024-01-02_new.csv has the 10 customers who" in text_of(mail)
    to, size = "b@example.com", len(whole.get_payload(decode=True)) - 1
    world.email(run, SmtpMailer(), recipients=to, attachment="csv", max_attachment=size)
    (zipped,) = script.inbox(to)[0].iter_attachments()
    with zipfile.ZipFile(io.BytesIO(zipped.get_content())) as archive:
        assert archive.read("target_list_2024-01-02_new.csv") == new.get_payload(decode=True)
        assert archive.read("target_list_2024-01-02.csv") == whole.get_payload(decode=True)


def test_a_correction_and_an_overridden_guard_are_said_up_front(mailed, world):
    mailed(people(3))
    mail = mailed(people(8), world.run(run_id="manual__2"), approve=True)
    assert "corrected" in mail["Subject"]
    (attached,) = mail.iter_attachments()
    assert openpyxl.load_workbook(io.BytesIO(attached.get_content())).sheetnames == ["Target list"]
    assert "since the list of" not in html_of(mail).lower()
    for body in (html_of(mail), text_of(mail)):
        words = " ".join(body.split()).lower()
        assert (
            "replaces the one for 1 january 2024 that you got before. use only this one." in words
        )
        assert "a check had stopped this list, and a person let it pass" in words
        assert "the list has changed by 166.7% since 2024-01-01" in words
        assert "expected at most 25%. approved by anna, 1 january 2024, 09:12 utc." in words


def test_a_preview_says_so_first_and_corrects_nothing(mailed, world):
    mailed(people(3))
    run = world.publish(people(4), replace(world.run(run_id="manual__2"), preview=True))
    world.build(run)
    world.email(run, SmtpMailer(), held="the run is a preview")
    words = " ".join(run.path("mail.html").read_text().split())
    assert words.index("Nothing was published, and nobody was mailed.") < words.index(
        "4 customers who"
    )
    assert "replaces the one" not in words


def test_a_list_of_another_day_says_so_before_anything_else(mailed, world):
    mail = mailed(people(3), today=NEXT)
    for body in (html_of(mail), text_of(mail)):
        words = " ".join(body.split())
        said = "describes the store as of 1 January 2024. It was made on 2 January 2024."
        assert words.index(said) < words.index("3 customers who")


def test_questions_go_to_the_contact(mailed):
    mail = mailed(people(3), contact="data@example.com")
    assert mail["Reply-To"] == "data@example.com"
    assert "mailto:data@example.com" in html_of(mail)


def test_a_large_list_is_zipped_and_a_very_large_one_stays_where_it_is(world, script):
    run = world.publish(people(200))
    world.build(run)
    whole = run.path("target_list.csv").read_bytes()

    def email(recipient, size):
        world.email(run, SmtpMailer(), recipients=recipient, attachment="csv", max_attachment=size)

    email("a@example.com", len(whole))
    email("b@example.com", len(whole) - 1)
    email("c@example.com", 100)

    (plain,) = script.inbox("a@example.com")[0].iter_attachments()
    assert plain.get_content_type() == "text/csv"
    (zipped,) = script.inbox("b@example.com")[0].iter_attachments()
    assert zipped.get_filename() == "target_list_2024-01-01.csv.zip"
    with zipfile.ZipFile(io.BytesIO(zipped.get_content())) as archive:
        assert archive.read("target_list_2024-01-01.csv") == whole
        (entry,) = archive.infolist()
    assert (entry.date_time, entry.external_attr >> 16) == ((2024, 1, 1, 0, 0, 0), 0o600)
    size = len(zipped.get_content())
    email("d@example.com", size)
    email("e@example.com", size - 1)
    assert len(list(script.inbox("d@example.com")[0].iter_attachments())) == 1
    assert list(script.inbox("e@example.com")[0].iter_attachments()) == []
    left_out = script.inbox("c@example.com")[0]
    assert list(left_out.iter_attachments()) == []
    for body in (html_of(left_out), text_of(left_out)):
        assert str(run.path("target_list.csv")) in body


@pytest.mark.parametrize(
    "name", ["=?utf-8?q?a=0D=0AX-Evil:_1?=", "a\x00b\x7f", "a\r\nX-Evil: 1", "=?utf-8?b?Cg==?="]
)
def test_a_stores_name_adds_no_header(mailed, name):
    mail = mailed(people(3), store=valid_store(name))
    assert "X-Evil" not in mail
    assert [mail[header] for header in ("From", "To")] == ["store@example.com", MARKETING]
    assert not {"\x00", "\x7f"} & set(mail["Subject"])
    assert mail["Subject"].endswith(": target list of 1 January 2024, 3 customers")


def test_a_spreadsheet_that_is_too_large_is_replaced_by_the_csv_and_the_mail_says_so(
    world, script, monkeypatch
):
    run = world.publish(people(200))
    built = world.build(run)
    spreadsheet = run.path("target_list.xlsx").stat().st_size
    assert run.path("target_list.csv").stat().st_size < spreadsheet, "else this test says nothing"
    world.email(run, SmtpMailer(), recipients="a@example.com", max_attachment=spreadsheet)
    world.email(run, SmtpMailer(), recipients="b@example.com", max_attachment=spreadsheet - 1)
    monkeypatch.setattr("reclustering.delivery.attachment.SPREADSHEET_ROWS", 199)
    monkeypatch.setattr("reclustering.steps.SPREADSHEET_ROWS", 199)
    assert world.build(run)["spreadsheet_sha256"] is None
    assert read_json(run, "target_list.json")["sha256"] == built["sha256"]
    world.email(run, SmtpMailer(), recipients="c@example.com")
    said = {
        "a": None,
        "b": "As a spreadsheet it is too large for a mail, so it comes as CSV.",
        "c": "It has more rows than a spreadsheet can hold, so it comes as CSV.",
    }
    for name, remark in said.items():
        (mail,) = script.inbox(f"{name}@example.com")
        (attached,) = mail.iter_attachments()
        assert attached.get_filename() == f"target_list_2024-01-01.{'csv' if remark else 'xlsx'}"
        for body in (html_of(mail), text_of(mail)):
            assert (remark or "so it comes as CSV") in body or not remark
            assert ("so it comes as CSV" in body) is bool(remark)


def test_a_spreadsheet_that_could_not_be_mailed_is_not_made(world, monkeypatch):
    run = world.publish(people(200))
    world.build(run)
    monkeypatch.setattr("reclustering.steps.LARGEST_SPREADSHEET", 0)
    assert world.build(run)["spreadsheet_sha256"] is None


def test_a_spreadsheet_of_another_list_is_not_mailed(world, script):
    run = world.publish(people(3))
    world.build(run)
    run.path("target_list.xlsx").write_bytes(b"PK other")
    with pytest.raises(BadInputError, match=r"target_list\.xlsx has the SHA-256 .*; expected"):
        world.email(run, SmtpMailer())
    assert world.ledger() == [(MARKETING, "pending", 0)]


def test_what_people_wrote_cannot_break_the_mail(world, script):
    run = world.publish(people(2))
    clusters = read_json(run, "clusters.json")
    clusters["clusters"][0]["description"] = '"><script>'
    world.build(run)
    run.path("clusters.json").write_text(json.dumps(clusters))
    store = valid_store("A & B <b>\r\nBcc: x@example.com")
    world.email(run, SmtpMailer(), store=store, held="delivery is hold")
    preview = run.path("mail.html").read_text()
    assert "<script>" not in preview
    assert "A &amp; B &lt;b&gt; Bcc: x@example.com" in preview
