"""Cluster validity indices: what three classic ones say of each k, at a fraction of the elbow's cost.

Each compares how tight clusters are with how far apart they lie, and none sees the others' k-means
objective alone, so where they side with the knee the choice is safe, and where they don't a person
should look. Undefined values (k = 1, or nothing left to explain) are None.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reclustering.clustering.cells import Cells
from reclustering.clustering.kmeans import Fit
from reclustering.clustering.starts import weighted_choice

PER_STRATUM = 20
"""Cells drawn from each cluster of the finest solution for the silhouette: tiny clusters whole."""


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
        For each index: ``k``, the number of clusters it prefers (the smallest on a tie, None if it
        is defined nowhere), ``better`` ("higher" or "lower"), and ``values``, one for each k.
    """
    silhouette = _Silhouette(cells, fits[-1].labels)
    scores = {
        "calinski_harabasz": [_calinski_harabasz(cells, fit, fits[0].inertia) for fit in fits],
        "davies_bouldin": [_davies_bouldin(cells, fit) for fit in fits],
        "silhouette": [silhouette.score(fit.labels) for fit in fits],
    }
    return {name: _index(name, values) for name, values in scores.items()}


def _index(name: str, values: list[float | None]) -> dict[str, Any]:
    better = "lower" if name == "davies_bouldin" else "higher"
    sign = 1 if better == "lower" else -1
    known = [(sign * value, k) for k, value in enumerate(values, start=1) if value is not None]
    return {"k": min(known)[1] if known else None, "better": better, "values": values}


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
    if k == 1:
        return None
    size = np.bincount(fit.labels, cells.n, k)
    radius = np.bincount(fit.labels, cells.n * fit.distances, k) / size
    apart = _distances(fit.centroids / cells.scale)
    np.fill_diagonal(apart, np.inf)
    return float(((radius[:, None] + radius) / apart).max(axis=1).mean())


class _Silhouette:
    """The mean silhouette over customers, estimated on one stratified sample for every k.

    P. Rousseeuw, "Silhouettes", Journal of Computational and Applied Mathematics 20, 1987. Exact
    where no cluster of the finest solution has more than `PER_STRATUM` distinct rows.
    """

    def __init__(self, cells: Cells, strata: np.ndarray) -> None:
        draws = [_draw(cells.n, np.flatnonzero(strata == s)) for s in range(strata.max() + 1)]
        self.sample = np.concatenate([chosen for chosen, _ in draws])
        self.weight = np.concatenate([weight for _, weight in draws])
        self.apart = _distances(cells.scaled[self.sample])

    def score(self, labels: np.ndarray) -> float | None:
        """Return the mean silhouette, from -1 to 1, of the clusters given by `labels`."""
        own = labels[self.sample]
        member = (own[:, None] == np.unique(own)) * self.weight[:, None]
        if member.shape[1] < 2:
            return None
        mine = member > 0
        size, to_cluster = member.sum(axis=0), self.apart @ member
        others = np.broadcast_to(np.maximum(size - 1, 1), mine.shape)
        inside = to_cluster[mine] / others[mine]
        outside = np.where(mine, np.inf, to_cluster / size).min(axis=1)
        larger = np.maximum(inside, outside)
        alone = np.broadcast_to(size == 1, mine.shape)[mine]
        value = np.where(alone | (larger == 0), 0, (outside - inside) / np.where(larger, larger, 1))
        return float(np.average(value, weights=self.weight))


def _draw(n: np.ndarray, stratum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw cells with a chance in proportion to their customers; each stands for its share."""
    if len(stratum) <= PER_STRATUM:
        return stratum, n[stratum]
    at = (np.arange(PER_STRATUM) + 0.5) / PER_STRATUM
    chosen, times = np.unique(weighted_choice(n[stratum], at), return_counts=True)
    return stratum[chosen], times * n[stratum].sum() / PER_STRATUM


def _distances(points: np.ndarray) -> np.ndarray:
    return np.sqrt(((points[:, None, :] - points) ** 2).sum(axis=2))
