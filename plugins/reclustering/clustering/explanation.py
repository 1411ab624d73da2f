"""What a fit is made of: how good it is, and which features tell its clusters apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclustering.clustering.cells import Cells
from reclustering.clustering.kmeans import Fit
from reclustering.clustering.validity import cluster_silhouettes, sizes
from reclustering.core.contracts import FEATURES

NEARLY_ALL = 0.9
"""Share of the variance between clusters above which one feature decides alone."""


def explain(cells: Cells, fit: Fit, scaling: str, far: np.ndarray) -> dict[str, Any]:
    """Say how good a fit is, and what it rests on.

    Parameters
    ----------
    cells : Cells
        The customers that were fitted.
    fit : Fit
        Their clusters.
    scaling : Scaling
        How features were weighed against each other.
    far : ndarray of shape (n_cells,), bool
        Which customers are far from all others.

    Returns
    -------
    dict
        ``explained``: the share of the variance (0 to 1) that lies between clusters. ``carried``: the
        share of that (0 to 1) that each feature carries, those far from all others left out, for one
        of them can be most of it; None if there is none. ``silhouettes``: the
        mean silhouette (-1 to 1) of each cluster's customers, None for a single cluster. ``warning``:
        a sentence if one feature is nearly all of it, else None.
    """
    scaled = fit.centroids / cells.scale
    between = float(_between(scaled, sizes(cells, fit)).sum())
    total = between + fit.inertia
    of_groups = _between(scaled, np.bincount(fit.labels[~far], cells.n[~far], len(scaled)))
    carried = (of_groups / of_groups.sum()).tolist() if of_groups.any() else None
    return {
        "explained": between / total if total else 1.0,
        "carried": dict(zip(FEATURES, carried, strict=True)) if carried else None,
        "silhouettes": cluster_silhouettes(cells, fit).tolist() if len(scaled) > 1 else None,
        "warning": _warning(carried, scaling) if carried else None,
    }


def influence(cells: Cells, X: np.ndarray) -> np.ndarray:
    """Say what one customer on each row makes up of the variance of all.

    Parameters
    ----------
    cells : Cells
        The customers that were fitted, whoever is on the rows among them.
    X : ndarray of shape (m, 4), float64
        Rows, as coordinates.

    Returns
    -------
    ndarray of shape (m,), float64
        Shares, 0 to 1.
    """
    centre = np.average(cells.scaled, axis=0, weights=cells.n)
    total = cells.hidden + cells.n @ ((cells.scaled - centre) ** 2).sum(axis=1)
    squared: np.ndarray = ((X / cells.scale - centre) ** 2).sum(axis=1)
    return squared / total


def _between(centroids: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the squared distances of the centroids to their mean, summed over customers, by feature."""
    # From the first, so that equal centroids are exactly at their mean.
    moved = centroids - centroids[0]
    squared: np.ndarray = weights @ (moved - np.average(moved, axis=0, weights=weights)) ** 2
    return squared


def _warning(carried: list[float], scaling: str) -> str | None:
    most = int(np.argmax(carried))
    if carried[most] < NEARLY_ALL:
        return None
    others = " or ".join(one for one in ("standard", "robust", "log") if one != scaling)
    return (
        f"{FEATURES[most]} carries {carried[most]:.0%} of what tells the clusters apart: they are bins of "
        f"it, and the other features hardly count. Try scaling={others}."
    )
