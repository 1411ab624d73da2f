"""The unit in which each feature's distances are measured.

k-means weighs a feature by its spread. `none` leaves the features as they are, as the tutorial
does; `standard` measures in standard deviations, `robust` in interquartile ranges. The centre is
kept for readers who want z-scores; distances do not depend on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np

from reclustering.clustering.feature_scan import query, scan
from reclustering.core.contracts import FEATURES
from reclustering.core.errors import BadInputError
from reclustering.core.params import Scaling

BINS_PER_DOUBLING = 2**16
"""Values are counted in bins 1e-5 of their size wide."""


def fit_scaling(features: Path, method: str) -> dict[str, Any]:
    """Measure the centre and the unit of each feature over all customers.

    Parameters
    ----------
    features : Path
        A validated features.parquet.
    method : Scaling
        ``none``: 0 and 1. ``standard``: mean and population standard deviation. ``robust``: median
        and interquartile range; where more than three of four customers share the value 0, so that
        the range of all is 0, that of the customers above 0. A feature that does not vary has the
        unit 1.

    Returns
    -------
    dict
        ``{"method": str, "center": {feature: float}, "scale": {feature: float}}``, in the
        feature's own units.

    Raises
    ------
    BadInputError
        If the method is unknown or the file unreadable.
    """
    if method not in get_args(Scaling):
        raise BadInputError(
            f"scaling is '{method}'; expected one of {', '.join(get_args(Scaling))}."
        )
    measure = {"none": None, "standard": _standard, "robust": _robust}[method]
    center, scale = {}, {}
    for name in FEATURES:
        center[name], scale[name] = measure(*_histogram(features, name)) if measure else (0.0, 1.0)
    return {"method": method, "center": center, "scale": scale}


def scale_of(scaling: dict[str, Any]) -> np.ndarray:
    """Return the units as an array of shape (4,), in the order of `FEATURES`."""
    return np.array([scaling["scale"][name] for name in FEATURES], dtype=float)


def _histogram(features: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a value and the number of customers of each bin, in ascending order.

    The value is the middle of the customers' smallest and largest, so a bin of one value is exact.
    """
    bins = f'CASE WHEN "{name}" > 0 THEN floor(log2("{name}") * {BINS_PER_DOUBLING}) END'
    with scan(features) as con:
        table = query(
            con,
            f'SELECT min("{name}") AS lo, max("{name}") AS hi, count(*) AS n'  # noqa: S608
            f" FROM features GROUP BY {bins} ORDER BY lo",
        )
    return table["lo"] + (table["hi"] - table["lo"]) / 2, table["n"]


def _standard(values: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    mean = np.average(values, weights=n)
    deviation = np.sqrt(np.average((values - mean) ** 2, weights=n))
    return float(mean), float(deviation) or 1.0


def _robust(values: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    low, median, high = quantiles(values, n, [0.25, 0.5, 0.75])
    if low == high and (values > 0).any():
        low, high = quantiles(values[values > 0], n[values > 0], [0.25, 0.75])
    return float(median), float(high - low) or 1.0


def quantiles(values: np.ndarray, n: np.ndarray, at: list[float]) -> np.ndarray:
    """Return the quantiles of `values`, each counted `n` times, as `numpy.quantile` defines them.

    Parameters
    ----------
    values : ndarray of shape (m,), float64
    n : ndarray of shape (m,), float64
        Whole numbers.
    at : list of float
        Shares from 0 to 1.

    Returns
    -------
    ndarray of shape (len(at),), float64
    """
    order = np.argsort(values, kind="stable")
    total = np.cumsum(n[order])
    rank = np.asarray(at) * (total[-1] - 1)
    below = values[order[np.searchsorted(total, np.floor(rank), side="right")]]
    above = values[order[np.searchsorted(total, np.ceil(rank), side="right")]]
    return below + (above - below) * (rank - np.floor(rank))
