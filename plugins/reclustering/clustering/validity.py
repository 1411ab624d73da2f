"""Cluster validity indices: what three classic ones say of each k, at a fraction of the elbow's cost.

Each compares how tight clusters are with how far apart they lie, and none sees the others' k-means
objective alone, so where they side with the bend the choice is safe, and where they don't a person
should look. Undefined values (k = 1, or nothing left to explain) are None.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reclustering.clustering.cells import Cells
from reclustering.clustering.kmeans import Fit
from reclustering.clustering.starts import weighted_choice

SAMPLE = 600
"""Cells drawn for the silhouette, as many from each cluster; small clusters are taken whole."""

NO_OPINION = "It is best at the last k, so it has no opinion: it may only follow k."


def validity_indices(cells: Cells, fits: list[Fit]) -> dict[str, dict[str, Any]]:
    """Score each solution of the curve.

    Parameters
    ----------
    cells : Cells
        The customers the curve was drawn from.
    fits : list of Fit
        Solutions for k = 1, 2, ...

    Returns
    -------
    dict
        For each index: ``k``, the number of clusters it prefers (the smallest on a tie; None if it
        is defined nowhere, or best where the curve ends), ``better`` ("higher" or "lower"),
        ``values``, one for each k, and ``note``, why it prefers none. Where every distinct row is a
        cluster of its own no index is defined.
    """
    silhouettes = [
        None if fit.inertia == 0 or len(fit.centroids) == 1 else cluster_silhouettes(cells, fit)
        for fit in fits
    ]
    scores = {
        "calinski_harabasz": [_calinski_harabasz(cells, fit, fits[0].inertia) for fit in fits],
        "davies_bouldin": [_davies_bouldin(cells, fit) for fit in fits],
        "silhouette": [
            None if one is None else float(np.average(one, weights=sizes(cells, fit)))
            for one, fit in zip(silhouettes, fits, strict=True)
        ],
    }
    return {name: _index(name, values) for name, values in scores.items()}


def cluster_silhouettes(cells: Cells, fit: Fit) -> np.ndarray:
    """Return the mean silhouette, from -1 to 1, of the customers of each cluster.

    P. Rousseeuw, "Silhouettes", Journal of Computational and Applied Mathematics 20, 1987. Estimated
    from `SAMPLE` cells, as many of each cluster, and exact where it has no more.

    Parameters
    ----------
    cells : Cells
        The customers.
    fit : Fit
        Their clusters, at least 2, none empty.

    Returns
    -------
    ndarray of shape (k,), float64
    """
    k, size = len(fit.centroids), sizes(cells, fit)
    draws = [_draw(cells.n, np.flatnonzero(fit.labels == label), SAMPLE // k) for label in range(k)]
    sample = np.concatenate([chosen for chosen, _ in draws])
    weight = np.concatenate([share for _, share in draws])
    own, n = fit.labels[sample], cells.n[sample]
    mine = own[:, None] == np.arange(k)
    to_cluster = _distances(cells.scaled[sample]) @ (mine * weight[:, None])
    # A draw stands for others too, and only the customers in its own cell are at distance 0.
    others = size[own] - n
    drawn = size[own] - weight
    alike = np.where(drawn > 0, others / np.where(drawn > 0, drawn, 1), 1)
    inside = to_cluster[mine] * alike / np.maximum(size[own] - 1, 1)
    outside = np.where(mine, np.inf, to_cluster / size).min(axis=1)
    larger = np.maximum(inside, outside)
    value = np.where(
        (size[own] == 1) | (larger == 0), 0, (outside - inside) / np.where(larger, larger, 1)
    )
    return np.bincount(own, weight * value, k) / np.bincount(own, weight, k)


def sizes(cells: Cells, fit: Fit) -> np.ndarray:
    """Return how many customers each cluster has, shape (k,), float64."""
    return np.bincount(fit.labels, cells.n, len(fit.centroids))


def _index(name: str, values: list[float | None]) -> dict[str, Any]:
    better = "lower" if name == "davies_bouldin" else "higher"
    sign = 1 if better == "lower" else -1
    known = [(sign * value, k) for k, value in enumerate(values, start=1) if value is not None]
    best = min(known)[1] if known else None
    at_end = best is not None and best == known[-1][1]
    return {
        "k": None if at_end else best,
        "better": better,
        "values": values,
        "note": NO_OPINION if at_end else None,
    }


def _calinski_harabasz(cells: Cells, fit: Fit, total: float) -> float | None:
    """Between-cluster variance over within-cluster variance.

    T. Calinski, J. Harabasz, "A dendrite method for cluster analysis", 1974.
    """
    k, n = len(fit.centroids), cells.rows
    if k == 1 or n <= k or fit.inertia == 0:
        return None
    return (total - fit.inertia) / (k - 1) / (fit.inertia / (n - k))


def _davies_bouldin(cells: Cells, fit: Fit) -> float | None:
    """Mean over clusters of the worst ratio of two clusters' radii to their centroids' distance.

    D. Davies, D. Bouldin, "A cluster separation measure", IEEE PAMI 1, 1979.
    """
    k = len(fit.centroids)
    if k == 1 or fit.inertia == 0:
        return None
    size = sizes(cells, fit)
    radius = np.bincount(fit.labels, cells.n * fit.distances, k) / size
    apart = _distances(fit.centroids / cells.scale)
    np.fill_diagonal(apart, np.inf)
    return float(((radius[:, None] + radius) / apart).max(axis=1).mean())


def _draw(n: np.ndarray, members: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw cells with a chance in proportion to their customers; each stands for its share."""
    if len(members) <= count:
        return members, n[members]
    at = (np.arange(count) + 0.5) / count
    chosen, times = np.unique(weighted_choice(n[members], at), return_counts=True)
    return members[chosen], times * n[members].sum() / count


def _distances(points: np.ndarray) -> np.ndarray:
    return np.sqrt(((points[:, None, :] - points) ** 2).sum(axis=2))
