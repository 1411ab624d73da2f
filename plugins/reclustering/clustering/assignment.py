"""Who is in which cluster: the label of every customer, streamed from one Parquet file to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reclustering.clustering.cells import nearest
from reclustering.clustering.feature_scan import read_batches
from reclustering.clustering.scaling import feature_matrix, scale_of, to_coordinates
from reclustering.core.contracts import FEATURES, LABELS_SCHEMA

REPEATED = ["frequency", "label"]
"""Columns of few values: a dictionary of the others only costs time."""


def label_customers(
    features: Path, clusters: dict[str, Any], out: Path, batch_size: int = 262_144
) -> list[int]:
    """Write features.parquet with a column `label` more, row by row in the same order, and count returners.

    Parameters
    ----------
    features : Path
        A validated features.parquet.
    clusters : dict
        The content of clusters.json.
    out : Path
        Where to write labels.parquet.
    batch_size : int
        Rows in memory at a time; the labels do not depend on it.

    Returns
    -------
    list of int
        For each label, how many of its customers have returned anything.

    Raises
    ------
    BadInputError
        If `features` cannot be read.
    """
    predict = predictor(clusters)
    returners = np.zeros(clusters["k"], dtype=np.int64)
    with pq.ParquetWriter(out, LABELS_SCHEMA, use_dictionary=REPEATED) as sink:
        for batch in read_batches(features, batch_size):
            X = feature_matrix(batch)
            found = predict(X)
            returners += np.bincount(found[X.any(axis=1)], minlength=clusters["k"])
            label = pa.Array.from_buffers(pa.uint8(), batch.num_rows, [None, pa.py_buffer(found)])
            sink.write_batch(pa.record_batch([*batch.columns, label], schema=LABELS_SCHEMA))
    return [int(n) for n in returners]


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
