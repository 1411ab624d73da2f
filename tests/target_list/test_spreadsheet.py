"""The list as people open it: every value is what it was."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import openpyxl
import pytest

from reclustering.target_list.list_file import COLUMNS
from reclustering.target_list.spreadsheet import write_spreadsheet
from tests.target_list.choosing import Candidate, on_list

DAY = date(2024, 1, 1)


def written(tmp_path, *entries):
    out = tmp_path / "list.xlsx"
    write_spreadsheet(on_list(*entries), out, as_of=DAY, new=False)
    return openpyxl.load_workbook(out).active


def test_keys_and_names_are_text_days_are_days_and_orders_numbers(tmp_path):
    entry = Candidate(2**53 + 1, "a@example.com", "Ms.", "007", "1E5", DAY, 3)
    sheet = written(tmp_path, entry)
    header, row = sheet.iter_rows()
    assert [cell.value for cell in header] == list(COLUMNS)
    assert [cell.value for cell in row] == [
        "9007199254740993",
        "a@example.com",
        "Ms.",
        "007",
        "1E5",
        datetime.combine(DAY, time()),
        3,
        datetime.combine(DAY, time()),
    ]
    assert [cell.data_type for cell in row] == [*"sssss", "d", "n", "d"]
    assert row[5].number_format == "yyyy-mm-dd"


def test_the_header_stays_in_sight_and_can_be_filtered_by(tmp_path):
    sheet = written(tmp_path, *(Candidate(i, f"p{i}@example.com") for i in range(1, 4)))
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:H4"
    assert sheet["A1"].font.bold


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("-1", "-1"),
        ("a;=1", "a;=1"),
        ("http://example.com", "http://example.com"),
        ("true", "true"),
        ("2024-01-01", "2024-01-01"),
        ("_x0041_", "_x0041_"),
        ("<b>&", "<b>&"),
        ("Zoë 小林 🎉", "Zoë 小林 🎉"),
        (" Ann\r\n\x00Lee ", "Ann Lee"),
        (None, None),
        ("x" * 40_000, "x" * 32_767),
    ],
)
def test_a_name_is_text_whatever_it_looks_like(tmp_path, name, cell):
    sheet = written(tmp_path, Candidate(1, "a@example.com", last_name=name))
    assert (sheet["E2"].value or None) == cell
    assert cell is None or sheet["E2"].data_type == "s"
    assert sheet["E2"].hyperlink is None


@pytest.mark.parametrize(
    ("day", "cell"), [(None, None), (date(1, 1, 1), "0001-01-01"), (date(9999, 12, 31), None)]
)
def test_a_day_that_excel_does_not_have_is_text(tmp_path, day, cell):
    value = written(tmp_path, Candidate(1, "a@example.com", last_purchase=day))["F2"].value
    assert value == (cell or (day and datetime.combine(day, time())))


def test_the_same_list_gives_the_same_bytes(tmp_path):
    out = [tmp_path / name for name in ("a.xlsx", "b.xlsx")]
    for one in out:
        write_spreadsheet(on_list(Candidate(1, "a@example.com")), one, as_of=DAY, new=True)
    assert out[0].read_bytes() == out[1].read_bytes()


def test_a_list_of_nobody_has_its_header(tmp_path):
    assert written(tmp_path).max_row == 1


def test_who_is_new_is_on_a_sheet_of_their_own_as_well(tmp_path):
    out = tmp_path / "list.xlsx"
    before = on_list(Candidate(1, "a@example.com"), since=DAY - timedelta(days=3))
    write_spreadsheet([*before, *on_list(Candidate(2, "b@example.com"))], out, as_of=DAY, new=True)
    sheets = openpyxl.load_workbook(out)
    found = {name: [row[0].value for row in sheets[name].iter_rows()] for name in sheets.sheetnames}
    assert found == {"Target list": ["customer", "1", "2"], "New": ["customer", "2"]}
