"""Customers far from all others: found by a rule on the data alone.

k-means squares distances, so one customer far away can be worth more than any group: a return of 3,000
for an item bought for 1 takes a cluster, and two groups that differ share the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from reclustering.clustering.cells import Cells
from reclustering.clustering.queries import COLUMNS, register_rows
from reclustering.clustering.scaling import fit_scaling, quantiles, scale_of
from reclustering.clustering.summaries import read_members, summaries
from reclustering.core.contracts import FEATURES
from reclustering.core.protocols import Customers

ISOLATION = 2.0
"""Far is this many times as far from the median customer as the next one."""

INFLUENCE = 0.05
"""And whose squared distance is this share of all nearer customers' together, or more."""

MOST_SHARE, MOST = 1 / 200, 100
"""Of more customers than this none is far: they are a group. In a small store it can be one."""

FEWEST = 20
"""Among fewer customers nobody is far."""

PASSES = 5
"""Units measured without the far customers can show others to be far; each pass looks again."""


def find_far(
    customers: Customers, method: str, *, set_aside: bool
) -> tuple[dict[str, Any], np.ndarray, Iterator[Cells]]:
    """Find the customers far from all others, and the units in which they are.

    Parameters
    ----------
    customers : Customers
        With the relation `points` of `scaling.define_points`.
    method : Scaling
        How features are weighed against each other.
    set_aside : bool
        Whether the units are those of the others alone.

    Returns
    -------
    units : dict
        What `fit_scaling` gave.
    far : ndarray of shape (m, 4), float64
        Their distinct rows, coordinates.
    finer : iterator of Cells
        The `summaries` of all customers in these units.
    """
    far = np.empty((0, 4))
    for _ in range(PASSES):
        units = fit_scaling(customers, method, far if set_aside else None)
        finer = summaries(customers, scale_of(units))
        before, cells = len(far), next(finer)
        far = _rows(customers, cells.take(_far(cells)))
        if not set_aside or method in ("none", "log") or len(far) == before:
            break
    return units, far, chain([cells], finer)


def split(cells: Cells, far: np.ndarray) -> tuple[Cells, Cells]:
    """Return the cells but for those of the far rows, and those."""
    found = are_far(cells, far)
    return cells.take(~found), cells.take(found)


def are_far(cells: Cells, far: np.ndarray) -> np.ndarray:
    """Tell which cells hold far rows: each has one of its own, or shares it with others that are far."""
    found = np.zeros(len(cells), dtype=bool)
    for row in far:
        found |= ((cells.lo <= row) & (cells.hi >= row)).all(axis=1)
    return found


def group_far(far: np.ndarray, others: Cells) -> np.ndarray:
    """Return the centroids of the clusters that far rows need: those near each other share one.

    Complete linkage, cut at the distance from the median customer to the farthest of the others.

    Parameters
    ----------
    far : ndarray of shape (m, 4), float64
        Distinct rows, coordinates.
    others : Cells
        All other customers.

    Returns
    -------
    ndarray of shape (g, 4), float64
        Means of rows.
    """
    if len(far) < 2:
        return far
    tree = linkage(far / others.scale, "complete")
    groups = fcluster(tree, _from_median(others).max(), "distance")
    return np.vstack([far[groups == group].mean(axis=0) for group in np.unique(groups)])


def name_customers(customers: Customers, far: np.ndarray) -> list[dict[str, Any]]:
    """Return who the far rows are: each customer's key and features, sorted by key."""
    columns = ", ".join(COLUMNS)
    register_rows(customers, "far", far)
    keys = f"SELECT customer FROM points SEMI JOIN far USING ({columns})"  # noqa: S608
    rows = customers.rows(
        f"SELECT customer, {columns} FROM features"  # noqa: S608
        f" WHERE customer IN ({keys}) ORDER BY customer"
    )
    return [dict(zip(["customer", *FEATURES], row, strict=True)) for row in rows]


def _far(cells: Cells) -> np.ndarray:
    """Return the most cells that stand apart from all nearer ones, and matter, as indices."""
    distance = _from_median(cells)
    order = np.argsort(distance, kind="stable")
    squared = cells.n * distance**2
    nearer = cells.hidden + np.cumsum(squared[order])
    most = min(max(int(cells.rows * MOST_SHARE), 1), MOST) if cells.rows >= FEWEST else 0
    customers = np.cumsum(cells.n[order][::-1])[::-1]
    inner, outer = order[:-1], order[1:]
    far = (
        (distance[outer] > 0)
        & (distance[outer] >= ISOLATION * distance[inner])
        & (distance[outer] ** 2 >= INFLUENCE * nearer[:-1])
        & (customers[1:] <= most)
    )
    return order[np.flatnonzero(far)[0] + 1 :] if far.any() else order[:0]


def _rows(customers: Customers, cells: Cells) -> np.ndarray:
    """Return the distinct rows in some cells, most of which hold one."""
    merged = np.any(cells.lo < cells.hi, axis=1)
    rows = [cells.X[~merged]]
    if merged.any():
        rows.append(read_members(customers, cells.take(merged)).X)
    return np.vstack(rows)


def _from_median(cells: Cells) -> np.ndarray:
    median = [quantiles(column, cells.n, [0.5])[0] for column in cells.scaled.T]
    return np.sqrt(((cells.scaled - median) ** 2).sum(axis=1))
