"""The clusters of one run: fitted on every customer, numbered, described."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import tee
from typing import Any

import numpy as np

from reclustering.clustering.cells import Cells
from reclustering.clustering.explanation import explain, influence
from reclustering.clustering.kmeans import fit_k
from reclustering.clustering.outliers import are_far, find_far, name_customers, split
from reclustering.clustering.profile import describe_clusters
from reclustering.clustering.refinement import refine
from reclustering.clustering.scaling import define_points, to_coordinates
from reclustering.clustering.stability import stability
from reclustering.core.contracts import FEATURES
from reclustering.core.errors import BadInputError
from reclustering.core.protocols import Customers


def cluster_customers(
    customers: Customers,
    *,
    k: int,
    scaling: str,
    outliers: str = "keep",
    start: Sequence[Sequence[float]] | None = None,
    seed: int = 111,
) -> dict[str, Any]:
    """Find the k clusters with the least inertia and describe them.

    Parameters
    ----------
    customers : Customers
        All of them.
    k : int
        Number of clusters, at least 1.
    scaling : Scaling
        How features are weighed against each other.
    outliers : Outliers
        Whether customers far from all others take part. Set aside, they get the nearest centroid's
        label and count for its size, and for nothing else.
    start : sequence of k centroids, or None
        A solution that is known already, as coordinates: the result is no worse.
    seed : int
        Of the k-means++ draws. Results are the same to the last bit for the same customers and
        seed, whatever the row order, threads and history.

    Returns
    -------
    dict
        The content of clusters.json. ``inertia`` is in squared scaled units, ``coordinates`` are the
        centroids where distances are measured; everything else is in the features' own units. Kept far
        customers have an ``influence``: what each makes up of the variance of all (0 to 1).

    Raises
    ------
    BadInputError
        If there are fewer distinct customers than k, or the file is unreadable or empty.
    """
    if k < 1:
        raise BadInputError(f"k is {k}; expected at least 1.")
    set_aside = outliers == "set_aside"
    define_points(customers, scaling)
    units, far, found = find_far(customers, scaling, set_aside=set_aside)
    left_out = far if set_aside else far[:0]
    first, finer = tee(found)
    _, apart = split(next(first), left_out)
    cells, solution = fit_k(
        (split(one, left_out)[0] for one in finer),
        k,
        seed,
        also=[] if start is None else [np.array(start, dtype=float)],
    )
    cells, fit = refine(customers, cells, solution.centroids, scaling)
    named = name_customers(customers, far)
    if not set_aside:
        named = _with_influence(named, cells, scaling)
    clusters = describe_clusters(cells, fit, scaling, apart)
    quality = explain(cells, fit, scaling, are_far(cells, far))
    return {
        "k": k,
        "seed": seed,
        "scaling": units,
        "coordinates": fit.centroids.tolist(),
        "outliers": {"mode": outliers, "customers": named},
        "inertia": fit.inertia,
        "rows": cells.rows + apart.rows,
        "quantile_resolution": dict(
            zip(FEATURES, (cells.width * cells.scale).tolist(), strict=True)
        ),
        "quality": quality,
        "stability": stability(cells, fit.centroids, seed),
        "clusters": clusters,
        "alt_text": alt_text(clusters, quality["warning"]),
    }


def _with_influence(
    customers: list[dict[str, Any]], cells: Cells, scaling: str
) -> list[dict[str, Any]]:
    X = np.array([[one[name] for name in FEATURES] for one in customers], dtype=float)
    shares = influence(cells, to_coordinates(X.reshape(-1, len(FEATURES)), scaling)).tolist()
    return [one | {"influence": share} for one, share in zip(customers, shares, strict=True)]


def alt_text(clusters: list[dict[str, Any]], warning: str | None) -> str:
    """Say in words what the cluster plot shows."""
    said = (
        f"Cluster {one['label']}: {one['size']:,} customers ({one['share']:.2%}). {one['description']}"
        for one in clusters
    )
    return (
        f"Bar charts of {len(clusters)} clusters: customers, on a log scale, and the mean of each "
        f"feature. {' '.join([*said, warning or ''])}".rstrip()
    )
