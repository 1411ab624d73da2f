"""The statements under `include/sql`, as they are written: T-SQL, one per file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

SQL_FOLDER = Path(__file__).parents[2] / "include" / "sql"


@cache
def read_statement(name: str) -> str:
    """Give the text of a statement, by its path under `include/sql` without the ending."""
    return (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
