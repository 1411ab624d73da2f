"""The coordinates in which distances are measured.

k-means weighs a feature by its spread. `none` leaves the features as they are, as the tutorial does;
`standard` measures in standard deviations, `robust` in the median of those who have any, `log` takes
logarithms. Distances do not depend on a centre, so none is subtracted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reclustering.clustering.feature_scan import COLUMNS, read_batches, register_rows, scan
from reclustering.core.contracts import FEATURES
from reclustering.core.errors import BadInputError
from reclustering.core.params import Scaling
from reclustering.core.scratch import scratch_file

STEPS = 2**40
"""Values are added up as whole numbers of this share of their range: exact in any order."""

DECIMALS = 7
"""Of the features: what `to_features` restores."""

LOG_SCHEMA = pa.schema(
    [pa.field("customer", pa.int64()), *(pa.field(name, pa.float64()) for name in FEATURES)]
)


@contextmanager
def coordinates(features: Path, method: str) -> Iterator[Path]:
    """Give a feature table whose distances, in the units of `fit_scaling`, are those to cluster by.

    Parameters
    ----------
    features : Path
        A validated features.parquet.
    method : Scaling
        For ``log`` a temporary file with ln(1 + x) of each feature; else `features` itself.

    Raises
    ------
    BadInputError
        If the method is unknown or the file unreadable.
    """
    require_scaling(method)
    if method != "log":
        yield features
        return
    with scratch_file() as out:
        with pq.ParquetWriter(out, LOG_SCHEMA, use_dictionary=False) as sink:
            for batch in read_batches(features):
                X = to_coordinates(feature_matrix(batch), method)
                columns = [batch["customer"], *(pa.array(column) for column in X.T)]
                sink.write_batch(pa.record_batch(columns, schema=LOG_SCHEMA))
        yield out


def feature_matrix(batch: pa.RecordBatch) -> np.ndarray:
    """Return the features of a batch as an array of shape (n, 4), float64."""
    # Buffers are passed on as they are: pyarrow's own conversions import pandas first.
    return np.column_stack([np.from_dlpack(batch[name]) for name in FEATURES]).astype(float)


def to_coordinates(X: np.ndarray, method: str) -> np.ndarray:
    """Return features, an array of shape (n, 4), as coordinates."""
    return np.log1p(X) if method == "log" else X


def to_features(X: np.ndarray, method: str) -> np.ndarray:
    """Return coordinates, an array of shape (n, 4), as features."""
    return np.round(np.expm1(X), DECIMALS) if method == "log" else X


def fit_scaling(points: Path, method: str, without: np.ndarray | None = None) -> dict[str, Any]:
    """Measure the unit of each feature over all customers.

    Parameters
    ----------
    points : Path
        What `coordinates` gave for the method.
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
    with scan(points) as con:
        register_rows(con, "without", np.empty((0, 4)) if without is None else without)
        con.execute(
            f"CREATE VIEW kept AS FROM features ANTI JOIN without USING ({', '.join(COLUMNS)})"
        )
        return {"method": method, "scale": {name: measure(con, name) for name in FEATURES}}


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


def _standard(con: duckdb.DuckDBPyConnection, name: str) -> float:
    lo, hi = con.execute(f'SELECT min("{name}"), max("{name}") FROM kept').fetchall()[0]  # noqa: S608
    step = (hi - lo) / STEPS
    if step == 0:
        return 1.0
    sums = f'SELECT CAST(round(("{name}" - {lo!r}) / {step!r}) AS HUGEINT) AS q FROM kept'  # noqa: S608
    n, total, squares = con.execute(
        f"SELECT count(*), sum(q), sum(q * q) FROM ({sums})"  # noqa: S608
    ).fetchall()[0]
    return float(step * math.sqrt(n * int(squares) - int(total) ** 2) / n)


def _robust(con: duckdb.DuckDBPyConnection, name: str) -> float:
    found = con.execute(
        f'SELECT quantile_cont("{name}", 0.5) FROM kept WHERE "{name}" > 0'  # noqa: S608
    ).fetchall()[0][0]
    return 1.0 if found is None else float(found)


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
