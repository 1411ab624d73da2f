"""What the data say of the number of groups: where the curve bends, and whether the groups stand apart.

Any falling curve bends somewhere, so a bend counts only if it is sharper than those of data without
groups, and if every group stands apart from its neighbours. `benchmarks/number_of_groups.py` compares
this with other methods, and gave the two bounds.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from reclustering.clustering.cells import Cells
from reclustering.clustering.kmeans import Fit
from reclustering.clustering.validity import cluster_silhouettes

SHARPEST_BEND = 2.0
"""Data without groups bend less than this, at a k at which they also seem to stand apart."""

FEW_ROWS = 64
"""Few distinct rows bend more by chance: by this, over their number."""

APART = 0.5
"""Mean silhouette that the least distinct group must have: "a reasonable structure has been found"
(L. Kaufman, P. Rousseeuw, "Finding groups in data", 1990, table 4 of chapter 2)."""


def weigh(cells: Cells, fits: list[Fit]) -> dict[str, Any]:
    """Say for which number of groups the data speak, if for any.

    Parameters
    ----------
    cells : Cells
        The customers, those far from all others left out.
    fits : list of Fit
        Solutions for k = 1, 2, ..., one k further than may be chosen.

    Returns
    -------
    dict
        ``groups``: the k that bends most of those that are clear, or None. ``bends``: of k = 2, 3,
        ..., how many times as steep the curve is up to k as after it, on logarithmic axes, on which
        the curve of data without groups is nearly straight; None where it ends. ``sharpest``: the k
        of the greatest, None if there is none. ``needed``: the least bend that is clear. ``apart``:
        mean silhouette of the least distinct group, by k, where the bend is sharp enough to ask.
    """
    inertia = np.array([fit.inertia for fit in fits])
    bends = bends_of(inertia)
    needed = SHARPEST_BEND + FEW_ROWS / len(cells)
    apart = {
        k: float(cluster_silhouettes(cells, fits[k - 1]).min())
        for k, bend in enumerate(bends, start=2)
        if bend >= needed
    }
    clear = [k for k, least in apart.items() if least >= APART]
    return {
        "groups": max(clear, key=lambda k: bends[k - 2]) if clear else None,
        "bends": bends,
        "sharpest": int(np.argmax(bends)) + 2 if bends else None,
        "needed": needed,
        "apart": apart,
    }


def bends_of(inertia: np.ndarray) -> list[float]:
    """Return how sharply a falling curve bends at k = 2, 3, ..., its last but one.

    The ratio of its slopes before and after k, both on logarithmic axes.

    Parameters
    ----------
    inertia : ndarray of shape (k_max,), float64
        For k = 1, 2, ...; it ends where it reaches 0, for there every distinct row is a group.
    """
    inertia = inertia[inertia > 1e-12 * inertia[0]]
    k = np.arange(1, len(inertia) + 1)
    slopes = np.diff(np.log(inertia)) / np.diff(np.log(k))
    return [float(before / after) if after < 0 else 0.0 for before, after in pairwise(slopes)]
