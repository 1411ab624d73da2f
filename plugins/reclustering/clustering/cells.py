"""Customers merged into weighted cells, so that work grows with their variety, not their number.

Most customers share a row ("returned nothing"), and k-means cannot tell customers in one small
cell apart. A cell keeps what k-means needs of its customers: how many they are, their mean, the box
they lie in, and the spread that merging hides. (Clustering features: T. Zhang, R. Ramakrishnan,
M. Livny, "BIRCH: an efficient data clustering method for very large databases", SIGMOD 1996; here on
a grid.)
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.cluster.vq import vq

LADDER = range(1, 19)
"""Widths of a cell that are tried: the span of the grid halved this often."""

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
        return ordered(self._with(parts))

    def weighted(self, n: np.ndarray) -> Cells:
        """Return these cells with other numbers of customers, an array of shape (m,)."""
        return replace(self, n=n)

    def _with(self, parts: dict[str, np.ndarray]) -> Cells:
        return Cells(**parts, scale=self.scale, width=self.width)


def coarsen(cells: Cells, limit: int) -> Cells:
    """Merge cells on the finest of ever wider grids that leaves at most `limit`.

    The farthest are not merged: one wild value would make the grid too coarse for all others.
    """
    if len(cells) <= limit:
        return cells
    size = cells.scaled.max(axis=1)
    apart = limit // 8
    span = power_of_two_above(np.partition(size, -apart - 1)[-apart - 1])
    near, far = cells.take(size < span), cells.take(size >= span)
    finest = cells.width or span * 2.0 ** -LADDER[-1]
    widths = [finest * 2.0**i for i in range(1, len(LADDER) + 2)]
    # Each grid's cells lie inside those of the next, so their number only falls.
    i = bisect_left(
        widths, True, key=lambda width: len(np.unique(_keys(near, width))) <= limit - len(far)
    )
    return _merge(near, widths[min(i, len(widths) - 1)]).join(far)


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
    return ordered(Cells(X, n, lo, hi, spread, cells.scale, width))


def _keys(cells: Cells, width: float) -> np.ndarray:
    """Return a 64-bit hash of the grid cell that each mean lies in; sorting it is fast.

    Two cells with one hash would be merged: unlikely (1e-9), and counted in `spread` like any other.
    """
    index = np.floor(cells.X / (width * cells.scale))
    index = np.minimum(index, 2.0**62).astype(np.int64).astype(np.uint64)
    return (index * MIX).sum(axis=1, dtype=np.uint64)


def nearest(
    X: np.ndarray, centroids: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest centroid of each row, and the scaled distance to it.

    A row as near to one centroid as to another gets the lower label. Every row is worked out by
    itself, so neither its label nor its distance depends on the rows around it.
    """
    labels, distances = vq(X / scale, centroids / scale, check_finite=False)
    return labels, distances


def power_of_two_above(value: float) -> float:
    """Return the least power of two above a value: halving it and multiplying by it are exact."""
    return math.ldexp(1.0, math.frexp(value)[1])


def ordered(cells: Cells) -> Cells:
    """Sort cells by their means, so that their order says nothing of the rows'."""
    return cells.take(np.lexsort(cells.X.T[::-1]))
