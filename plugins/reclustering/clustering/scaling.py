"""The coordinates in which distances are measured.

k-means weighs a feature by its spread. `none` leaves the features as they are, as the tutorial does;
`standard` measures in standard deviations, `robust` in the median of those who have any, `log` takes
logarithms. Distances do not depend on a centre, so none is subtracted.
"""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np

from reclustering.clustering.queries import COLUMNS, register_rows
from reclustering.core.contracts import FEATURES
from reclustering.core.errors import BadInputError
from reclustering.core.params import Scaling
from reclustering.core.protocols import Customers

STEPS = 2**40
"""Values are added up as whole numbers of this share of their range: exact in any order."""

BINS = 2**16
"""Of the histograms in which a median is looked for."""

DECIMALS = 7
"""Of the features: what `to_features` restores."""

HALVINGS = (16, 8, 4, 2, 1)
"""For `log`, 1 + x is halved so often, until it is below 1.5."""

SERIES = [1 / (2 * i + 1) for i in range(12)]
"""Coefficients of artanh(t) / t in powers of t squared, which is at most 0.04: precise to 1e-18."""


def define_points(customers: Customers, method: str) -> None:
    """Make the relation `points` known, to cluster by its distances in the units of `fit_scaling`.

    Parameters
    ----------
    customers : Customers
        All of them.
    method : Scaling
        For ``log`` points are ln(1 + x) of each feature; else the features themselves.

    Raises
    ------
    BadInputError
        If the method is unknown.
    """
    require_scaling(method)
    points = ", ".join(f"x{j} AS {column}" for j, column in enumerate(COLUMNS))
    sql = f"SELECT customer, {points} FROM ({coordinates_query(method)}) AS points"  # noqa: S608
    customers.define("points", sql, keep=method == "log")


def coordinates_query(method: str) -> str:
    """Return the query for the features, and for what `to_coordinates` gives of them as `x0` to `x3`."""
    if method != "log":
        return _beside("features", "CAST({column} AS DOUBLE) AS x{j}")
    # Every engine has a logarithm, but not with the same last bit: it is worked out, as `_log1p` does.
    series = repr(SERIES[-1])
    for coefficient in reversed(SERIES[:-1]):
        series = f"({series} * z{{j}} + {coefficient!r})"
    last = len(HALVINGS)
    tables = "features"
    for columns in (
        "CAST({column} AS DOUBLE) + 1 AS m{j}0, CAST(0 AS DOUBLE) AS e{j}0",
        *(_halved(i, n) for i, n in enumerate(HALVINGS)),
        f"(m{{j}}{last} - 1) / (m{{j}}{last} + 1) AS t{{j}}",
        "t{j} * t{j} AS z{j}",
        f"e{{j}}{last} * {math.log(2)!r} + 2 * t{{j}} * {series} AS x{{j}}",
    ):
        tables = f"({_beside(tables, columns)}) AS t"
    return f"SELECT * FROM {tables}"  # noqa: S608


def _beside(table: str, columns: str) -> str:
    added = ", ".join(columns.format(j=j, column=column) for j, column in enumerate(COLUMNS))
    return f"SELECT *, {added} FROM {table}"  # noqa: S608


def _halved(i: int, n: int) -> str:
    case = f"CASE WHEN m{{j}}{i} >= {_limit(n)!r} THEN"
    return (
        f"{case} m{{j}}{i} * {0.5**n!r} ELSE m{{j}}{i} END AS m{{j}}{i + 1},"
        f" {case} e{{j}}{i} + {n} ELSE e{{j}}{i} END AS e{{j}}{i + 1}"
    )


def _log1p(X: np.ndarray) -> np.ndarray:
    m, halved = X + 1, np.zeros_like(X)
    for n in HALVINGS:
        large = m >= _limit(n)
        m, halved = np.where(large, m * 0.5**n, m), halved + n * large
    t = (m - 1) / (m + 1)
    z = t * t
    series = np.full_like(z, SERIES[-1])
    for coefficient in reversed(SERIES[:-1]):
        series = series * z + coefficient
    return halved * math.log(2) + 2 * t * series


def _limit(halvings: int) -> float:
    return 1.5 * 2.0 ** (halvings - 1)


def to_coordinates(X: np.ndarray, method: str) -> np.ndarray:
    """Return features, an array of shape (n, 4), as coordinates."""
    return _log1p(X) if method == "log" else X


def to_features(X: np.ndarray, method: str) -> np.ndarray:
    """Return coordinates, an array of shape (n, 4), as features."""
    return np.round(np.expm1(X), DECIMALS) if method == "log" else X


def fit_scaling(
    customers: Customers, method: str, without: np.ndarray | None = None
) -> dict[str, Any]:
    """Measure the unit of each feature over all customers.

    Parameters
    ----------
    customers : Customers
        With the relation `points` of `define_points` for the method.
    method : Scaling
        ``none`` and ``log``: 1. ``standard``: the population standard deviation. ``robust``: the
        median of the values above 0, for most customers returned nothing and have 0. A feature that
        does not vary has the unit 1.
    without : ndarray of shape (m, 4), float64, or None
        Rows to leave out.

    Returns
    -------
    dict
        ``{"method": str, "scale": {feature: float}}``, in the feature's own units.

    Raises
    ------
    BadInputError
        If the method is unknown or the file unreadable.
    """
    require_scaling(method)
    measure = {"none": None, "log": None, "standard": _standard, "robust": _robust}[method]
    if measure is None:
        return {"method": method, "scale": dict.fromkeys(FEATURES, 1.0)}
    register_rows(customers, "without", np.empty((0, 4)) if without is None else without)
    customers.define(
        "kept",
        f"SELECT * FROM points ANTI JOIN without USING ({', '.join(COLUMNS)})",  # noqa: S608
    )
    return {"method": method, "scale": {name: measure(customers, name) for name in FEATURES}}


def require_scaling(method: str) -> None:
    """Refuse a method that is none.

    Raises
    ------
    BadInputError
        If `method` is not one of `Scaling`.
    """
    if method not in get_args(Scaling):
        raise BadInputError(
            f"scaling is '{method}'; expected one of {', '.join(get_args(Scaling))}."
        )


def scale_of(scaling: dict[str, Any]) -> np.ndarray:
    """Return the units as an array of shape (4,), in the order of `FEATURES`."""
    return np.array([scaling["scale"][name] for name in FEATURES], dtype=float)


def _standard(customers: Customers, name: str) -> float:
    lo, hi = customers.rows(f'SELECT min("{name}"), max("{name}") FROM kept')[0]  # noqa: S608
    step = (hi - lo) / STEPS
    if step == 0:
        return 1.0
    whole = f'CAST(floor(("{name}" - {lo!r}) / {step!r} + 0.5) AS DECIMAL(19, 0))'
    n, total, squares = customers.rows(
        f"SELECT count(*), sum(q), sum(q * q) FROM (SELECT {whole} AS q FROM kept) AS a"  # noqa: S608
    )[0]
    return float(step * math.sqrt(n * int(squares) - int(total) ** 2) / n)


def _robust(customers: Customers, name: str) -> float:
    positive = f'SELECT "{name}" AS x FROM kept WHERE "{name}" > 0'  # noqa: S608
    n, lo, hi = customers.rows(f"SELECT count(*), min(x), max(x) FROM ({positive}) AS a")[0]  # noqa: S608
    if not n:
        return 1.0
    low, high = (_ranked(customers, positive, rank, lo, hi) for rank in ((n - 1) // 2, n // 2))
    return low + (high - low) / 2


def _ranked(customers: Customers, values: str, rank: int, lo: float, hi: float) -> float:
    """Return the value that so many are before, by ever finer histograms; lo and hi are the extremes."""
    below = 0
    while lo < hi:
        bin_of = f"least(floor((x - {lo!r}) / {(hi - lo) / BINS!r}), {BINS - 1})"
        for _, n, low, high in customers.rows(  # noqa: B007
            f"SELECT {bin_of} AS bin, count(*), min(x), max(x) FROM ({values}) AS a"  # noqa: S608
            f" WHERE x >= {lo!r} AND x <= {hi!r} GROUP BY {bin_of} ORDER BY bin"
        ):
            below += n
            if below > rank:
                break
        below -= n
        lo, hi = low, high
    return lo


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
