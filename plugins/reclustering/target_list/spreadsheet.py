"""The list for people: an .xlsx in which every value stays what it is.

A CSV becomes one column in half of Europe, a key beyond 2**53 is rounded, a name such as 007 turns into 7.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path

import xlsxwriter

from reclustering.target_list.candidates import Candidate
from reclustering.target_list.list_file import COLUMNS, clean

FIRST_YEAR = 1900
"""Before it, Excel has no days."""

_WIDTHS = (14, 36, 11, 18, 18, 14, 8)


def write_spreadsheet(entries: Iterable[Candidate], out: Path, *, as_of: date) -> None:
    """Write `target_list.xlsx`: keys, names and addresses as text, days as dates, the header frozen.

    The same list gives the same bytes. It is built in memory, about 1.7 kB for a row: the library's way
    around that leaves addresses in a temporary folder if the process is killed.
    """
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        created = datetime.combine(as_of, time())
        book.set_properties({"title": f"Target list {as_of}", "created": created})
        bold = book.add_format({"bold": True, "bottom": 1})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet("Target list")
        sheet.write_row(0, 0, COLUMNS, bold)
        last = 0
        for last, entry in enumerate(entries, start=1):
            texts = (
                str(entry.customer),
                entry.email or "",
                *map(clean, (entry.salutation, entry.first_name, entry.last_name)),
            )
            for column, text in enumerate(texts):
                sheet.write_string(last, column, text)
            if entry.last_purchase and entry.last_purchase.year < FIRST_YEAR:
                sheet.write_string(last, len(texts), entry.last_purchase.isoformat())
            elif entry.last_purchase:
                sheet.write_datetime(last, len(texts), entry.last_purchase, day)
            sheet.write_number(last, len(texts) + 1, entry.orders)
        for column, width in enumerate(_WIDTHS):
            sheet.set_column(column, column, width)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, last, len(COLUMNS) - 1)
        sheet.ignore_errors({"number_stored_as_text": f"A1:E{last + 1}"})
