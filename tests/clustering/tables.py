"""Feature tables to cluster."""

from functools import wraps

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from reclustering.clustering import assignment, clusters, elbow
from reclustering.clustering import summaries as summarising
from reclustering.clustering.cells import Cells
from reclustering.clustering.kmeans import fit_curve, fit_k
from reclustering.clustering.scaling import define_points
from reclustering.core.contracts import FEATURES_SCHEMA
from reclustering.engine.duckdb import DuckDBEngine

ONE = np.ones(4)


def save(path, X, customers=None):
    """Write the rows of X as a features.parquet."""
    X = np.asarray(X, dtype=float)
    customers = np.arange(1, len(X) + 1) if customers is None else customers
    columns = [pa.array(customers), *(pa.array(x) for x in X[:, :3].T)]
    columns.append(pa.array(X[:, 3].astype(np.int64)))
    pq.write_table(pa.table(columns, schema=FEATURES_SCHEMA), path)
    return path


@pytest.fixture
def table(tmp_path):
    """Return a function that writes rows to a features.parquet and gives its path."""
    return lambda X, name="features.parquet", **kw: save(tmp_path / name, X, **kw)


def open_features(path):
    """Open a features.parquet in DuckDB."""
    return DuckDBEngine().open(UPath(path), "features", FEATURES_SCHEMA.names)


def on_file(function):
    """Return a function of customers as one of the path of their features.parquet."""

    @wraps(function)
    def of_path(path, *args, **kw):
        with open_features(path) as customers:
            return function(customers, *args, **kw)

    return of_path


def on_points(function):
    """Return a function of customers with points as one of the path of their features.parquet."""

    def of_customers(customers, *args, **kw):
        define_points(customers, "none")
        return function(customers, *args, **kw)

    return on_file(of_customers)


@on_points
def read_members(customers, cells):
    """Read the distinct customers inside some cells."""
    return summarising.read_members(customers, cells)


def summaries(path, scale):
    """Summarise the customers ever more finely."""
    with open_features(path) as customers:
        define_points(customers, "none")
        yield from summarising.summaries(customers, scale)


find_elbow = on_file(elbow.find_elbow)
cluster_customers = on_file(clusters.cluster_customers)


@on_file
def label_customers(customers, found, out):
    """Write labels.parquet."""
    return assignment.label_customers(customers, found, UPath(out))


def distinct(X, scale=ONE):
    """Return the distinct rows of X as cells of their own."""
    rows, n = np.unique(np.asarray(X, dtype=float), axis=0, return_counts=True)
    return Cells(rows, n.astype(float), rows, rows, np.zeros(len(n)), scale, 0.0)


def fit(cells, k):
    """Return the fit at one k."""
    return fit_k([cells], k, seed=111)[1]


def curve(cells, k_max):
    """Return the fits for k = 1 to k_max."""
    return fit_curve([cells], k_max, seed=111)[1]


def returns(rows, seed=0):
    """Return features shaped like the tutorial's: most rows zero, continuous ratios, one outlier."""
    rng = np.random.default_rng(seed)
    X = np.zeros((rows, 4))
    some = rng.random(rows) < 0.2
    n = int(some.sum())
    X[some, :3] = np.round(np.sort(rng.beta(2, 1, (n, 3)), axis=1)[:, ::-1], 7)
    X[some, 3] = rng.geometric(0.6, n)
    X[-1] = [1, 2, 108.719154, 1]
    return X


SHAPES = {
    "returns": lambda rng: returns(4_000, seed=3),
    "uniform": lambda rng: np.column_stack([rng.random((3_000, 3)), rng.integers(0, 2, 3_000)]),
    "a million": lambda rng: np.column_stack(
        [rng.random(3_000), rng.random(3_000) * 1e6, rng.random(3_000), rng.geometric(0.5, 3_000)]
    ),
    "a thousandth": lambda rng: np.column_stack(
        [rng.beta(2, 5, (3_000, 3)) / 1e3, np.zeros(3_000)]
    ),
    "heavy tails": lambda rng: np.column_stack(
        [np.minimum(rng.lognormal(2, 2.5, (3_000, 3)), 1e6), rng.geometric(0.5, 3_000)]
    ),
    "few values": lambda rng: rng.integers(0, 4, (3_000, 4)) / [3, 3, 3, 1],
}
