"""Mailboxes of the company's own people: who gets the list, whom to ask, who sends, who is alerted.

Customers' addresses follow a stricter rule (`target_list.addresses`): inside a company a domain may have
no dot, be called `local` or `test`, or be a number.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from reclustering.core.errors import TerminalError
from reclustering.core.header_text import header_text

_ENTRY = re.compile(
    r"""
    (?: "(?:[^"\\]|\\.)*" | <[^>]*> | \[[^\]]*\]   # what holds a separator as a part of it
      | [^,;\r\n] )+
    """,
    re.VERBOSE,
)

_NAMED = re.compile(r"(?s)(?: ([^<>]*) < )? (.*?) (?(1) > )", re.VERBOSE)
"""An address, perhaps in angle brackets with a name before them."""

_PUBLIC = ".example.com"
"""The library refuses what exists inside a company only; with this behind it, it checks all the rest."""


class Mailbox(NamedTuple):
    """An address, in lower case and ASCII, and the name before it (may be empty)."""

    name: str
    address: str


def split_mailboxes(text: str) -> list[str]:
    """Take apart what people write: addresses with commas, semicolons or line ends between them."""
    return [entry.strip() for entry in _ENTRY.findall(text) if entry.strip()]


def read_mailbox(text: str, *, setting: str) -> Mailbox:
    """Read one address, such as `marketing@exchange` or `Marketing <marketing@example.com>`.

    Parameters
    ----------
    text : str
        The address, perhaps with a name.
    setting : str
        Where it was set, for the message.

    Raises
    ------
    TerminalError
        When it is none, or has letters before the @ that only an extension of SMTP knows (RFC 6531).
    """
    name, address = _NAMED.fullmatch(text.strip()).groups()  # type: ignore[union-attr]
    suffix = "" if address.strip().endswith("]") else _PUBLIC
    try:
        valid = validate_email(
            address.strip() + suffix,
            check_deliverability=False,
            allow_smtputf8=False,
            allow_domain_literal=True,
            strict=True,
        )
    except EmailNotValidError as error:
        raise TerminalError(
            f"{setting} has '{text}', which is no e-mail address: {error} Expected one such as "
            "marketing@example.com; more than one with commas or semicolons between them."
        ) from error
    return Mailbox(
        header_text((name or "").replace('"', " ")),
        str(valid.ascii_email).removesuffix(suffix).lower(),
    )


def read_mailboxes(text: str, *, setting: str) -> list[str]:
    """Read addresses, each once and in the given order.

    Raises
    ------
    TerminalError
        When an entry is none.
    """
    found = (read_mailbox(entry, setting=setting).address for entry in split_mailboxes(text))
    return list(dict.fromkeys(found))
