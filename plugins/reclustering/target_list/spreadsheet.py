"""The list for people: an .xlsx in which every value stays what it is.

A CSV becomes one column in half of Europe, a key beyond 2**53 is rounded, a name such as 007 turns into 7.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import xlsxwriter

from reclustering.target_list.list_file import COLUMNS, clean

FIRST_YEAR = 1900
"""Before it, Excel has no days."""

_NAMES = ("salutation", "first_name", "last_name")

_WIDTHS = (14, 36, 11, 18, 18, 14, 8, 12)


def write_spreadsheet(parts: Iterable[pa.Table], out: Path, *, as_of: date, new: bool) -> None:
    """Write `target_list.xlsx`: keys, names and addresses as text, days as dates, the header frozen.

    The same list gives the same bytes. It is built in memory, about 2 kB for a row: the library's way
    around that leaves addresses in a temporary folder if the process is killed.

    Parameters
    ----------
    parts : iterable of Table
        With the columns of `selection.LIST_SCHEMA`.
    out : Path
        Where to write.
    as_of : date
        The day of the list.
    new : bool
        Whether a second sheet has those who were not on the list before this day.
    """
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        created = datetime.combine(as_of, time())
        book.set_properties({"title": f"Target list {as_of}", "created": created})
        sheets = [_Sheet(book, "Target list")]
        if new:
            sheets.append(_Sheet(book, "New"))
        for part in parts:
            for row in part.to_pylist():
                for sheet in sheets[: 1 + (row["since"] == as_of)]:
                    sheet.add(row)
        for sheet in sheets:
            sheet.finish()


class _Sheet:
    """A sheet of customers."""

    def __init__(self, book: xlsxwriter.Workbook, name: str) -> None:
        self._sheet = book.add_worksheet(name)
        self._day = book.add_format({"num_format": "yyyy-mm-dd"})
        self._last = 0
        self._sheet.write_row(0, 0, COLUMNS, book.add_format({"bold": True, "bottom": 1}))

    def add(self, row: dict[str, Any]) -> None:
        """Write a customer into the next row."""
        self._last += 1
        texts = (str(row["customer"]), row["email"], *(clean(row[name]) for name in _NAMES))
        for column, text in enumerate(texts):
            self._sheet.write_string(self._last, column, text)
        self._write_day(len(texts), row["last_purchase"])
        if row["orders"] is not None:
            self._sheet.write_number(self._last, len(texts) + 1, row["orders"])
        self._write_day(len(texts) + 2, row["since"])

    def _write_day(self, column: int, day: date | None) -> None:
        if day and day.year < FIRST_YEAR:
            self._sheet.write_string(self._last, column, day.isoformat())
        elif day:
            self._sheet.write_datetime(self._last, column, day, self._day)

    def finish(self) -> None:
        """Make it good to look at."""
        for column, width in enumerate(_WIDTHS):
            self._sheet.set_column(column, column, width)
        self._sheet.freeze_panes(1, 0)
        self._sheet.autofilter(0, 0, self._last, len(COLUMNS) - 1)
        self._sheet.ignore_errors({"number_stored_as_text": f"A1:E{self._last + 1}"})
