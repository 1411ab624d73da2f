"""E-mail addresses: which are valid, which two are the same mailbox, and those in what people write."""

from __future__ import annotations

import html
import re
import unicodedata
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

_ADDRESS = re.compile(
    r"""
    (?P<local> "[^"@]+" | [^\s@<>()\[\]{},;:"|\\“”«»]+ )
    \s* @ \s*
    (?P<domain> [^\W_](?:[^\W_]|-)*(?<!-) (?: \.[^\W_](?:[^\W_]|-)*(?<!-) )+ )
    """,
    re.VERBOSE,
)
"""One address in a text. What may not be in it ends it: blanks, brackets, commas, colons, quotes."""

_AROUND = "'`‘’´/*=_."  # noqa: RUF001
"""What people and exports put before an address without a blank between."""

FORMULA_STARTS = (*"=+-@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the start of a formula in a CSV, the wide forms too."""

_UNSEEN = ("Cc", "Cf")
"""Unicode's categories of control and format characters: zero-width blanks, byte order marks."""


def address_key(address: str) -> str:
    """Give the form in which two spellings of one address are equal: no case, no blanks around it."""
    stripped = address.strip()
    # Validation changes nothing else about such an address, and it takes a hundred times as long.
    if stripped.isascii() and "xn--" not in stripped.lower():
        return stripped.lower()
    return unicodedata.normalize("NFC", (normalised(stripped) or stripped).lower())


_WORD, _LABEL = "[A-Za-z0-9_+'-]+", "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"

_PLAIN = rf"^{_WORD}(?:\.{_WORD})*@(?:{_LABEL}\.)+[A-Za-z]{{2,63}}$"
"""Together with `_NOT_PLAIN`: addresses that the library finds valid and leaves as they are, but for capitals
in the domain. Most are such, and to ask it takes 33 microseconds each. A pattern of RE2's."""

_NOT_PLAIN = (
    r"^[^@]{65}|@.{190}|[^.@]{64}|--"
    rf"|\.(?i:{'|'.join(name.replace('.', '[.]') for name in SPECIAL_USE_DOMAIN_NAMES)})$"
)
"""Too long in one part or another, perhaps encoded, or not for the public."""


def are_plain(addresses: pa.StringArray) -> pa.BooleanArray:
    """Tell which of these are valid addresses beyond doubt; of the others `is_valid` has to say."""
    return pc.and_not(
        pc.match_substring_regex(addresses, _PLAIN),
        pc.match_substring_regex(addresses, _NOT_PLAIN),
    )


def is_valid(address: str) -> bool:
    """Tell whether this is an address that can be written to from anywhere."""
    return normalised(address) is not None


def address_keys(addresses: pa.StringArray) -> pa.StringArray:
    """Give `address_key` of each."""
    simple = pc.and_not(
        pc.string_is_ascii(addresses), pc.match_substring(addresses, "xn--", ignore_case=True)
    )
    keys = pc.ascii_lower(pc.ascii_trim_whitespace(addresses))
    others = [address_key(one) for one in addresses.filter(pc.invert(simple)).to_pylist()]
    return pc.replace_with_mask(keys, pc.invert(simple), pa.array(others, pa.string()))


def normalised(address: str) -> str | None:
    """Give an address as `email-validator` writes it; None where it is not valid."""
    try:
        return validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def find_addresses(text: str) -> frozenset[str] | None:
    """Read the addresses out of what somebody wrote where addresses belong.

    A name before it, brackets, a `mailto:`, separators, quotes and invisible characters are no part of
    an address. What could belong to one is read both ways: it is better to write to one person too few.

    Parameters
    ----------
    text : str
        Such as `Ann Lee <ann@example.com>; mailto:bob@example.com`.

    Returns
    -------
    frozenset of str or None
        Keys (see `address_key`). None if something in the text is no address, though it should be one.
    """
    readings = [_plain(text)]
    if "&" in text:
        readings.append(_plain(html.unescape(text)))
    if "%" in text:
        readings.append(_plain(unquote(text)))
    found: set[str] = set()
    understood = False
    for reading in readings:
        rest = _ADDRESS.sub(" ", reading)
        understood |= "@" not in rest and rest != reading
        for match in _ADDRESS.finditer(reading):
            local, domain = match["local"], match["domain"]
            found |= {
                address_key(f"{one}@{domain}") for one in (local, local.lstrip(_AROUND)) if one
            }
    return frozenset(found) if understood else None


def _plain(text: str) -> str:
    """Leave out what nobody sees, and write wide forms like the ordinary ones."""
    if text.isascii() and text.isprintable():
        return text
    wide = unicodedata.normalize("NFKC", text)
    return "".join(one for one in wide if one.isspace() or unicodedata.category(one) not in _UNSEEN)
