"""The clusters of one run: fitted on every customer, numbered, described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from reclustering.cells import summaries
from reclustering.errors import BadInputError
from reclustering.features import FEATURES
from reclustering.kmeans import Effort, nearest, require_distinct, solve_finely
from reclustering.profile import describe_clusters
from reclustering.refine import refine
from reclustering.scaling import fit_scaling, scale_of

EFFORT = Effort(draws=32, cells=2048, blur=0.02, final_blur=0.02)
"""One k is solved with more care than each point of the elbow curve."""


def fit_clusters(features: Path, *, k: int, scaling: str, seed: int = 111) -> dict[str, Any]:
    """Find the k clusters with the least inertia and describe them.

    Parameters
    ----------
    features : Path
        A validated features.parquet.
    k : int
        Number of clusters, at least 1.
    scaling : {"none", "standard", "robust"}
        How features are weighed against each other.
    seed : int
        Of the k-means++ draws. Results are the same to the last bit for the same customers and
        seed, whatever the row order, threads and history.

    Returns
    -------
    dict
        The content of clusters.json. ``inertia`` is in squared scaled units; everything else in
        the features' own units.

    Raises
    ------
    BadInputError
        If there are fewer distinct customers than k, or the file is unreadable or empty.
    """
    if k < 1:
        raise BadInputError(f"k is {k}; expected at least 1.")
    units = fit_scaling(features, scaling)
    found = summaries(features, scale_of(units))
    cells, fits = solve_finely(found, k, seed, EFFORT)
    require_distinct(len(fits), k)
    cells, fit = refine(features, cells, fits[k - 1].centroids)
    clusters = describe_clusters(cells, fit)
    return {
        "k": k,
        "seed": seed,
        "scaling": units,
        "inertia": fit.inertia,
        "rows": cells.rows,
        "quantile_resolution": dict(
            zip(FEATURES, (cells.width * cells.scale).tolist(), strict=True)
        ),
        "clusters": clusters,
        "alt_text": alt_text(clusters),
    }


def assign(clusters: dict[str, Any], X: np.ndarray) -> np.ndarray:
    """Label customers with the nearest centroid.

    Parameters
    ----------
    clusters : dict
        The content of clusters.json.
    X : ndarray of shape (n, 4)
        Features in their own units, columns as `FEATURES`; finite.

    Returns
    -------
    ndarray of shape (n,), uint8
        The labels that the run published. As near to two centroids: the lower label.

    Raises
    ------
    ValueError
        If `X` has another shape or is not finite.
    """
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or X.shape[1] != len(FEATURES):
        raise ValueError(
            f"X has the shape {X.shape}; expected (n, {len(FEATURES)}): {', '.join(FEATURES)}."
        )
    if not np.isfinite(X).all():
        raise ValueError(
            "X holds NaN or infinity; expected finite features. Drop or mend those rows."
        )
    labels, _ = nearest(X, centroids_of(clusters), scale_of(clusters["scaling"]))
    return labels.astype(np.uint8)


def centroids_of(clusters: dict[str, Any]) -> np.ndarray:
    """Return the centroids as an array of shape (k, 4), in label order."""
    return np.array(
        [[one["centroid"][name] for name in FEATURES] for one in clusters["clusters"]], dtype=float
    )


def alt_text(clusters: list[dict[str, Any]]) -> str:
    """Say in words what the cluster plot shows."""
    said = (
        f"Cluster {one['label']}: {one['size']:,} customers ({one['share']:.2%}). {one['description']}"
        for one in clusters
    )
    return (
        f"Bar charts of {len(clusters)} clusters: customers, on a log scale, and the mean of each "
        f"feature. {' '.join(said)}"
    )
