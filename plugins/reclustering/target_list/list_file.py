"""The CSV that marketing gets: written, and read again before it is mailed."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from reclustering.core.errors import BadInputError
from reclustering.target_list.addresses import FORMULA_STARTS, address_keys
from reclustering.target_list.opt_outs import OptOuts

COLUMNS = (
    "customer",
    "email",
    "salutation",
    "first_name",
    "last_name",
    "last_purchase",
    "orders",
    "since",
)
"""The columns of `target_list.csv`."""

CSV_HEADER = codecs.BOM_UTF8 + ",".join(COLUMNS).encode() + b"\r\n"
"""How every `target_list.csv` starts."""

PEOPLE = 5
"""So many of them say who is to be written to, and where."""

LONGEST_TEXT = 32_767
"""Characters that a spreadsheet's cell can hold; a longer name is cut."""

# Line ends and tabs are blanks; the last two are no characters at all.
_CONTROL_CHARACTERS = {code: " " if chr(code).isspace() else None for code in range(0x20)}
_CONTROL_CHARACTERS |= dict.fromkeys([*range(0x7F, 0xA0), 0xFFFE, 0xFFFF])


_SIMPLE_NAME = r"^\pL[\pL\pM\pN.'\x{2019}-]*(?: [\pL\pM\pN.'\x{2019}-]+)*$"
"""A name that is written as it is; most are such."""


class Identity(NamedTuple):
    """Hashes of a list, SHA-256 (hexadecimal): of the whole file, and of who is on it and where to write."""

    sha256: str
    people_sha256: str


def write_csv(parts: Iterable[pa.Table], out: Path) -> Identity:
    """Write `target_list.csv`: RFC 4180, UTF-8 with a byte order mark, safe in a spreadsheet.

    Parameters
    ----------
    parts : iterable of Table
        With the columns of `selection.LIST_SCHEMA`.
    out : Path
        Where to write.
    """
    whole, people = hashlib.sha256(CSV_HEADER), hashlib.sha256()
    with out.open("wb") as file:
        file.write(CSV_HEADER)
        for part in parts:
            cells = [_cells(part, name) for name in COLUMNS]
            people.update(_lines(cells[:PEOPLE]))
            lines = _lines(cells)
            whole.update(lines)
            file.write(lines)
    return Identity(whole.hexdigest(), people.hexdigest())


def require_none_opted_out(csv_file: Path, opt_outs: OptOuts) -> None:
    """Refuse a list with somebody who has opted out.

    Raises
    ------
    BadInputError
        Says how many there are.
    """
    convert = csv.ConvertOptions(
        include_columns=["customer", "email"],
        column_types={"customer": pa.int64(), "email": pa.string()},
    )
    with csv.open_csv(csv_file, convert_options=convert) as batches:
        late = sum(
            opt_outs.cover_each(batch["customer"], address_keys(batch["email"])).true_count
            for batch in batches
        )
    if late:
        raise BadInputError(
            f"{late:,} customers on the list have opted out since it was built, so it is not mailed. Clear "
            "build_target_list, and this task after it; where the list was held, look at the new one."
        )


def clean(text: str | None) -> str:
    """Give a name in one line: SQL Server pads char(n) with blanks, and a NUL is no part of a name."""
    return " ".join((text or "").translate(_CONTROL_CHARACTERS).split())[:LONGEST_TEXT]


def _cells(part: pa.Table, name: str) -> pa.StringArray:
    column = part[name].combine_chunks()
    if name in {"salutation", "first_name", "last_name"}:
        # Of names there are few, many times over.
        known = pc.fill_null(column, "").dictionary_encode()
        return _names(known.dictionary).take(known.indices)
    text = pc.fill_null(column.cast(pa.string()), "")
    if name != "email":
        return text
    return _written_if(pc.or_(pc.match_substring(text, '"'), pc.match_substring(text, ",")), text)


def _names(names: pa.StringArray) -> pa.StringArray:
    trimmed = pc.utf8_trim(names, " ")
    simple = pc.and_(
        pc.match_substring_regex(trimmed, _SIMPLE_NAME),
        pc.less_equal(pc.binary_length(trimmed), LONGEST_TEXT),
    )
    return _written_if(pc.invert(simple), trimmed, _cell)


def _written_if(
    rest: pa.BooleanArray, cells: pa.StringArray, write: Callable[[str], str] = str
) -> pa.StringArray:
    """Give the cells, those of the rest written and in quotation marks where it takes them."""
    written = [_quoted(write(one)) for one in cells.filter(rest).to_pylist()]
    return pc.replace_with_mask(cells, rest, pa.array(written, pa.string()))


def _quoted(cell: str) -> str:
    return f'"{cell.replace(chr(34), chr(34) * 2)}"' if '"' in cell or "," in cell else cell


def _lines(cells: list[pa.StringArray]) -> bytes:
    rows = pc.binary_join_element_wise(*cells, ",")
    text = pc.binary_join(pa.ListArray.from_arrays([0, len(rows)], rows), "\r\n")[0].as_py()
    return f"{text}\r\n".encode() if len(rows) else b""


def _cell(name: str) -> str:
    # Where a semicolon separates cells, what comes after it would be one.
    text = re.sub(rf';(?=[\s"]*[{re.escape("".join(FORMULA_STARTS))}])', ",", clean(name))
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
