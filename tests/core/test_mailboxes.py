"""Addresses as people write them, inside a company and outside."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import formataddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclustering.core.errors import TerminalError
from reclustering.core.mailboxes import Mailbox, read_mailbox, read_mailboxes


def read(text: str) -> list[str]:
    return read_mailboxes(text, setting="The setting")


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("marketing@example.com", "", "marketing@example.com"),
        ("  Marketing@Example.COM ", "", "marketing@example.com"),
        ("marketing@corp.local", "", "marketing@corp.local"),
        ("x@mail.test", "", "x@mail.test"),
        ("x@exchange", "", "x@exchange"),
        ("root@localhost", "", "root@localhost"),
        ("a@intranet.invalid", "", "a@intranet.invalid"),
        ("x@[10.0.0.5]", "", "x@[10.0.0.5]"),
        ("x@[IPv6:::1]", "", "x@[ipv6:::1]"),
        ("Marketing <x@example.com>", "Marketing", "x@example.com"),
        ("Zoë's Büro < x@example.com >", "Zoë's Büro", "x@example.com"),
        ("=?utf-8?q?a=0D=0ABcc:_e@e.com?= <m@e.com>", None, "m@e.com"),
        ("a\x00b <m@e.com>", "ab", "m@e.com"),
        ("Marketing <x@[10.0.0.5]>", "Marketing", "x@[10.0.0.5]"),
        ('"Lee, Ann; Sales" <ann@corp>', "Lee, Ann; Sales", "ann@corp"),
        ("a@b\u00fccher.example", "", "a@xn--bcher-kva.example"),
        ("Store <store@m\u00fcller.de>", "Store", "store@xn--mller-kva.de"),
    ],
)
def test_an_address_is_read_with_the_name_before_it(text, name, address):
    found = read_mailbox(text, setting="The setting")
    assert found == Mailbox(found.name if name is None else name, address)
    mail = EmailMessage()
    mail["From"] = formataddr(found)
    assert [one.addr_spec for one in mail["From"].addresses] == [address]


@pytest.mark.parametrize(
    "text",
    [
        "a@example.com; b@example.com",
        "a@example.com, b@example.com",
        "a@example.com;b@example.com;",
        "A@example.com\nb@example.com\r\n",
        " , ;a@example.com,;, B@Example.com, a@EXAMPLE.com",
        'Ann <a@example.com>; "Bob, Lee" <b@example.com>',
    ],
)
def test_commas_semicolons_and_line_ends_stand_between_addresses(text):
    assert read(text) == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize("text", ["", " ", ",;\n"])
def test_nobody_is_nobody(text):
    assert read(text) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "marketing",
        "@example.com",
        "a@",
        "a@@example.com",
        "a@b@c.de",
        "a b@c.de",
        "a@b c.de",
        "jo\u00e9@example.com",
        "a@exa mple",
        "a@-corp",
        "a@corp.",
        "a@.corp",
        "a@[10.0.0]",
        "x" * 65 + "@b.c",
        "<a@example.com",
        "a@example.com>",
        '"a@example.com',
        "Ann a@example.com",
        "mailto:a@example.com x",
        "a@example.com b@example.com",
    ],
)
def test_what_is_no_address_is_named(wrong):
    with pytest.raises(TerminalError, match=r"The setting has '.*', which is no e-mail address: ."):
        read(f"fine@example.com; {wrong}")


@given(st.text(max_size=20))
def test_whatever_people_write_gives_ascii_addresses_or_the_one_error(text):
    try:
        found = read(text)
    except TerminalError:
        return
    assert all(one.isascii() and one.count("@") == 1 and one == one.lower() for one in found)
