"""Statements on their way to a driver: translated for DuckDB, numbered for SQL Server."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from reclustering.core.errors import TerminalError
from reclustering.core.statements import SQL_FOLDER, for_duckdb, read_statement
from reclustering.warehouse.mssql import bind

# The scripts for the administrator of a SQL Server never go to DuckDB.
NAMES = sorted(
    str(path.relative_to(SQL_FOLDER).with_suffix(""))
    for path in SQL_FOLDER.rglob("*.sql")
    if "admin" not in path.parts
)


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> object:
    monkeypatch.setattr("reclustering.core.statements.SQL_FOLDER", tmp_path)

    def make(sql: str) -> str:
        name = re.sub(r"\W", "_", request.node.name)
        (tmp_path / f"{name}.sql").write_text(sql, encoding="utf-8")
        return name

    return make


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_has_a_header(name: str) -> None:
    assert re.match(r"/\*\nPurpose     \S", read_statement(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_is_one_for_duckdb(name: str) -> None:
    assert len(duckdb.extract_statements(for_duckdb(name))) == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_value_is_in_the_header_and_bound(name: str) -> None:
    header, body = read_statement(name).split("*/", 1)
    values = frozenset(re.findall(r"@(\w+)", body))
    sql, names = bind(name, values)
    assert set(names) == values
    assert sql.split("*/", 1)[1].count("?") == len(names)
    if "One per column" not in header:
        assert values <= set(re.findall(r"@(\w+)", header))


@pytest.mark.parametrize(
    ("sql", "values", "expected", "names"),
    [
        ("SELECT @a", {"a"}, "SELECT ?", ("a",)),
        ("SELECT @b, @a, @b", {"a", "b"}, "SELECT ?, ?, ?", ("b", "a", "b")),
        ("SELECT @ab, @a", {"a", "ab"}, "SELECT ?, ?", ("ab", "a")),
        ("SELECT @a -- @a\n", {"a"}, "SELECT ? -- @a\n", ("a",)),
        ("/* @a */ SELECT @a /* ' @a */", {"a"}, "/* @a */ SELECT ? /* ' @a */", ("a",)),
        ("SELECT '@a', N'it''s @a', @a", {"a"}, "SELECT '@a', N'it''s @a', ?", ("a",)),
        ('SELECT [@a], "@a", @a', {"a"}, 'SELECT [@a], "@a", ?', ("a",)),
        ("DECLARE @x int = @a; SELECT @x", {"a"}, "DECLARE @x int = ?; SELECT @x", ("a",)),
        ("SELECT @date, @key", {"date", "key"}, "SELECT ?, ?", ("date", "key")),
        ("SELECT 1", set(), "SELECT 1", ()),
    ],
)
def test_values_become_question_marks(
    text: object, sql: str, values: set[str], expected: str, names: tuple[str, ...]
) -> None:
    bind.cache_clear()
    read_statement.cache_clear()
    assert bind(text(sql), frozenset(values)) == (expected, names)


def test_a_value_without_a_place_is_refused(text: object) -> None:
    with pytest.raises(TerminalError, match=r"has no \['b'\]"):
        bind(text("SELECT @a -- @b"), frozenset({"a", "b"}))


def test_types_keep_their_width_on_duckdb() -> None:
    sql = for_duckdb("schema/0001_customer_clusters")
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA dbo")
        connection.execute(sql)
        columns = connection.execute("DESCRIBE dbo.customer_clusters").fetchall()
    assert {column[0]: column[1] for column in columns} == {
        "as_of": "DATE",
        "customer": "BIGINT",
        "orderRatio": "DOUBLE",
        "itemsRatio": "DOUBLE",
        "monetaryRatio": "DOUBLE",
        "frequency": "INTEGER",
        "cluster": "UTINYINT",
    }
