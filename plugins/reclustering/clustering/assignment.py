"""Who is in which cluster: the label of every customer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from upath import UPath

from reclustering.clustering.cells import nearest
from reclustering.clustering.queries import COLUMNS, NONZERO
from reclustering.clustering.scaling import coordinates_query, scale_of, to_coordinates
from reclustering.core.contracts import FEATURES, LABELS_SCHEMA
from reclustering.core.protocols import Customers


def label_customers(customers: Customers, clusters: dict[str, Any], out: UPath) -> list[int]:
    """Write features.parquet with a column `label` more, row by row in the same order, and count returners.

    Parameters
    ----------
    customers : Customers
        All of them.
    clusters : dict
        The content of clusters.json.
    out : UPath
        Where to write labels.parquet.

    Returns
    -------
    list of int
        For each label, how many of its customers have returned anything.

    Raises
    ------
    BadInputError
        If the features cannot be read.
    """
    customers.define("labelled", labels_query(clusters))
    customers.write("SELECT * FROM labelled", out, LABELS_SCHEMA)
    returners = dict(
        customers.rows(f"SELECT label, count(*) FROM labelled WHERE {NONZERO} GROUP BY label")  # noqa: S608
    )
    return [int(returners.get(label, 0)) for label in range(clusters["k"])]


def labels_query(clusters: dict[str, Any]) -> str:
    """Return the query for what `predictor` says of every customer, in the same arithmetic."""
    scale = scale_of(clusters["scaling"])
    centroids = np.array(clusters["coordinates"], dtype=float) / scale
    scaled = ", ".join(f"x{j} / {float(scale[j])!r} AS s{j}" for j in range(len(FEATURES)))
    distances = ", ".join(
        f"sqrt({' + '.join(_squared(j, float(value)) for j, value in enumerate(centroid))}) AS d{i}"
        for i, centroid in enumerate(centroids)
    )
    every = [f"d{i}" for i in range(len(centroids))]
    nearest_first = " ".join(f"WHEN {one} THEN {i}" for i, one in enumerate(every))
    own = ", ".join(["customer", *COLUMNS])
    least = f"least({', '.join(every)})" if len(every) > 1 else every[0]
    return (
        f"SELECT {own}, CASE {least} {nearest_first} END AS label"  # noqa: S608
        f" FROM (SELECT {own}, {distances} FROM (SELECT {own}, {scaled}"
        f" FROM ({coordinates_query(clusters['scaling']['method'])}) AS a) AS b) AS c"
    )


def _squared(j: int, value: float) -> str:
    return f"(s{j} - {value!r}) * (s{j} - {value!r})"


def predictor(clusters: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Give the function that labels customers with the nearest centroid.

    Parameters
    ----------
    clusters : dict
        The content of clusters.json.

    Returns
    -------
    callable
        Takes features in their own units, an ndarray of shape (n, 4), columns as `FEATURES`, and
        gives the labels that the run published, an ndarray of shape (n,), uint8. As near to two
        centroids: the lower label. It raises ValueError if its argument has another shape or is not
        finite.
    """
    scale, method = scale_of(clusters["scaling"]), clusters["scaling"]["method"]
    centroids = np.array(clusters["coordinates"], dtype=float)

    def predict(X: np.ndarray) -> np.ndarray:
        X = np.asarray(X, dtype=float)
        if X.ndim != 2 or X.shape[1] != len(FEATURES):
            raise ValueError(
                f"X has the shape {X.shape}; expected (n, {len(FEATURES)}): {', '.join(FEATURES)}."
            )
        if not np.isfinite(X).all():
            raise ValueError(
                "X holds NaN or infinity; expected finite features. Drop or mend those rows."
            )
        labels, _ = nearest(to_coordinates(X, method), centroids, scale)
        return labels.astype(np.uint8)

    return predict


def centroid_distances(clusters: dict[str, Any], x: Sequence[float]) -> list[tuple[int, float]]:
    """Say how far a customer is from each centroid.

    Parameters
    ----------
    clusters : dict
        The content of clusters.json.
    x : sequence of float
        The features in their own units, in the order of `FEATURES`.

    Returns
    -------
    list of (int, float)
        Each label, and the Euclidean distance in scaled units, as the fit measures it; nearest first.
    """
    scale = scale_of(clusters["scaling"])
    point = to_coordinates(np.array([x], dtype=float), clusters["scaling"]["method"])
    away = np.linalg.norm((np.array(clusters["coordinates"]) - point) / scale, axis=1)
    return sorted(enumerate(away.tolist()), key=itemgetter(1))
