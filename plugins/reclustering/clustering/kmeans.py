"""k-means on weighted cells: scikit-learn iterates, from starts that `starts` finds.

The objective is k-means' own: squared scaled distance to the nearest centroid, summed over
customers. Starts are compared on a coarse summary of the cells, and only the best for each k is
iterated on the cells themselves. Centroids are kept in original units throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from reclustering.clustering import starts
from reclustering.clustering.cells import Cells, nearest
from reclustering.clustering.starts import Effort
from reclustering.core.errors import BadInputError

CURVE = Effort(draws=4, work=2_000, coarse=0.1, fine=0.05)
ONE_K = Effort(draws=20, work=10_000, coarse=0.02, fine=0.02)
"""One k is solved with more care than each point of the elbow curve."""


@dataclass(frozen=True)
class Fit:
    """A fixed point of Lloyd's iteration.

    Attributes
    ----------
    centroids : ndarray of shape (k, 4), float64
        In original units.
    labels : ndarray of shape (m,), int32
        Nearest centroid of each cell.
    distances : ndarray of shape (m,), float64
        Scaled distance from each cell's mean to that centroid.
    inertia : float
        Squared scaled distances summed over customers, the spread inside cells included.
    """

    centroids: np.ndarray
    labels: np.ndarray
    distances: np.ndarray
    inertia: float


# Sums of several threads depend on how many there are; one gives the same bits everywhere.
@threadpool_limits.wrap(limits=1)
def fit_curve(summaries: Iterable[Cells], k_max: int, seed: int) -> tuple[Cells, list[Fit]]:
    """Cluster the first summary that is fine enough, for k = 1, 2, ..., `k_max`.

    Parameters
    ----------
    summaries : iterable of Cells
        From coarse to exact.
    k_max : int
        The largest k.
    seed : int
        Of the k-means++ draws.

    Returns
    -------
    cells : Cells
        The summary used.
    fits : list of Fit
        One for each k; fewer if there are fewer distinct customers. Inertia never rises along it.
    """
    cells = starts.fine_enough(summaries, k_max, CURVE.fine)
    k_max = min(k_max, len(cells))
    fits: list[Fit] = []
    for start in _search(cells, range(1, k_max + 2), seed, CURVE)[:k_max]:
        fit = fit_best(cells, [start.centroids])
        if fits and fit.inertia > fits[-1].inertia:
            fit = settle(cells, starts.one_more(cells, fits[-1].centroids)[-1])
        fits.append(_without_empty(fit))
    return cells, fits


@threadpool_limits.wrap(limits=1)
def fit_k(
    summaries: Iterable[Cells], k: int, seed: int, also: Sequence[np.ndarray] = ()
) -> tuple[Cells, Fit]:
    """Cluster the first summary that is fine enough, for one k.

    Parameters
    ----------
    summaries : iterable of Cells
        From coarse to exact.
    k : int
        Number of clusters.
    seed : int
        Of the k-means++ draws.
    also : sequence of ndarray of shape (k, 4)
        Centroids from which to start as well.

    Raises
    ------
    BadInputError
        If there are fewer distinct customers than `k`.
    """
    cells = starts.fine_enough(summaries, k, ONE_K.fine)
    require_distinct(len(cells), k)
    ks = range(max(k - 1, 1), k + 2)
    found = _search(cells, ks, seed, ONE_K)[ks.index(k)]
    return cells, _without_empty(fit_best(cells, [found.centroids, *also]))


def fit_best(cells: Cells, initial: Sequence[np.ndarray]) -> Fit:
    """Iterate from each start (centroids in original units), and return the best end.

    scikit-learn's `KMeans` asks the callable for each of `n_init` starts, in its own coordinates: less
    the mean of X. `tol` is 0, for it is a share of the features' variance, which one outlier can make
    larger than all there is to gain.
    """
    mean, queue = cells.scaled.mean(axis=0), iter(initial)
    model = KMeans(
        len(initial[0]),
        init=lambda X, k, random_state: next(queue) / cells.scale - mean,  # noqa: ARG005
        n_init=len(initial),
        tol=0,
    ).fit(cells.scaled, sample_weight=cells.n)
    return settle(cells, model.cluster_centers_ * cells.scale)


def settle(cells: Cells, centroids: np.ndarray) -> Fit:
    """Move centroids to the exact means of the cells nearest to them, until the cost falls no more.

    scikit-learn takes distances from ||x||^2 - 2xc + ||c||^2, which loses digits beside a huge
    outlier; `vq` subtracts first, row by row. Without an outlier this ends after one step.
    """
    k, cost = len(centroids), np.inf
    while True:
        labels, distances = nearest(cells.X, centroids, cells.scale)
        before, cost = cost, float((cells.n * distances**2).sum())
        if not cost < before:
            return Fit(centroids, labels, distances, cost + cells.hidden)
        size, *sums = (np.bincount(labels, total, k) for total in cells.totals)
        filled = (size > 0)[:, None]
        means = np.column_stack(sums) / np.maximum(size, 1)[:, None]
        centroids = np.where(filled, means, centroids)


def require_distinct(distinct: int, k: int) -> None:
    """Refuse to make more clusters than there are distinct customers.

    Raises
    ------
    BadInputError
        If `distinct` is less than `k`.
    """
    if distinct < k:
        raise BadInputError(
            f"k is {k}, but there are only {distinct} distinct customers; expected at least one "
            f"for each cluster. Set k to {distinct} or less."
        )


def _search(cells: Cells, ks: range, seed: int, effort: Effort) -> list[Fit]:
    """Find a good start for each of `ks`: from draws, and from its neighbours' solutions."""
    coarse = starts.coarse_enough(cells, ks[-1], effort.coarse)
    ks = range(ks[0], min(ks[-1], len(coarse)) + 1)
    draws = starts.draw(coarse, ks[-1], seed, effort.count(len(coarse)))
    # The first k centres of a draw are a draw of k centres.
    found = [fit_best(coarse, [one[:k] for one in draws]) for k in ks]
    for i in range(1, len(ks)):
        more = fit_best(coarse, starts.one_more(coarse, found[i - 1].centroids))
        found[i] = min(found[i], more, key=_inertia)
    for i in reversed(range(len(ks) - 1)):
        less = fit_best(coarse, starts.one_less(coarse, found[i + 1].centroids))
        found[i] = min(found[i], less, key=_inertia)
    return found


def _without_empty(fit: Fit) -> Fit:
    """Refuse empty clusters: customers so near each other that their squared distance is 0."""
    k, apart = len(fit.centroids), len(np.unique(fit.labels))
    if apart < k:
        raise BadInputError(
            f"k = {k}, but double precision tells only {apart} customers apart; expected at least "
            "k. Choose a smaller k."
        )
    return fit


def _inertia(fit: Fit) -> float:
    return fit.inertia
