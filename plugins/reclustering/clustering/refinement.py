"""From a solution on merged cells to one on the customers themselves.

A cell whose whole box is nearer to one centroid than to any other counts as one weighted point:
none of its customers can belong elsewhere. Only the cells that a border between clusters crosses
have to be opened, and their customers read. (The filtering idea of T. Kanungo et al., "An efficient
k-means clustering algorithm: analysis and implementation", IEEE PAMI 24, 2002, on a grid.)
"""

from __future__ import annotations

import numpy as np

from reclustering.clustering.cells import Cells
from reclustering.clustering.kmeans import Fit, settle
from reclustering.clustering.scaling import to_features
from reclustering.clustering.summaries import read_members
from reclustering.core.protocols import Customers

MARGIN = 1.0
"""Boxes are grown by this many cell widths when choosing what to open, so that the customers read
for one iteration serve the next ones too."""


def refine(
    customers: Customers, cells: Cells, centroids: np.ndarray, scaling: str = "none"
) -> tuple[Cells, Fit]:
    """Converge k-means on all customers, and number the clusters.

    Parameters
    ----------
    customers : Customers
        With the relation `points` that `cells` summarises.
    cells : Cells
        One of its `summaries`.
    centroids : ndarray of shape (k, 4), float64
        A solution on the cells, coordinates.
    scaling : Scaling
        What the coordinates are; labels are ordered by the features.

    Returns
    -------
    cells : Cells
        The customers of every cell that a border crosses as distinct rows, and the other cells.
    fit : Fit
        A fixed point of Lloyd's iteration on the customers: each is labelled with its nearest
        centroid, each centroid is the mean of its customers. Clusters in label order.
    """
    fit = settle(cells, label_order(centroids, scaling))
    closed, opened = cells, None
    while True:
        crossed = _crossed(closed, fit.centroids, margin=0.0)
        if not crossed.any() and _is_ordered(fit.centroids, scaling):
            return cells, fit
        if crossed.any():
            crossed = _crossed(closed, fit.centroids, margin=MARGIN)
            rows = read_members(customers, closed.take(crossed))
            opened = rows if opened is None else opened.join(rows)
            closed = closed.take(~crossed)
            cells = closed.join(opened)
        fit = settle(cells, label_order(fit.centroids, scaling))


def label_order(centroids: np.ndarray, scaling: str = "none") -> np.ndarray:
    """Sort centroids by their distance, as features, from having returned nothing."""
    from_origin = np.sqrt((to_features(centroids, scaling) ** 2).sum(axis=1))
    return centroids[np.lexsort([*centroids.T[::-1], from_origin])]


def _is_ordered(centroids: np.ndarray, scaling: str) -> bool:
    return np.array_equal(centroids, label_order(centroids, scaling))


def _crossed(cells: Cells, centroids: np.ndarray, margin: float) -> np.ndarray:
    """Tell which cells may hold customers of more than one cluster.

    For a centroid a nearest to the cell and another b, ||x - a||^2 - ||x - b||^2 is linear in x, so
    its maximum over the box is taken feature by feature; below 0 no customer prefers b.
    """
    merged = (cells.lo < cells.hi).any(axis=1)
    grow = margin * cells.width
    lo, hi = cells.lo / cells.scale - grow, cells.hi / cells.scale + grow
    scaled = centroids / cells.scale
    squared = ((cells.scaled[:, None, :] - scaled) ** 2).sum(axis=2)
    own = scaled[squared.argmin(axis=1)]
    crossed = np.zeros(len(cells), dtype=bool)
    for other in scaled:
        slope = 2 * (other - own)
        worst = np.maximum(slope * lo, slope * hi).sum(axis=1) + (own**2 - other**2).sum(axis=1)
        slack = 1e-9 * ((own - other) ** 2).sum(axis=1)
        crossed |= (slope != 0).any(axis=1) & (worst > -slack)
    return merged & crossed
