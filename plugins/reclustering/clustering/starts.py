"""Where k-means starts: k-means++ draws, and solutions with a centroid more or fewer.

They are compared on a summary on which trying them is cheap. A random start seldom finds the optimum
where groups are as unequal as here: five of six customers share one row, and one customer may be worth
a cluster.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from sklearn.cluster import kmeans_plusplus

from reclustering.clustering.cells import Cells, coarsen, nearest

MOST_DRAWS = 100
"""k-means++ draws on a tiny table, where good optima are rare and a start takes no time."""

PLACES = 6
"""Places at which a solution is given one more centroid."""

REMOVALS = 6
"""Centroids without which a solution is tried."""

SIZES = (2**9, 2**11, 2**13, 2**15)
"""Cells of the summaries on which starts are compared, the next only if those before hide too much."""


@dataclass(frozen=True)
class Effort:
    """How hard to look for a start.

    Attributes
    ----------
    draws, work : int
        k-means++ draws; more, as long as draws times cells are at most `work`.
    coarse, fine : float
        Share of the inertia that the summary may hide on which starts are compared, and the one on
        which the best of them are iterated.
    """

    draws: int
    work: int
    coarse: float
    fine: float

    def count(self, cells: int) -> int:
        """Return how many draws to make on so many cells."""
        return max(self.draws, min(MOST_DRAWS, self.work // cells))


def coarse_enough(cells: Cells, k: int, share: float) -> Cells:
    """Return the smallest summary of the cells that hides at most `share` of the inertia at k."""
    coarser = (coarsen(cells, size) for size in SIZES)
    return fine_enough(chain(coarser, [cells]), k, share)


def fine_enough(summaries: Iterable[Cells], k: int, share: float) -> Cells:
    """Return the first summary that hides at most `share` of the inertia at k, or the last.

    What a draw costs will do for the inertia: it is seldom half above the optimum.
    """
    for cells in summaries:
        if cells.width == 0:
            break
        if len(cells) >= 4 * k:
            centroids = draw(cells, k, seed=0, count=1)[0]
            _, distances = nearest(cells.X, centroids, cells.scale)
            if cells.hidden <= share * (cells.n * distances**2).sum():
                break
    return cells


def draw(cells: Cells, k: int, seed: int, count: int) -> list[np.ndarray]:
    """Draw k cells, each with a chance in proportion to what it costs so far; `count` times.

    k-means++ of D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA
    2007, in scikit-learn's greedy form.
    """
    rng = np.random.RandomState(seed)
    return [
        cells.X[kmeans_plusplus(cells.scaled, k, sample_weight=cells.n, random_state=rng)[1]]
        for _ in range(count)
    ]


def one_more(cells: Cells, centroids: np.ndarray) -> list[np.ndarray]:
    """Add a centroid: at places spread over the cost, and last where the cost is greatest."""
    _, distances = nearest(cells.X, centroids, cells.scale)
    costs = cells.n * distances**2
    places = weighted_choice(costs, (np.arange(PLACES - 1) + 0.5) / (PLACES - 1))
    return [np.vstack([centroids, cells.X[i]]) for i in (*places, costs.argmax())]


def one_less(cells: Cells, centroids: np.ndarray) -> list[np.ndarray]:
    """Take a centroid away: each of the `REMOVALS` in turn that would be missed least."""
    squared = ((cells.scaled[:, None, :] - centroids / cells.scale) ** 2).sum(axis=2)
    own, second = np.partition(squared, 1, axis=1)[:, :2].T
    missed = np.bincount(squared.argmin(axis=1), cells.n * (second - own), len(centroids))
    return [np.delete(centroids, j, axis=0) for j in np.argsort(missed, kind="stable")[:REMOVALS]]


def weighted_choice(weights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the indices at the shares `at` (each in [0, 1)) of the running total of `weights`."""
    total = np.cumsum(weights)
    return np.minimum(np.searchsorted(total, at * total[-1], side="right"), len(weights) - 1)
