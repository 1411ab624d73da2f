"""Whether other customers of the same kind would have given the same clusters.

C. Hennig, "Cluster-wise assessment of cluster stability", Computational Statistics & Data Analysis
52, 2007: cluster bootstrap samples, and see how much of each cluster is found again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from reclustering.clustering import starts
from reclustering.clustering.cells import Cells, coarsen, nearest
from reclustering.clustering.kmeans import fit_best, settle

SAMPLES = 20
"""Bootstrap samples; the mean over them is within 0.02 of that over 200."""

SUMMARY = 2**10
"""Cells on which samples are clustered."""

DRAWS = 8
"""Starts for each sample, beside the fit itself."""

STABLE = 0.75
"""Mean Jaccard similarity above which Hennig calls a cluster stable."""


@threadpool_limits.wrap(limits=1)
def stability(cells: Cells, centroids: np.ndarray, seed: int) -> dict[str, Any]:
    """Cluster bootstrap samples of the customers, and compare with a fit.

    Parameters
    ----------
    cells : Cells
        The customers that were fitted.
    centroids : ndarray of shape (k, 4), float64
        The fit, coordinates.
    seed : int
        Of the samples.

    Returns
    -------
    dict
        ``keep``: the share of customers (0 to 1) that are in the same cluster again, mean over the
        samples. ``jaccard``: for each cluster the mean similarity (0 to 1) with its counterpart.
    """
    # scipy.optimize is slow to import, and only this needs it here.
    from scipy.optimize import linear_sum_assignment

    cells = coarsen(cells, SUMMARY)
    k, rng = len(centroids), np.random.default_rng(seed)
    labels, _ = nearest(cells.X, centroids, cells.scale)
    size = np.bincount(labels, cells.n, k)
    keep, jaccard = [], []
    for one in range(SAMPLES):
        drawn = rng.multinomial(cells.rows, cells.n / cells.rows).astype(float)
        sample = cells.take(drawn > 0).weighted(drawn[drawn > 0])
        if len(sample) < k:
            again = settle(sample, centroids)
        else:
            again = fit_best(sample, [centroids, *starts.draw(sample, k, seed + one, DRAWS)])
        found, _ = nearest(cells.X, again.centroids, cells.scale)
        common = np.zeros((k, k))
        np.add.at(common, (labels, found), cells.n)
        either = size[:, None] + common.sum(axis=0) - common
        similarity = common / np.maximum(either, 1)
        pairs = linear_sum_assignment(similarity, maximize=True)
        keep.append(common[pairs].sum() / cells.rows)
        jaccard.append(similarity[pairs])
    return {"keep": float(np.mean(keep)), "jaccard": np.mean(jaccard, axis=0).tolist()}
