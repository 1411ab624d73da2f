"""From features.parquet to weighted cells, in an engine.

It adds customers up as whole numbers, which is exact in any order, so every figure downstream is the
same to the last bit whatever the row order or the number of threads. Few distinct rows are kept as they
are, one to a cell. More are merged on a regular grid, as fine as a budget of cells allows; the farthest
keep cells of their own, for one wild row would make the grid too coarse for all others.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator

import numpy as np

from reclustering.clustering.cells import LADDER, Cells, ordered, power_of_two_above
from reclustering.clustering.queries import COLUMNS, NONZERO
from reclustering.core.contracts import FEATURES, LARGEST_FEATURE
from reclustering.core.errors import BadInputError
from reclustering.core.protocols import Customers

BUDGETS = (2**16, 2**20, math.inf)
"""Cells to make do with, the next only if those before hide too much; 150 bytes each."""

APART = 1_000
"""The most rows that lie beyond the grid."""

HALF, SQUARED = 25, 30
"""Bits of what is added up: an offset in a cell in two halves, each of which leaves 38 bits of 63 for the
customers of a cell, and squares, which are below 4 and leave 31."""

DISTINCT = 31
"""Halvings of the grid's span that tell distinct rows apart."""

BINS = 2**14
PRIME = 2**31 - 1
FACTORS = (479_001_599, 334_214_467, 433_494_437, 514_229_303)
"""For hashing four indices below 2**31 in 64 bits, alike in every engine."""


def summaries(customers: Customers, scale: np.ndarray) -> Iterator[Cells]:
    """Summarise the customers ever more finely; the last summary is exact.

    Parameters
    ----------
    customers : Customers
        With the relation `points` of `scaling.define_points`.
    scale : ndarray of shape (4,), float64
        Unit of each feature.

    Yields
    ------
    Cells
        About as many as the next of `BUDGETS`, or the distinct customers if they are fewer.

    Raises
    ------
    BadInputError
        If a feature is out of its range, or the file unreadable.
    """
    for budget in BUDGETS:
        cells = _read(customers, scale, budget)
        yield cells
        if not cells.width:
            return


def read_members(customers: Customers, cells: Cells) -> Cells:
    """Read the distinct customers inside some cells of a summary."""
    edge = cells.width * cells.scale
    index = np.floor(cells.lo / edge)
    inside = " AND ".join(f"{_index(j, edge)} = i{j}" for j in range(4))
    customers.register("wanted", {f"i{j}": index[:, j].copy() for j in range(4)})
    return _distinct(customers, cells.scale, f"SEMI JOIN wanted ON {inside} WHERE {NONZERO}")


def _read(customers: Customers, scale: np.ndarray, budget: float) -> Cells:
    rows = int(customers.rows("SELECT count(*) FROM points")[0][0])
    if rows <= budget:
        return _in_range(_distinct(customers, scale))
    size = f"greatest({', '.join(_in_units(j, scale) for j in range(4))})"
    span = _span(customers, size)
    # Those at the origin share a cell at every width: they need no grouping.
    near, far = f"{NONZERO} AND {size} < {span!r}", f"{size} >= {span!r}"
    width = _finest_width(customers, scale, span, near, int(budget))
    if not width:
        return _in_range(_distinct(customers, scale))
    cells = _grid(customers, scale, width, near).join(_distinct(customers, scale, f"WHERE {far}"))
    at_origin = rows - cells.rows
    return _in_range(cells.join(_origin(cells, at_origin)) if at_origin else cells)


def _distinct(customers: Customers, scale: np.ndarray, where: str = "") -> Cells:
    columns = ", ".join(COLUMNS)
    table = customers.arrays(
        f"SELECT {columns}, count(*) AS n FROM points {where} GROUP BY {columns}"  # noqa: S608
    )
    X, n = _matrix(table, FEATURES), table["n"]
    return ordered(Cells(X, n, X, X, np.zeros(len(n)), scale, width=0.0))


def _grid(customers: Customers, scale: np.ndarray, width: float, near: str) -> Cells:
    edge = width * scale
    keys = [_index(j, edge) for j in range(4)]
    offsets = [f"({_in_units(j, edge)} - {keys[j]})" for j in range(4)]
    squared = " + ".join(f"{offset} * {offset}" for offset in offsets)
    selected = [
        *(f"{key} AS i{j}" for j, key in enumerate(keys)),
        *(f"min({column}) AS lo{j}, max({column}) AS hi{j}" for j, column in enumerate(COLUMNS)),
        *(f"{_whole_sum(offset, 2.0**HALF)} AS sum{j}" for j, offset in enumerate(offsets)),
        *(f"{_whole_sum(_rest(offset), 2.0**HALF)} AS rest{j}" for j, offset in enumerate(offsets)),
        f"{_whole_sum(f'({squared})', 2.0**SQUARED)} AS squared",
        "count(*) AS n",
    ]
    table = customers.arrays(
        f"SELECT {', '.join(selected)} FROM points WHERE {near} GROUP BY {', '.join(keys)}"  # noqa: S608
    )
    n = table["n"]
    index, lo, hi, high, low = (
        _matrix(table, [f"{p}{j}" for j in range(4)]) for p in _GRID_COLUMNS
    )
    offset = (high * 2.0**-HALF + low * 2.0 ** (-2 * HALF)) / n[:, None]
    squares = table["squared"] * 2.0**-SQUARED
    spread = np.maximum(squares - n * (offset**2).sum(axis=1), 0.0) * width**2
    spread[(lo == hi).all(axis=1)] = 0.0
    # A value that all customers of a cell share is kept to the last bit.
    X = np.where(lo == hi, lo, (index + offset) * edge)
    return Cells(X, n, lo, hi, spread, scale, width)


_GRID_COLUMNS = ("i", "lo", "hi", "sum", "rest")


def _whole_sum(value: str, unit: float) -> str:
    """Return SQL for a sum, in whole units, that does not depend on the order of rows."""
    return f"sum(CAST(floor({value} * {unit!r}) AS BIGINT))"


def _rest(value: str) -> str:
    """Return SQL for what `_whole_sum` leaves of a value in units of 2**-HALF, in these units."""
    return f"({value} * {2.0**HALF!r} - floor({value} * {2.0**HALF!r}))"


def _origin(like: Cells, n: int) -> Cells:
    zero = np.zeros((1, 4))
    return Cells(zero, np.array([float(n)]), zero, zero, np.zeros(1), like.scale, like.width)


def _span(customers: Customers, size: str) -> float:
    """Return how far the grid reaches: at most `APART` rows are as large or larger."""
    largest = f"SELECT {size} AS size FROM points ORDER BY size DESC LIMIT {APART + 1}"  # noqa: S608
    return power_of_two_above(customers.rows(f"SELECT min(size) FROM ({largest}) AS a")[0][0])  # noqa: S608


def _in_range(cells: Cells) -> Cells:
    if not cells.X.max() <= LARGEST_FEATURE:
        raise BadInputError(
            f"A feature is {cells.X.max()}; expected at most {LARGEST_FEATURE:,}. extract_features leaves "
            "such customers out: clear it, and the tasks after it."
        )
    return cells


def _finest_width(
    customers: Customers, scale: np.ndarray, span: float, near: str, budget: int
) -> float:
    """Return the smallest width that gives about `budget` cells; 0 if distinct rows are as few."""
    widths = [0.0, *(span * 2.0**-i for i in reversed(LADDER))]
    edges = [(width or span * 2.0**-DISTINCT) * scale for width in widths]
    i = bisect_left(
        range(len(widths)), True, key=lambda i: _fits(customers, edges[i], near, budget)
    )
    return widths[min(i, len(widths) - 1)]


def _fits(customers: Customers, edge: np.ndarray, near: str, budget: int) -> bool:
    """Tell whether a grid has about `budget` cells at the most, without holding them all.

    Cells are thrown into bins, a share of them as many as there are bins where they fit; then 1 - 1/e of the
    bins are hit. (Linear counting: K.-Y. Whang, B. Vander-Zanden, H. Taylor, "A linear-time probabilistic
    counting algorithm for database applications", ACM TODS 15, 1990.) The standard error is 1 % at `BINS`.
    """
    bins = min(BINS, budget)
    share = budget // bins
    keys = " + ".join(f"CAST({_index(j, edge)} AS BIGINT) * {FACTORS[j]}" for j in range(4))
    mixed = f"SELECT ({keys}) % {PRIME} AS h FROM points WHERE {near}"  # noqa: S608
    for factor in FACTORS[:2]:
        mixed = f"SELECT h * (h + {factor}) % {PRIME} AS h FROM ({mixed}) AS a"  # noqa: S608
    hit = customers.rows(
        f"SELECT count(DISTINCT h % {bins * share}) FROM ({mixed}) AS b WHERE h % {bins * share} < {bins}"  # noqa: S608
    )
    return int(hit[0][0]) <= bins * (1 - math.exp(-1))


def _index(j: int, edge: np.ndarray) -> str:
    return f"floor({_in_units(j, edge)})"


def _in_units(j: int, units: np.ndarray) -> str:
    return f"{COLUMNS[j]} / {float(units[j])!r}"


def _matrix(table: dict[str, np.ndarray], names: tuple[str, ...] | list[str]) -> np.ndarray:
    # Adding zero turns -0.0 into 0.0.
    return np.column_stack([table[name] for name in names]) + 0.0
