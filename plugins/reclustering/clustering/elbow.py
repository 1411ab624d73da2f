"""How many clusters: the elbow curve, and which k to use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from typing import Any

import numpy as np

from reclustering.clustering.cells import Cells, coarsen
from reclustering.clustering.choice import DEFAULT_GROUPS, Choice, Published, choose_groups
from reclustering.clustering.evidence import weigh
from reclustering.clustering.kmeans import Fit, fit_curve, require_distinct, settle
from reclustering.clustering.outliers import find_far, group_far, name_customers, split
from reclustering.clustering.scaling import define_points
from reclustering.clustering.validity import validity_indices
from reclustering.core.contracts import FEATURES
from reclustering.core.errors import BadInputError
from reclustering.core.params import LARGEST_K, PATIENCE
from reclustering.core.protocols import Customers

CURVE_CELLS = 2**14
"""The curve is drawn on a summary of this size, if that is fine enough."""

INDEX_NAMES = {
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin",
    "silhouette": "the silhouette",
}


def find_elbow(
    customers: Customers,
    *,
    k: int | None,
    k_max: int,
    scaling: str,
    outliers: str = "keep",
    history: Sequence[Published] = (),
    patience: int = PATIENCE,
    seed: int = 111,
) -> dict[str, Any]:
    """Choose the number of clusters.

    Customers far from all others have no say in it. Of the others, the evidence is for a number of
    groups or for none, and what was published before is kept until the evidence for another number
    lasts. Kept in the fit, far customers need clusters of their own, so that the groups keep theirs.

    Parameters
    ----------
    customers : Customers
        All of them.
    k : int or None
        A fixed number of clusters, at least 1; None to choose.
    k_max : int
        Where the curve ends, at least 1. It ends earlier if distinct customers are fewer.
    scaling : Scaling
        How features are weighed against each other.
    outliers : Outliers
        Whether customers far from all others take part in the curve and the fit.
    history : sequence of Published
        Earlier runs with the same scaling and outliers, newest first.
    patience : int
        For how many days in a row the evidence must speak for another number of groups.
    seed : int
        Of the k-means++ draws.

    Returns
    -------
    dict
        The content of elbow.json. ``method`` is that of `Choice`; ``reason`` says it in words.
        ``groups`` of the k clusters are groups, ``far_groups`` are customers far from all others, who
        are named under ``outliers``. ``evidence`` is that of `weigh`, with ``since`` and ``in_a_row``.
        ``curve`` holds for each k the inertia (squared scaled distances to the nearest centroid,
        summed over customers; merging customers into cells may raise it by about 1 %) and the
        mean scaled distance. ``distinct_rows`` is None where customers were merged, because there
        are too many to count. ``centroids`` are those of the chosen k, as coordinates, from which the
        fit can start.

    Raises
    ------
    BadInputError
        If k or k_max is below 1, a fixed k exceeds the distinct customers, so many customers are far
        from all others that k would exceed `LARGEST_K`, or the file is unreadable or empty.
    """
    for name, value in (("k", k), ("k_max", k_max)):
        if value is not None and value < 1:
            raise BadInputError(f"{name} is {value}; expected at least 1. Change the parameter.")
    keep = outliers == "keep"
    define_points(customers, scaling)
    _, far, found = find_far(customers, scaling, set_aside=not keep)
    summaries, again = tee(_for_curve(found))
    longest = max(k_max + 1, k or 1, history[0].groups if history else DEFAULT_GROUPS)
    others, fits = fit_curve((split(one, far)[0] for one in summaries), longest, seed)
    far_centroids = group_far(far, others) if keep else far[:0]
    far_groups = len(far_centroids)
    evidence = weigh(others, fits[: k_max + 1])
    fixed = None if k is None else max(k - far_groups, 1)
    choice = choose_groups(evidence["groups"], history, fixed=fixed, patience=patience)
    groups = min(choice.groups, len(fits))
    chosen = k or _possible(groups + far_groups)
    cells = others
    if len(far) and keep:
        start = np.vstack([fits[groups - 1].centroids, far_centroids])
        cells, fits = _with_far(again, chosen, max(k_max, chosen), seed, start)
    named = name_customers(customers, far)
    require_distinct(len(fits), chosen)
    curve = [_point(cells, fit) for fit in fits[:k_max]]
    indices = validity_indices(cells, fits[:k_max])
    result = {
        "k": chosen,
        "method": choice.method,
        "groups": groups,
        "far_groups": far_groups,
        "outliers": {"mode": outliers, "customers": named},
        "evidence": evidence | {"since": choice.since, "in_a_row": choice.in_a_row},
        "previous_k": history[0].k if history else None,
        "change": _change(chosen, history[0].k if history else None),
        "indices": indices,
        "disagreement": _disagreement(chosen, indices),
        "curve": curve,
        "k_max": k_max,
        "scaling": scaling,
        "seed": seed,
        "rows": cells.rows,
        "distinct_rows": None if cells.width else len(cells),
        "features": list(FEATURES),
        "centroids": fits[chosen - 1].centroids.tolist(),
    }
    result["reason"] = _reason(result, choice, history, patience)
    return result | {"alt_text": alt_text(result)}


def alt_text(elbow: dict[str, Any]) -> str:
    """Say in words what the elbow plot shows."""
    first, last = elbow["curve"][0], elbow["curve"][-1]
    return (
        f"Line charts of inertia and mean distance to the centroid over the number of clusters. "
        f"Inertia falls from {first['inertia']:,.4g} at k = 1 to {last['inertia']:,.4g} at "
        f"k = {last['k']}, the mean distance from {first['mean_distance']:,.3g} to "
        f"{last['mean_distance']:,.3g}. k = {elbow['k']} is marked. {elbow['reason']}"
    )


def _for_curve(summaries: Iterable[Cells]) -> Iterator[Cells]:
    for cells in summaries:
        yield coarsen(cells, CURVE_CELLS)
        yield cells


def _with_far(
    summaries: Iterator[Cells], k: int, longest: int, seed: int, start: np.ndarray
) -> tuple[Cells, list[Fit]]:
    """Draw the curve of all customers; at k it is no worse than the groups and the far together."""
    cells, fits = fit_curve(summaries, longest, seed)
    if len(start) == k <= len(fits):
        fits[k - 1] = min(fits[k - 1], settle(cells, start), key=lambda fit: fit.inertia)
    return cells, fits


def _point(cells: Cells, fit: Fit) -> dict[str, Any]:
    return {
        "k": len(fit.centroids),
        "inertia": fit.inertia,
        "mean_distance": float((cells.n * fit.distances).sum()) / cells.rows,
    }


def _possible(k: int) -> int:
    if k > LARGEST_K:
        raise BadInputError(
            f"So many customers are far from all others that k would be {k}; expected at most "
            f"{LARGEST_K}. Trigger with outliers=set_aside, or mend the records that elbow.json names."
        )
    return k


def _reason(
    elbow: dict[str, Any], choice: Choice, history: Sequence[Published], patience: int
) -> str:
    """Say in words where k comes from, and what the evidence is."""
    groups = _count(elbow["groups"], "group")
    how = {
        "fixed": "set by the parameter k",
        "clear": groups,
        "kept": f"{groups}, as on {history[0].as_of}" if history else "",
        "replaced": f"{groups}, for which the evidence has been clear on {choice.in_a_row} days in a row",
        "default": f"{groups} by default, for nothing was published before",
    }[choice.method]
    far = elbow["outliers"]["customers"]
    if far and elbow["outliers"]["mode"] == "set_aside":
        how += f"; {_count(len(far), 'customer')} far from all others set aside"
    elif far and choice.method != "fixed":
        how += f" and {_count(len(far), 'customer')} far from all others"
    return f"k = {elbow['k']}: {how}. {_evidence(elbow, choice, patience)}"


def _evidence(elbow: dict[str, Any], choice: Choice, patience: int) -> str:
    evidence = elbow["evidence"]
    groups, bends = evidence["groups"], evidence["bends"]
    if not bends:
        return "There are too few distinct customers for a curve that could bend."
    if groups is None:
        k = evidence["sharpest"]
        why = (
            "the groups do not stand apart there"
            if k in evidence["apart"]
            else f"clear is {evidence['needed']:.1f} times"
        )
        return (
            f"No number of groups is clear: the curve bends most at {k}, where it is "
            f"{bends[k - 2]:.1f} times as steep before as after, but {why}."
        )
    text = f"The curve bends clearly at {groups}: {bends[groups - 2]:.1f} times as steep before as after"
    if choice.method in ("kept", "fixed") and groups != elbow["groups"]:
        since = f", since {choice.since}" if choice.since else ""
        text += f", on {_count(choice.in_a_row, 'day')} in a row{since}; {patience} change k"
    return text + "."


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


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
