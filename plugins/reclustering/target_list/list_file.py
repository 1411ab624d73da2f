"""The files of the list: the CSV that marketing gets, and the keys that stay."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reclustering.core.artifacts import file_sha256
from reclustering.core.errors import BadInputError
from reclustering.target_list.addresses import FORMULA_STARTS
from reclustering.target_list.candidates import Candidate
from reclustering.target_list.opt_outs import OptOuts

COLUMNS = (
    "customer",
    "email",
    "salutation",
    "first_name",
    "last_name",
    "last_purchase",
    "orders",
)
"""The columns of `target_list.csv`."""

CSV_HEADER = codecs.BOM_UTF8 + ",".join(COLUMNS).encode() + b"\r\n"
"""How every `target_list.csv` starts."""

KEYS_SCHEMA = pa.schema([pa.field("customer", pa.int64(), nullable=False)])
"""Schema of `target_list.parquet`: who is on the list, and nothing about them."""

LONGEST_TEXT = 32_767
"""Characters that a spreadsheet's cell can hold; a longer name is cut."""

# Line ends and tabs are blanks; the last two are no characters at all.
_CONTROL_CHARACTERS = {code: " " if chr(code).isspace() else None for code in range(0x20)}
_CONTROL_CHARACTERS |= dict.fromkeys([*range(0x7F, 0xA0), 0xFFFE, 0xFFFF])


def write_csv(entries: Iterable[Candidate], out: Path) -> str:
    """Write `target_list.csv`: RFC 4180, UTF-8 with a byte order mark, safe in a spreadsheet.

    Returns
    -------
    str
        SHA-256 (hexadecimal) of the file: the identity of the list.
    """
    with out.open("wb") as file:
        file.write(CSV_HEADER)
    with out.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(_row(entry) for entry in entries)
    return file_sha256(out)


def require_none_opted_out(csv_file: Path, opt_outs: OptOuts) -> None:
    """Refuse a list with somebody who has opted out.

    Raises
    ------
    BadInputError
        Says how many there are.
    """
    with csv_file.open(encoding="utf-8-sig", newline="") as file:
        late = sum(
            opt_outs.cover(int(row["customer"]), row["email"]) for row in csv.DictReader(file)
        )
    if late:
        raise BadInputError(
            f"{late:,} customers on the list have opted out since it was built, so it is not mailed. Clear "
            "build_target_list, and this task after it; where the list was held, look at the new one."
        )


def write_keys(entries: Iterable[Candidate], out: Path) -> None:
    """Write `target_list.parquet`, which outlives the addresses for the next run to compare with."""
    table = pa.table(
        [pa.array([entry.customer for entry in entries], pa.int64())], schema=KEYS_SCHEMA
    )
    pq.write_table(table, out, compression="zstd")


def clean(text: str | None) -> str:
    """Give a name in one line: SQL Server pads char(n) with blanks, and a NUL is no part of a name."""
    return " ".join((text or "").translate(_CONTROL_CHARACTERS).split())[:LONGEST_TEXT]


def _row(entry: Candidate) -> tuple[object, ...]:
    return (
        entry.customer,
        entry.email,
        _cell(entry.salutation),
        _cell(entry.first_name),
        _cell(entry.last_name),
        entry.last_purchase.isoformat() if entry.last_purchase else "",
        entry.orders,
    )


def _cell(name: str | None) -> str:
    # Where a semicolon separates cells, what comes after it would be one.
    text = re.sub(rf';(?=[\s"]*[{re.escape("".join(FORMULA_STARTS))}])', ",", clean(name))
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
