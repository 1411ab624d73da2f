"""Customers merged into weighted cells, so that work grows with their variety, not their number.

Most customers share a row ("returned nothing"), and k-means cannot tell customers in one small
cell apart. A cell keeps what k-means needs of its customers: how many they are, their mean, the box
they lie in, and the spread that merging hides. DuckDB adds these up as whole numbers, which is exact
in any order, so every figure downstream is the same to the last bit whatever the row order or the
number of threads.

Few distinct rows are kept as they are, one to a cell. More are merged on a regular grid, as fine as
a budget of cells allows. (Clustering features: T. Zhang, R. Ramakrishnan, M. Livny, "BIRCH: an
efficient data clustering method for very large databases", SIGMOD 1996; here on a grid.)
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np

from reclustering.core.contracts import FEATURES
from reclustering.core.errors import BadInputError

BUDGETS = (2**16, 2**20, math.inf)
"""Cells to make do with, the next only if those before hide too much; 150 bytes each."""

LADDER = range(1, 19)
"""Widths of a cell that are tried: the largest value halved this often."""

COLUMNS = [f'"{name}"' for name in FEATURES]

NONZERO = "(" + " OR ".join(f"{column} <> 0" for column in COLUMNS) + ")"
"""Customers at the origin, most of all, share a cell at every width: they need no grouping."""

MIX = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5],
    dtype=np.uint64,
)

PARTS = ("X", "n", "lo", "hi", "spread")


@dataclass(frozen=True)
class Cells:
    """Weighted points that stand for all customers, in an order that their values determine.

    Attributes
    ----------
    X : ndarray of shape (m, 4), float64
        Mean of each cell's customers in original units, columns as `FEATURES`.
    n : ndarray of shape (m,), float64
        Customers in each cell: whole numbers.
    lo, hi : ndarray of shape (m, 4), float64
        Smallest and largest value of each feature in the cell, original units.
    spread : ndarray of shape (m,), float64
        Squared scaled distances of the cell's customers to the cell's mean, summed.
    scale : ndarray of shape (4,), float64
        Unit of each feature: distances are taken between ``X / scale``.
    width : float
        Edge of a cell in scaled units; 0 where every cell is one distinct row.
    """

    X: np.ndarray
    n: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    spread: np.ndarray
    scale: np.ndarray
    width: float

    def __len__(self) -> int:
        return len(self.n)

    @cached_property
    def totals(self) -> np.ndarray:
        """What clusters add up: customers, and the sum of each feature; shape (5, m)."""
        return np.vstack([self.n, self.n * self.X.T])

    @cached_property
    def scaled(self) -> np.ndarray:
        """Cell means in the units in which distance is measured, shape (m, 4)."""
        return self.X / self.scale

    @property
    def rows(self) -> int:
        """Customers in all cells."""
        return int(self.n.sum())

    @property
    def hidden(self) -> float:
        """Inertia inside the cells, which no clustering of them can see."""
        return float(self.spread.sum())

    def take(self, which: np.ndarray) -> Cells:
        """Return the cells that a boolean mask or an array of indices selects."""
        return self._with({name: getattr(self, name)[which] for name in PARTS})

    def join(self, other: Cells) -> Cells:
        """Return these cells and `other`'s, which must hold other customers."""
        parts = {n: np.concatenate([getattr(self, n), getattr(other, n)]) for n in PARTS}
        return _ordered(self._with(parts))

    def _with(self, parts: dict[str, np.ndarray]) -> Cells:
        return Cells(**parts, scale=self.scale, width=self.width)


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


def coarsen(cells: Cells, limit: int) -> Cells:
    """Merge cells on the finest of ever wider grids that leaves at most `limit`."""
    if len(cells) <= limit:
        return cells
    finest = cells.width or _power_of_two_above(cells.scaled.max()) * 2.0 ** -LADDER[-1]
    widths = [finest * 2.0**i for i in range(1, len(LADDER) + 2)]
    # Each grid's cells lie inside those of the next, so their number only falls.
    i = bisect_left(widths, True, key=lambda width: len(np.unique(_keys(cells, width))) <= limit)
    return _merge(cells, widths[min(i, len(widths) - 1)])


@contextmanager
def scan(features: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a feature table as the DuckDB view `features`; explain a file that cannot be one."""
    with duckdb.connect() as con:
        try:
            table = con.read_parquet(str(features)).select(", ".join(COLUMNS))
            table.create_view("features")
            rows = count(con)
        except duckdb.Error as error:
            raise _unreadable(features, error) from error
        if rows == 0:
            raise BadInputError(
                f"{features} has no rows; expected at least one customer. "
                "Check that the store has sales before as_of, then clear extract_features."
            )
        try:
            yield con
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise _unreadable(features, error) from error


def count(con: duckdb.DuckDBPyConnection) -> int:
    """Return the number of customers, which a Parquet file knows without being read."""
    return int(con.execute("SELECT count(*) FROM features").fetchall()[0][0])


def query(con: duckdb.DuckDBPyConnection, sql: str) -> dict[str, np.ndarray]:
    """Return the columns of a query's result as float64 arrays."""
    columns = con.execute(sql).fetchnumpy()
    return {name: np.asarray(values, dtype=float) for name, values in columns.items()}


def _unreadable(features: Path, error: duckdb.Error) -> BadInputError:
    return BadInputError(
        f"{features} cannot be read ({str(error).splitlines()[0]}); expected a complete Parquet "
        f"file with the columns {', '.join(FEATURES)}. Clear extract_features to write it again."
    )


def _read(features: Path, scale: np.ndarray, budget: float) -> Cells:
    with scan(features) as con:
        rows = count(con)
        width = _finest_width(con, scale, budget) if rows > budget else 0.0
        return _grid(con, scale, width, rows) if width else _distinct(con, scale)


def _distinct(con: duckdb.DuckDBPyConnection, scale: np.ndarray, where: str = "") -> Cells:
    columns = ", ".join(COLUMNS)
    table = query(con, f"SELECT {columns}, count(*) AS n FROM features {where} GROUP BY ALL")  # noqa: S608
    X, n = _matrix(table, FEATURES), table["n"]
    return _ordered(Cells(X, n, X, X, np.zeros(len(n)), scale, width=0.0))


def _grid(con: duckdb.DuckDBPyConnection, scale: np.ndarray, width: float, rows: int) -> Cells:
    edge = width * scale
    keys = [_index(j, edge) for j in range(4)]
    offsets = [f"({COLUMNS[j]} / {float(edge[j])!r} - {keys[j]})" for j in range(4)]
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
        f"SELECT {', '.join(selected)} FROM features WHERE {NONZERO} GROUP BY i0, i1, i2, i3",  # noqa: S608
    )
    n = table["n"]
    index, lo, hi, total = (_matrix(table, [f"{p}{j}" for j in range(4)]) for p in _GRID_COLUMNS)
    offset = total / n[:, None]
    spread = np.maximum(table["squared"] - n * (offset**2).sum(axis=1), 0.0) * width**2
    spread[(lo == hi).all(axis=1)] = 0.0
    # A value that all customers of a cell share is kept to the last bit.
    X = np.where(lo == hi, lo, (index + offset) * edge)
    cells = Cells(X, n, lo, hi, spread, scale, width)
    at_origin = rows - cells.rows
    return cells.join(_origin(cells, at_origin)) if at_origin else _ordered(cells)


_GRID_COLUMNS = ("i", "lo", "hi", "sum")


def _exact_sum(value: str, bits: int) -> str:
    """Return SQL for a sum, of values from 0 to 4, that does not depend on the order of rows."""
    return f"sum(CAST(({value}) * {2.0**bits!r} AS BIGINT))::DOUBLE * {2.0**-bits!r}"


def _origin(like: Cells, n: int) -> Cells:
    zero = np.zeros((1, 4))
    return Cells(zero, np.array([float(n)]), zero, zero, np.zeros(1), like.scale, like.width)


def _finest_width(con: duckdb.DuckDBPyConnection, scale: np.ndarray, budget: float) -> float:
    """Return the smallest width that gives about `budget` cells; 0 if distinct rows are as few."""
    tops = query(con, f"SELECT {_each('max({})', COLUMNS)} FROM features")  # noqa: S608
    span = _power_of_two_above((np.concatenate([*tops.values()]) / scale).max())
    widths = [0.0, *(span * 2.0**-i for i in reversed(LADDER))]
    keys = [COLUMNS, *([_index(j, width * scale) for j in range(4)] for width in widths[1:])]
    counts = _each("approx_count_distinct(hash({}))", [", ".join(key) for key in keys])
    found = query(con, f"SELECT {counts} FROM features WHERE {NONZERO}")  # noqa: S608
    fitting = (w for w, count in zip(widths, found.values(), strict=True) if count[0] <= budget)
    return next(fitting, widths[-1])


def _index(j: int, edge: np.ndarray) -> str:
    return f"floor({COLUMNS[j]} / {float(edge[j])!r})"


def _each(template: str, parts: list[str]) -> str:
    return ", ".join(template.format(part) for part in parts)


def _matrix(table: dict[str, np.ndarray], names: tuple[str, ...] | list[str]) -> np.ndarray:
    # Adding zero turns -0.0 into 0.0.
    return np.column_stack([table[name] for name in names]) + 0.0


def _power_of_two_above(value: float) -> float:
    """Return a power of two, so that halving it and multiplying by it are exact."""
    return float(2.0 ** math.ceil(math.log2(value))) if value > 0 else 1.0


def _merge(cells: Cells, width: float) -> Cells:
    keys = _keys(cells, width)
    order = np.argsort(keys, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(keys[order]) != 0))
    cells = cells.take(order)
    n = np.add.reduceat(cells.n, first)
    X = np.add.reduceat(cells.n[:, None] * cells.X, first) / n[:, None]
    lo, hi = np.minimum.reduceat(cells.lo, first), np.maximum.reduceat(cells.hi, first)
    X = np.where(lo == hi, lo, X)
    mean = np.repeat(X, np.diff(first, append=len(cells)), axis=0)
    moved = cells.n * (((cells.X - mean) / cells.scale) ** 2).sum(axis=1)
    spread = np.add.reduceat(cells.spread + moved, first)
    return _ordered(Cells(X, n, lo, hi, spread, cells.scale, width))


def _keys(cells: Cells, width: float) -> np.ndarray:
    """Return a 64-bit hash of the grid cell that each mean lies in; sorting it is fast.

    Two cells with one hash would be merged: unlikely (1e-9), and counted in `spread` like any other.
    """
    index = np.floor(cells.X / (width * cells.scale)).astype(np.int64).astype(np.uint64)
    return (index * MIX).sum(axis=1, dtype=np.uint64)


def _ordered(cells: Cells) -> Cells:
    return cells.take(np.lexsort(cells.X.T[::-1]))
