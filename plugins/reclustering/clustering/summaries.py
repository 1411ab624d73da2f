"""From features.parquet to weighted cells, in DuckDB.

It adds customers up as whole numbers, which is exact in any order, so every figure downstream is the
same to the last bit whatever the row order or the number of threads. Few distinct rows are kept as they
are, one to a cell. More are merged on a regular grid, as fine as a budget of cells allows; the farthest
keep cells of their own, for one wild row would make the grid too coarse for all others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np

from reclustering.clustering.cells import LADDER, Cells, ordered, power_of_two_above
from reclustering.clustering.feature_scan import COLUMNS, count, query, scan
from reclustering.core.contracts import FEATURES, LARGEST_FEATURE
from reclustering.core.errors import BadInputError

BUDGETS = (2**16, 2**20, math.inf)
"""Cells to make do with, the next only if those before hide too much; 150 bytes each."""

APART = 1_000
"""The most rows that lie beyond the grid."""

NONZERO = "(" + " OR ".join(f"{column} <> 0" for column in COLUMNS) + ")"
"""Customers at the origin, most of all, share a cell at every width: they need no grouping."""


def summaries(features: Path, scale: np.ndarray) -> Iterator[Cells]:
    """Summarise the customers ever more finely; the last summary is exact.

    Parameters
    ----------
    features : Path
        A validated features.parquet.
    scale : ndarray of shape (4,), float64
        Unit of each feature.

    Yields
    ------
    Cells
        About as many as the next of `BUDGETS`, or the distinct customers if they are fewer.

    Raises
    ------
    BadInputError
        If the file is unreadable, is no feature table, or is empty.
    """
    for budget in BUDGETS:
        cells = _read(features, scale, budget)
        yield cells
        if not cells.width:
            return


def read_members(features: Path, cells: Cells) -> Cells:
    """Read the distinct customers inside some cells of a summary."""
    edge = cells.width * cells.scale
    index = np.floor(cells.lo / edge)
    inside = " AND ".join(f"{_index(j, edge)} = i{j}" for j in range(4))
    with scan(features) as con:
        con.register("wanted", {f"i{j}": index[:, j].copy() for j in range(4)})
        return _distinct(con, cells.scale, f"SEMI JOIN wanted ON {inside} WHERE {NONZERO}")


def _read(features: Path, scale: np.ndarray, budget: float) -> Cells:
    with scan(features) as con:
        rows = count(con)
        if rows <= budget:
            return _in_range(_distinct(con, scale))
        size = f"greatest({', '.join(_in_units(j, scale) for j in range(4))})"
        span = _span(con, size)
        near, far = f"{NONZERO} AND {size} < {span!r}", f"{size} >= {span!r}"
        width = _finest_width(con, scale, span, near, budget)
        if not width:
            return _in_range(_distinct(con, scale))
        cells = _grid(con, scale, width, near).join(_distinct(con, scale, f"WHERE {far}"))
        at_origin = rows - cells.rows
        return _in_range(cells.join(_origin(cells, at_origin)) if at_origin else cells)


def _distinct(con: duckdb.DuckDBPyConnection, scale: np.ndarray, where: str = "") -> Cells:
    columns = ", ".join(COLUMNS)
    table = query(con, f"SELECT {columns}, count(*) AS n FROM features {where} GROUP BY ALL")  # noqa: S608
    X, n = _matrix(table, FEATURES), table["n"]
    return ordered(Cells(X, n, X, X, np.zeros(len(n)), scale, width=0.0))


def _grid(con: duckdb.DuckDBPyConnection, scale: np.ndarray, width: float, near: str) -> Cells:
    edge = width * scale
    keys = [_index(j, edge) for j in range(4)]
    offsets = [f"({_in_units(j, edge)} - {keys[j]})" for j in range(4)]
    squared = " + ".join(f"{offset} * {offset}" for offset in offsets)
    selected = [
        *(f"{key} AS i{j}" for j, key in enumerate(keys)),
        *(f"min({column}) AS lo{j}, max({column}) AS hi{j}" for j, column in enumerate(COLUMNS)),
        *(f"{_exact_sum(offset, bits=50)} AS sum{j}" for j, offset in enumerate(offsets)),
        f"{_exact_sum(squared, bits=30)} AS squared",
        "count(*) AS n",
    ]
    table = query(
        con,
        f"SELECT {', '.join(selected)} FROM features WHERE {near} GROUP BY i0, i1, i2, i3",  # noqa: S608
    )
    n = table["n"]
    index, lo, hi, total = (_matrix(table, [f"{p}{j}" for j in range(4)]) for p in _GRID_COLUMNS)
    offset = total / n[:, None]
    spread = np.maximum(table["squared"] - n * (offset**2).sum(axis=1), 0.0) * width**2
    spread[(lo == hi).all(axis=1)] = 0.0
    # A value that all customers of a cell share is kept to the last bit.
    X = np.where(lo == hi, lo, (index + offset) * edge)
    return Cells(X, n, lo, hi, spread, scale, width)


_GRID_COLUMNS = ("i", "lo", "hi", "sum")


def _exact_sum(value: str, bits: int) -> str:
    """Return SQL for a sum, of values from 0 to 4, that does not depend on the order of rows."""
    return f"sum(CAST(({value}) * {2.0**bits!r} AS BIGINT))::DOUBLE * {2.0**-bits!r}"


def _origin(like: Cells, n: int) -> Cells:
    zero = np.zeros((1, 4))
    return Cells(zero, np.array([float(n)]), zero, zero, np.zeros(1), like.scale, like.width)


def _span(con: duckdb.DuckDBPyConnection, size: str) -> float:
    """Return how far the grid reaches: at most `APART` rows are as large or larger."""
    found = con.execute(f"SELECT max({size}, {APART + 1}) FROM features").fetchall()[0][0]  # noqa: S608
    return power_of_two_above(found[-1])


def _in_range(cells: Cells) -> Cells:
    if not cells.X.max() <= LARGEST_FEATURE:
        raise BadInputError(
            f"A feature is {cells.X.max()}; expected at most {LARGEST_FEATURE:,}. extract_features leaves "
            "such customers out: clear it, and the tasks after it."
        )
    return cells


def _finest_width(
    con: duckdb.DuckDBPyConnection, scale: np.ndarray, span: float, near: str, budget: float
) -> float:
    """Return the smallest width that gives about `budget` cells; 0 if distinct rows are as few."""
    widths = [0.0, *(span * 2.0**-i for i in reversed(LADDER))]
    keys = [COLUMNS, *([_index(j, width * scale) for j in range(4)] for width in widths[1:])]
    counts = _each("approx_count_distinct(hash({}))", [", ".join(key) for key in keys])
    found = query(con, f"SELECT {counts} FROM features WHERE {near}")  # noqa: S608
    fitting = (w for w, count in zip(widths, found.values(), strict=True) if count[0] <= budget)
    return next(fitting, widths[-1])


def _index(j: int, edge: np.ndarray) -> str:
    return f"floor({_in_units(j, edge)})"


def _in_units(j: int, units: np.ndarray) -> str:
    return f"{COLUMNS[j]} / {float(units[j])!r}"


def _each(template: str, parts: list[str]) -> str:
    return ", ".join(template.format(part) for part in parts)


def _matrix(table: dict[str, np.ndarray], names: tuple[str, ...] | list[str]) -> np.ndarray:
    # Adding zero turns -0.0 into 0.0.
    return np.column_stack([table[name] for name in names]) + 0.0
