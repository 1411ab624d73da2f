"""Text that goes into the header of a mail."""

from __future__ import annotations

import unicodedata


def header_text(text: str) -> str:
    """Give a text in one line, of which nothing is read as more than text.

    Blanks are one each, control characters and halves of characters go, and what looks like an encoded word
    (RFC 2047), which the library would decode, line ends included, is one no more.
    """
    line = " ".join(text.split())
    seen = "".join(one for one in line if unicodedata.category(one) not in {"Cc", "Cs"})
    return seen.replace("=?", "= ?")
