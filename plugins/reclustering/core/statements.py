"""The statements under `include/sql`: T-SQL as they are written, and in DuckDB's dialect."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import sqlglot
from sqlglot import exp

SQL_FOLDER = Path(__file__).parents[3] / "include" / "sql"


@cache
def read_statement(name: str) -> str:
    """Give the text of a statement, by its path under `include/sql` without the ending."""
    return (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


@cache
def for_duckdb(name: str) -> str:
    """Give a statement in DuckDB's dialect; `@value` becomes `$value`."""
    tree = sqlglot.parse_one(read_statement(name), read="tsql")
    return tree.transform(_to_duckdb).sql(dialect="duckdb", comments=False)


@cache
def totals_query(name: str, relation: str) -> tuple[tuple[str, ...], str]:
    """Give a statement about some rows of one table as a query, in DuckDB's dialect, about all of a relation.

    Returns
    -------
    names : tuple of str
        The columns of its result.
    sql : str
        The query.
    """
    tree = sqlglot.parse_one(for_duckdb(name), read="duckdb", into=exp.Select)
    tree.set("where", None)
    for table in list(tree.find_all(exp.Table)):
        table.replace(exp.to_table(relation, alias=table.alias))
    return tuple(tree.named_selects), tree.sql(dialect="duckdb")


def _to_duckdb(node: exp.Expr) -> exp.Expr:
    # How SQL Server keeps a table; DuckDB has nothing to set.
    if isinstance(node, exp.Alter) and isinstance(node.args["actions"][0], exp.AlterSet):
        return exp.select("0")
    if isinstance(node, exp.DataType):
        # T-SQL's float has 53 bits; sqlglot reads it as the 24-bit type of other dialects.
        if node.this == exp.DataType.Type.FLOAT:
            return exp.DataType.build("double")
        # DuckDB ignores the length of a text, and does not know (MAX).
        if node.this in exp.DataType.TEXT_TYPES:
            return exp.DataType.build("text")
    # Names of tables and columns are the same to DuckDB in any case, and its own list of them is not.
    if isinstance(node, exp.EQ) and node.expression.name in {"TABLE_NAME", "COLUMN_NAME"}:
        node.set("this", exp.Collate(this=node.this, expression=exp.var("NOCASE")))
    # sqlglot gives a key's columns T-SQL's sort order of NULLs, which DuckDB rejects there.
    if isinstance(node, exp.PrimaryKey):
        columns = [
            column.this if isinstance(column, exp.Ordered) else column
            for column in node.expressions
        ]
        node.set("expressions", columns)
    return node
