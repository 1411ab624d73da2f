"""How many clusters: the elbow curve, its knee, and what the validity indices say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reclustering.clustering.cells import Cells, coarsen
from reclustering.clustering.kmeans import Fit, fit_curve, require_distinct
from reclustering.clustering.scaling import fit_scaling, scale_of
from reclustering.clustering.summaries import summaries
from reclustering.clustering.validity import validity_indices
from reclustering.core.contracts import FEATURES
from reclustering.core.errors import BadInputError

DEFAULT_K = 4
"""The tutorial's k: used when the curve has no clear bend and nothing was published before."""

CURVE_CELLS = 2**14
"""The curve is drawn on a summary of this size, if that is fine enough."""

INDEX_NAMES = {
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin",
    "silhouette": "the silhouette",
}


def find_elbow(
    features: Path,
    *,
    k: int | None,
    k_max: int,
    scaling: str,
    previous_k: int | None,
    seed: int = 111,
) -> dict[str, Any]:
    """Choose the number of clusters from the elbow curve.

    Parameters
    ----------
    features : Path
        A validated features.parquet.
    k : int or None
        A fixed number of clusters, at least 1; None to choose by the knee of the curve.
    k_max : int
        Where the curve ends, at least 1. It ends earlier if distinct customers are fewer.
    scaling : Scaling
        How features are weighed against each other.
    previous_k : int or None
        k of the last published run, kept when the curve has no clear knee; None if there is none.
    seed : int
        Of the k-means++ draws.

    Returns
    -------
    dict
        The content of elbow.json. ``method`` is "fixed" (by the parameter), "knee", "previous" (no
        clear knee, the last run's k) or "default" (neither); ``reason`` says so in a sentence.
        ``curve`` holds for each k the inertia (squared scaled distances to the nearest centroid,
        summed over customers; merging customers into cells may raise it by up to 0.5 %) and the
        mean scaled distance. ``distinct_rows`` is None where customers were merged, because there
        are too many to count. ``centroids`` are those of the chosen k, from which the fit can start.

    Raises
    ------
    BadInputError
        If k or k_max is below 1, a fixed k exceeds the distinct customers, or the file is
        unreadable or empty.
    """
    for name, value in (("k", k), ("k_max", k_max)):
        if value is not None and value < 1:
            raise BadInputError(f"{name} is {value}; expected at least 1. Change the parameter.")
    scale = scale_of(fit_scaling(features, scaling))
    cells, fits = fit_curve(_for_curve(features, scale), max(k_max, k or 1), seed)
    if k is not None:
        require_distinct(len(fits), k)
    curve_fits = fits[:k_max]
    curve = [_point(cells, fit) for fit in curve_fits]
    knee = find_knee([point["inertia"] for point in curve])
    distinct = None if cells.width else len(cells)
    if distinct == 1 and k is None:
        chosen, method, reason = 1, "default", "All customers have the same features: one cluster."
    else:
        chosen, method, reason = _choose(k, knee, previous_k, len(curve))
    indices = validity_indices(cells, curve_fits)
    result = {
        "k": chosen,
        "method": method,
        "reason": reason,
        "knee": knee,
        "previous_k": previous_k,
        "change": _change(chosen, previous_k),
        "indices": indices,
        "disagreement": _disagreement(chosen, indices),
        "curve": curve,
        "k_max": k_max,
        "scaling": scaling,
        "seed": seed,
        "rows": cells.rows,
        "distinct_rows": distinct,
        "features": list(FEATURES),
        "centroids": fits[chosen - 1].centroids.tolist(),
    }
    return result | {"alt_text": alt_text(result)}


def find_knee(inertia: list[float]) -> int | None:
    """Return the k at which a falling curve bends most, None where no bend stands out.

    Parameters
    ----------
    inertia : list of float
        For k = 1, 2, ...

    Notes
    -----
    V. Satopaa, J. Albrecht, D. Irwin, B. Raghavan, "Finding a 'Kneedle' in a haystack", ICDCS
    Workshops 2011, as implemented by `kneed`.
    """
    if len(inertia) < 3 or inertia[0] == inertia[-1]:
        return None
    # kneed imports scipy.signal and pyplot: most of this task's start-up.
    from kneed import KneeLocator

    ks = range(1, len(inertia) + 1)
    knee = KneeLocator(ks, inertia, curve="convex", direction="decreasing").knee
    return None if knee is None else int(knee)


def alt_text(elbow: dict[str, Any]) -> str:
    """Say in words what the elbow plot shows."""
    first, last = elbow["curve"][0], elbow["curve"][-1]
    return (
        f"Line charts of inertia and mean distance to the centroid over the number of clusters. "
        f"Inertia falls from {first['inertia']:,.4g} at k = 1 to {last['inertia']:,.4g} at "
        f"k = {last['k']}, the mean distance from {first['mean_distance']:,.3g} to "
        f"{last['mean_distance']:,.3g}. k = {elbow['k']} is marked. {elbow['reason']}"
    )


def _for_curve(features: Path, scale: np.ndarray) -> Iterator[Cells]:
    for cells in summaries(features, scale):
        yield coarsen(cells, CURVE_CELLS)
        yield cells


def _point(cells: Cells, fit: Fit) -> dict[str, Any]:
    return {
        "k": len(fit.centroids),
        "inertia": fit.inertia,
        "mean_distance": float((cells.n * fit.distances).sum()) / cells.rows,
    }


def _choose(
    fixed: int | None, knee: int | None, previous_k: int | None, largest: int
) -> tuple[int, str, str]:
    """Return k, the method and the reason."""
    if fixed is not None:
        bend = f"bends most at k = {knee}" if knee else "has no clear bend"
        return fixed, "fixed", f"k = {fixed} was set by the parameter k; the curve {bend}."
    if knee is not None:
        return knee, "knee", f"The curve bends most at k = {knee}."
    why = "The curve has no clear bend"
    if previous_k is not None:
        k = min(previous_k, largest)
        return (
            k,
            "previous",
            f"{why}; k = {k} is that of the last published run{_cut(k, previous_k)}.",
        )
    k = min(DEFAULT_K, largest)
    return (
        k,
        "default",
        f"{why} and no run was published before; k = {k} is the default{_cut(k, DEFAULT_K)}.",
    )


def _cut(k: int, wanted: int) -> str:
    return f", {wanted}, cut to where the curve ends" if k < wanted else ""


def _change(k: int, previous_k: int | None) -> str:
    if previous_k is None:
        return "No run was published before."
    if k == previous_k:
        return f"k = {k}, as in the last published run."
    return f"k changed from {previous_k} in the last published run to {k}."


def _disagreement(k: int, indices: dict[str, dict[str, Any]]) -> str:
    others = {name: one["k"] for name, one in indices.items() if one["k"] not in (None, k)}
    if not others:
        return f"No index speaks for another k than {k}."
    named = [f"{INDEX_NAMES[name]} for k = {other}" for name, other in others.items()]
    return f"Against k = {k} speaks " + ", ".join(named) + "."
