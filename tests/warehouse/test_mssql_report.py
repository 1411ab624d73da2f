"""docs/sql-server-tested.md names every test that needs a server, and no other."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.mssql_report import PAGE, SERVERS, as_tables, behaviour, read_days, read_page


def test_the_page_names_the_tests_that_there_are() -> None:
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "mssql"],
        check=True,
        capture_output=True,
        text=True,
        cwd=PAGE.parents[1],
        env={name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},
    ).stdout
    tests = {behaviour(line) for line in collected.splitlines() if "::" in line}
    assert {*read_page()} == tests, "make mssql-report writes it anew"


def test_what_was_seen_on_the_other_server_stays(tmp_path, monkeypatch) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr("tests.mssql_report.PAGE", page)
    assert (read_page(), read_days()) == ({}, {})
    test = behaviour("tests/a/test_b.py::test_it_waits[mssql-1]")
    assert test == ("tests/a/test_b.py", "it waits")
    seen = {test: {SERVERS[1]: "seen"}}
    page.write_text(as_tables(seen, {SERVERS[1]: "2026-01-15"}))
    assert read_page() == {test: {SERVERS[0]: "never", SERVERS[1]: "seen"}}
    assert read_days() == {SERVERS[1]: "2026-01-15"}
