"""What the members of a cluster have in common, in figures and in one honest line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from reclustering.clustering.cells import Cells, nearest
from reclustering.clustering.kmeans import Fit
from reclustering.clustering.scaling import quantiles, to_features
from reclustering.core.contracts import FEATURES

HEAD = ["label", "size", "share"]

TINY = 0.001
"""Clusters of a smaller share of the customers are flagged."""

FRACTIONS = {
    0: "hardly any",
    0.05: "about one of twenty",
    0.1: "about one of ten",
    1 / 7: "about one of seven",
    0.2: "about one of five",
    0.25: "about one of four",
    1 / 3: "about one of three",
    0.4: "about two of five",
    0.5: "about half of the",
    0.6: "about three of five",
    2 / 3: "about two of three",
    0.75: "about three of four",
    0.8: "about four of five",
    0.9: "about nine of ten",
    1.0: "nearly all",
}

TIMES = {1: "once", 2: "twice", 3: "three times", 4: "four times", 5: "five times", 6: "six times"}


def describe_clusters(
    cells: Cells, fit: Fit, scaling: str, set_aside: Cells | None = None
) -> list[dict[str, Any]]:
    """Describe each cluster of a fit.

    Parameters
    ----------
    cells : Cells
        The customers that were fitted.
    fit : Fit
        Their clusters.
    scaling : Scaling
        What the coordinates of cells and fit are.
    set_aside : Cells or None
        Customers that were not fitted; each counts for the size of the nearest cluster.

    Returns
    -------
    list of dict
        In label order: label, size, set_aside (how many of them were not fitted), share (0 to 1),
        centroid and profile per feature in its own unit, quantiles of the scaled distance to the
        centroid, flags, description. Quantiles are those of the fitted customers where cells are
        distinct rows, else within one cell's width.
    """
    k = len(fit.centroids)
    centroids = to_features(fit.centroids, scaling)
    added: np.ndarray = np.zeros(k)
    if set_aside is not None and len(set_aside):
        labels, _ = nearest(set_aside.X, fit.centroids, cells.scale)
        added = np.bincount(labels, set_aside.n, k)
    rows = cells.rows + int(added.sum())
    clusters = []
    for label in range(k):
        mask = fit.labels == label
        X, n = to_features(cells.X[mask], scaling), cells.n[mask]
        # The mean of logarithms is no logarithm of the mean.
        mean = np.average(X, axis=0, weights=n) if scaling == "log" else centroids[label]
        size = int(n.sum() + added[label])
        means = dict(zip(FEATURES, mean.tolist(), strict=True))
        clusters.append(
            {
                "label": label,
                "size": size,
                "set_aside": int(added[label]),
                "share": size / rows,
                "centroid": dict(zip(FEATURES, centroids[label].tolist(), strict=True)),
                "profile": {
                    name: {"mean": means[name], **_spread(X[:, j], n)}
                    for j, name in enumerate(FEATURES)
                },
                "distance": _spread(fit.distances[mask], n),
                "flags": _flags(size, rows),
                "description": describe(means, size),
            }
        )
    return clusters


def cluster_table(clusters: dict[str, Any]) -> pd.DataFrame:
    """Give the clusters of clusters.json as a table for people.

    Returns
    -------
    DataFrame
        Indexed by label: size, share (0 to 1), and the mean of each feature in its own unit.
    """
    rows = [
        {name: one[name] for name in HEAD}
        | {name: one["profile"][name]["mean"] for name in FEATURES}
        for one in clusters["clusters"]
    ]
    return pd.DataFrame(rows, columns=[*HEAD, *FEATURES]).set_index("label")


def describe(means: dict[str, float], size: int) -> str:
    """Say in one line what customers with these mean features did, and no more than that."""
    orders, items, money, times = (means[name] for name in FEATURES)
    if not any(means.values()):
        return "Never returned anything."
    if times == 0:
        return (
            f"No return has a ticket number, but {_part(items)} the items and {_part(money)} the money "
            "came back."
        )
    if size == 1:
        return (
            f"Singleton: one customer with {times:.0f} {'return' if times == 1 else 'returns'}, "
            f"{_part(orders)} the orders, {_part(items)} the items, {_part(money)} the money."
        )
    if times < 0.5:
        return f"Hardly ever returned anything: {times:.2g} returns per customer on average."
    return (
        f"Returned {_fraction(orders)} orders, {_times(times)}; "
        f"{_part(items)} the items and {_part(money)} the money."
    )


def _part(ratio: float) -> str:
    """Give a share of what was bought; what is more than all came back from orders that are not known."""
    return f"{ratio:.0%} of" if ratio < 1.005 else f"{ratio:,.3g} times"


def _fraction(ratio: float) -> str:
    if ratio == 1:
        return "all"
    if ratio > 1:
        return f"{ratio:.2f} times the number of"
    return FRACTIONS[min(FRACTIONS, key=lambda fraction: abs(fraction - ratio))]


def _times(frequency: float) -> str:
    return TIMES.get(round(frequency), f"{frequency:.0f} times")


def _spread(values: np.ndarray, n: np.ndarray) -> dict[str, float]:
    p10, median, p90 = quantiles(values, n, [0.1, 0.5, 0.9]).tolist()
    return {"p10": p10, "median": median, "p90": p90}


def _flags(size: int, rows: int) -> list[str]:
    flags = ["singleton"] if size == 1 else []
    return [*flags, "tiny"] if size < TINY * rows else flags
