"""Lloyd's iteration, and the search for where to start it, on weighted cells in memory.

The objective is k-means' own: squared scaled distance to the nearest centroid, summed over
customers. SciPy's `vq` finds the nearest centroid, row by row in one thread, so results do not
depend on the machine's cores. Centroids are kept in original units throughout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import vq

from reclustering.clustering.cells import Cells, coarsen, sharpen
from reclustering.core.errors import BadInputError

SPLITS = 4
"""Places at which a solution for k - 1 is tried with one more centroid."""

REMOVALS = 8
"""Centroids without which a solution for k + 1 is tried, cheapest first."""

LOOKAHEAD = 2
"""A search for k clusters also solves this many k above: good solutions make good neighbours."""

SEARCH_TOLERANCE = 1e-4
"""While starts are compared, an iteration that lowers the cost by less than this share is the last."""

GREEDY = 3
"""Candidates more at each step of every other draw."""

FIRST_ITERATIONS = 3
"""Every start is given this many iterations,"""

FINALISTS = 3
"""and only so many of the best are given more; they are compared again on a finer summary,"""

FINER = 5
"""which may hide so many times less."""

MOST_ITERATIONS = 10_000
"""Far above any seen: an end for a loop that theory says has one."""


@dataclass(frozen=True)
class Effort:
    """How hard to look for a good start.

    Attributes
    ----------
    draws : int
        k-means++ draws. Each serves every k: its first k centres are a draw of k centres.
    cells : int
        Starts are compared on a summary of this size,
    blur : float
        or on a larger one, if that hides more than this share of the inertia at the largest k.
    final_blur : float
        The same for the summary on which the best starts are iterated.
    """

    draws: int
    cells: int
    blur: float
    final_blur: float


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


def nearest(
    X: np.ndarray, centroids: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest centroid of each row, and the scaled distance to it.

    A row as near to one centroid as to another gets the lower label. Every row is worked out by
    itself, so neither its label nor its distance depends on the rows around it.
    """
    labels, distances = vq(X / scale, centroids / scale, check_finite=False)
    return labels, distances


def lloyd(
    cells: Cells,
    centroids: np.ndarray,
    *,
    iterations: int = MOST_ITERATIONS,
    tolerance: float = 0.0,
) -> Fit:
    """Move each centroid to the mean of its customers until no cell changes cluster.

    Parameters
    ----------
    cells : Cells
        At least k of them.
    centroids : ndarray of shape (k, 4), float64
        Where to start, in original units.
    iterations, tolerance
        Stop early after so many iterations, or when one lowers the cost by no more than this share.

    Returns
    -------
    Fit

    Raises
    ------
    BadInputError
        If double precision cannot tell k customers apart.

    Notes
    -----
    S. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28, 1982.
    scikit-learn stops earlier, once the centroids move less than 1e-4 of the variance. A centroid
    that loses all its customers starts again at the cell that costs most, as there.
    """
    k = len(centroids)
    points = cells.scaled
    before, cost_before = np.array([]), np.inf
    for _ in range(iterations):
        labels, distances = vq(points, centroids / cells.scale, check_finite=False)
        costs = cells.n * distances**2
        cost = costs.sum()
        # Rounding can make two equally good solutions alternate for ever.
        if np.array_equal(labels, before) or cost >= (1 - tolerance) * cost_before:
            break
        before, cost_before = labels, cost
        size, *sums = (np.bincount(labels, total, k) for total in cells.totals)
        lost = size == 0
        centroids = np.column_stack(sums) / np.where(lost, 1, size)[:, None]
        if lost.any():
            centroids[lost] = cells.X[_costliest(costs, int(lost.sum()), k)]
    return Fit(centroids, labels, distances, float(cost) + cells.hidden)


def solve_finely(
    summaries: Iterable[Cells], k_max: int, seed: int, effort: Effort
) -> tuple[Cells, list[Fit]]:
    """Cluster the first summary that is fine enough for `k_max` clusters.

    Parameters
    ----------
    summaries : iterable of Cells
        From coarse to exact.
    k_max : int
        The largest k.
    seed, effort
        As for `solve`.

    Returns
    -------
    cells : Cells
        The summary used.
    fits : list of Fit
        For k = 1, 2, ..., `k_max`; shorter if there are fewer distinct customers.
    """
    for cells in summaries:
        exact = cells.width == 0
        if exact or len(cells) >= 4 * k_max:
            fits = solve(cells, min(k_max, len(cells)), seed, effort)
            if exact or cells.hidden <= effort.final_blur * fits[-1].inertia:
                break
    return cells, fits


def solve(cells: Cells, k_max: int, seed: int, effort: Effort) -> list[Fit]:
    """Cluster the cells for every k from 1 to `k_max`.

    Starts are compared on a small summary of the cells; the best for each k is then iterated on
    the cells themselves.

    Parameters
    ----------
    cells : Cells
        At least `k_max` of them.
    k_max : int
        The largest k.
    seed : int
        Of the k-means++ draws.
    effort : Effort
        How hard to look.

    Returns
    -------
    list of Fit
        For k = 1, 2, ..., `k_max`; inertia never rises along it.
    """
    summary = coarsen(cells, max(effort.cells, 4 * k_max))
    summary = _sharp_enough(cells, summary, k_max, seed, effort.blur)
    finer = _sharp_enough(cells, summary, k_max, seed, effort.blur / FINER)
    found = _search(summary, min(k_max + LOOKAHEAD, len(summary)), seed, effort.draws)
    fits: list[Fit] = []
    for finalists in found[:k_max]:
        seen_finer = (
            lloyd(finer, finalist.centroids, tolerance=SEARCH_TOLERANCE) for finalist in finalists
        )
        fit = lloyd(cells, min(seen_finer, key=_inertia).centroids)
        if fits and fit.inertia > fits[-1].inertia:
            fit = lloyd(cells, _with_one_more(cells, fits[-1])[0].centroids)
        fits.append(fit)
    return fits


def _sharp_enough(cells: Cells, summary: Cells, k_max: int, seed: int, blur: float) -> Cells:
    """Sharpen a summary of the cells until it hides less than `blur` of the inertia at `k_max`."""
    while summary is not cells:
        if len(summary) >= 4 * k_max:
            draw = _draw(summary, k_max, np.random.default_rng(seed), GREEDY)
            inertia = lloyd(summary, summary.X[draw], tolerance=SEARCH_TOLERANCE).inertia
            if summary.hidden - cells.hidden <= blur * inertia:
                break
        summary = sharpen(cells, summary)
    return summary


def _search(cells: Cells, k_max: int, seed: int, count: int) -> list[list[Fit]]:
    """Return the finalists for each k, from random draws and from one another."""
    rng = np.random.default_rng(seed)
    draws = [_draw(cells, k_max, rng, i % 2 * GREEDY) for i in range(count)]
    found = [_finalists(cells, (cells.X[draw[:k]] for draw in draws)) for k in range(1, k_max + 1)]
    for i in range(1, k_max):
        found[i] = _leading([*found[i], *_with_one_more(cells, found[i - 1][0])])
    for i in range(k_max - 2, 0, -1):
        found[i] = _leading([*found[i], *_with_one_less(cells, found[i + 1][0])])
    return found


def _finalists(cells: Cells, starts: Iterable[np.ndarray]) -> list[Fit]:
    """Iterate every start a little, and those that then lead to the end."""
    tried = [lloyd(cells, start, iterations=FIRST_ITERATIONS) for start in starts]
    return _leading(
        [lloyd(cells, f.centroids, tolerance=SEARCH_TOLERANCE) for f in _leading(tried)]
    )


def _leading(fits: list[Fit]) -> list[Fit]:
    """Return the best few fits, best first, each solution once."""
    by_inertia = {fit.inertia: fit for fit in fits}
    return [by_inertia[inertia] for inertia in sorted(by_inertia)[:FINALISTS]]


def _draw(cells: Cells, k: int, rng: np.random.Generator, greedy: int) -> np.ndarray:
    """Choose k cells, each with a chance in proportion to what it costs so far.

    k-means++ of D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA
    2007; with `greedy` more candidates at each step, of which the one that lowers the cost most
    is taken. Greedy draws start better, the others are more varied.
    """
    points = cells.scaled
    candidates = 1 + greedy
    chosen = [weighted_choice(cells.n, rng.random(1))[0]]
    squared = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < k:
        tried = weighted_choice(cells.n * squared, rng.random(candidates))
        to_tried = ((points[tried][:, None, :] - points) ** 2).sum(axis=2)
        options = np.minimum(squared, to_tried)
        best = (options * cells.n).sum(axis=1).argmin()
        chosen.append(tried[best])
        squared = options[best]
    return np.array(chosen)


def _with_one_more(cells: Cells, fit: Fit) -> list[Fit]:
    """Add a centroid to a solution, at each of the places where the cost is."""
    costs = cells.n * fit.distances**2
    places = weighted_choice(costs, (np.arange(SPLITS) + 0.5) / SPLITS)
    places = np.unique(np.append(places, costs.argmax()))
    starts = (np.vstack([fit.centroids, cells.X[place]]) for place in places)
    return _finalists(cells, starts)


def _with_one_less(cells: Cells, fit: Fit) -> list[Fit]:
    """Take a centroid from a solution: each of those that would be missed least."""
    k = len(fit.centroids)
    centroids = fit.centroids / cells.scale
    squared = ((cells.scaled[:, None, :] - centroids) ** 2).sum(axis=2)
    squared[np.arange(len(cells)), fit.labels] = np.inf
    missed = np.bincount(
        fit.labels, cells.n * (squared.min(axis=1) - fit.distances**2), minlength=k
    )
    starts = (np.delete(fit.centroids, j, axis=0) for j in np.argsort(missed)[:REMOVALS])
    return _finalists(cells, starts)


def weighted_choice(weights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the indices at the shares `at` (each in [0, 1)) of the running total of `weights`."""
    total = np.cumsum(weights)
    return np.minimum(np.searchsorted(total, at * total[-1], side="right"), len(weights) - 1)


def _costliest(costs: np.ndarray, count: int, k: int) -> np.ndarray:
    places = np.argsort(-costs, kind="stable")[:count]
    if costs[places[-1]] == 0:
        raise BadInputError(
            f"k = {k}, but double precision tells only {k - count + int((costs > 0).sum())} "
            "customers apart; expected at least k. Choose a smaller k."
        )
    return places


def _inertia(fit: Fit) -> float:
    return fit.inertia
