"""What the members of a cluster have in common, in figures and in one honest line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from reclustering.clustering.cells import Cells
from reclustering.clustering.kmeans import Fit
from reclustering.clustering.scaling import quantiles
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


def describe_clusters(cells: Cells, fit: Fit) -> list[dict[str, Any]]:
    """Describe each cluster of a fit.

    Parameters
    ----------
    cells : Cells
        The customers.
    fit : Fit
        Their clusters.

    Returns
    -------
    list of dict
        In label order: label, size, share (0 to 1), centroid and profile per feature in its own
        unit, quantiles of the scaled distance to the centroid, flags, description. Quantiles are
        those of the customers where cells are distinct rows, else within one cell's width.
    """
    return [
        _describe(label, fit.centroids[label], cells.take(mask), fit.distances[mask], cells.rows)
        for label, mask in enumerate(fit.labels == k for k in range(len(fit.centroids)))
    ]


def cluster_table(clusters: dict[str, Any]) -> pd.DataFrame:
    """Give the clusters of clusters.json as a table for people.

    Returns
    -------
    DataFrame
        Indexed by label: size, share (0 to 1), and the mean of each feature in its own unit.
    """
    rows = [one["centroid"] | {name: one[name] for name in HEAD} for one in clusters["clusters"]]
    return pd.DataFrame(rows, columns=[*HEAD, *FEATURES]).set_index("label")


def _describe(
    label: int, centroid: np.ndarray, members: Cells, distances: np.ndarray, rows: int
) -> dict[str, Any]:
    size = members.rows
    means = dict(zip(FEATURES, centroid.tolist(), strict=True))
    return {
        "label": label,
        "size": size,
        "share": size / rows,
        "centroid": means,
        "profile": {
            name: {"mean": means[name], **_spread(members.X[:, j], members.n)}
            for j, name in enumerate(FEATURES)
        },
        "distance": _spread(distances, members.n),
        "flags": _flags(size, rows),
        "description": describe(means, size),
    }


def describe(means: dict[str, float], size: int) -> str:
    """Say in one line what customers with these mean features did, and no more than that."""
    orders, items, money, times = (means[name] for name in FEATURES)
    if times == 0:
        return "Never returned anything."
    if size == 1:
        return (
            f"Singleton: one customer with {times:.0f} {'return' if times == 1 else 'returns'}, "
            f"{orders:.0%} of the orders, {items:.0%} of the items, {money:,.0%} of the money."
        )
    if times < 0.5:
        return f"Hardly ever returned anything: {times:.2g} returns per customer on average."
    return (
        f"Returned {_fraction(orders)} orders, {_times(times)}; "
        f"{items:.0%} of the items and {money:.0%} of the money."
    )


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
