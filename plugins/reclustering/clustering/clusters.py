"""The clusters of one run: fitted on every customer, numbered, described."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reclustering.clustering.kmeans import fit_k
from reclustering.clustering.profile import describe_clusters
from reclustering.clustering.refinement import refine
from reclustering.clustering.scaling import fit_scaling, scale_of
from reclustering.clustering.summaries import summaries
from reclustering.core.contracts import FEATURES
from reclustering.core.errors import BadInputError


def cluster_customers(
    features: Path,
    *,
    k: int,
    scaling: str,
    start: Sequence[Sequence[float]] | None = None,
    seed: int = 111,
) -> dict[str, Any]:
    """Find the k clusters with the least inertia and describe them.

    Parameters
    ----------
    features : Path
        A validated features.parquet.
    k : int
        Number of clusters, at least 1.
    scaling : Scaling
        How features are weighed against each other.
    start : sequence of k centroids, or None
        A solution that is known already, in the features' own units: the result is no worse.
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
    cells, solution = fit_k(
        summaries(features, scale_of(units)),
        k,
        seed,
        also=[] if start is None else [np.array(start, dtype=float)],
    )
    cells, fit = refine(features, cells, solution.centroids)
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
