"""Units of the features, and the logarithms that are an alternative."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from reclustering.clustering.scaling import (
    define_points,
    fit_scaling,
    quantiles,
    scale_of,
    to_coordinates,
    to_features,
)
from reclustering.core.contracts import FEATURES
from reclustering.core.errors import BadInputError
from tests.clustering.tables import SHAPES, cluster_customers, on_file, returns


@on_file
def fitted(customers, method, without=None):
    define_points(customers, method)
    return fit_scaling(customers, method, without)


@on_file
def points(customers, method):
    define_points(customers, method)
    return customers.rows("SELECT * FROM points ORDER BY customer")


def units(path, method, without=None):
    return scale_of(fitted(path, method, without)).tolist()


@pytest.mark.parametrize("method", ["none", "log"])
def test_where_distances_are_taken_as_they_are_the_units_are_one(table, method):
    X = np.random.default_rng(0).random((50, 4)) * 9
    assert fitted(table(X), method) == {"method": method, "scale": dict.fromkeys(FEATURES, 1)}


@pytest.mark.parametrize("shape", SHAPES)
def test_standard_is_the_standard_scaler(table, shape):
    X = SHAPES[shape](np.random.default_rng(0))
    np.testing.assert_allclose(
        units(table(X), "standard"), StandardScaler().fit(X).scale_, rtol=1e-9
    )


def test_standard_has_the_same_bits_in_any_row_order(table):
    X = SHAPES["heavy tails"](np.random.default_rng(0))
    shuffled = np.random.default_rng(1).permutation(X)
    assert units(table(X, "a"), "standard") == units(table(shuffled, "b"), "standard")


@pytest.mark.parametrize("value", [0.1, 0.35, 1e-7, 3.0])
@pytest.mark.parametrize("method", ["standard", "robust"])
def test_a_feature_that_does_not_vary_has_no_say(table, value, method):
    """Three tenths are 0.30000000000000004, so its computed deviation is not quite 0."""
    X = np.zeros((3, 4))
    X[:, 0] = value
    assert units(table(X), "standard") == [1, 1, 1, 1]
    rows = np.array([[value, 0, 0, f] for f in (1, 2, 2, 6, 8, 8)])
    inertia = cluster_customers(table(rows), k=2, scaling=method)["inertia"]
    unit = {"standard": np.std([1, 2, 2, 6, 8, 8]), "robust": 4}[method]
    # 1, 2, 2 about 5/3 and 6, 8, 8 about 22/3.
    assert inertia == pytest.approx((2 / 3 + 8 / 3) / unit**2, rel=1e-12)


def test_values_that_hardly_differ_have_their_own_unit(table):
    X = np.zeros((4, 4))
    X[:, 0] = [0.1, 0.1, 0.1000001, 0.1000001]
    assert units(table(X), "standard")[0] == pytest.approx(5e-8, rel=1e-6)


def test_robust_is_the_median_of_those_above_zero(table):
    X = np.zeros((50, 4))
    X[:5] = np.arange(1, 6)[:, None]
    assert units(table(X), "robust") == [3, 3, 3, 3]


def test_robust_has_no_cliff_where_a_quarter_returns(table):
    def unit(returning):
        X = np.zeros((1_000, 4))
        X[:returning, 2] = np.linspace(0.001, 1, returning)
        return units(table(X), "robust")[2]

    found = [unit(returning) for returning in range(245, 256)]
    assert max(found) / min(found) < 1.01


@pytest.mark.parametrize("method", ["standard", "robust"])
def test_rows_can_be_left_out(table, method):
    X = returns(500)
    wild = np.array([[1, 2, 1e6, 1]])
    with_it = table(np.vstack([X, wild]), "b")
    assert units(with_it, method, wild) == units(table(X, "a"), method)
    assert units(with_it, method) != units(table(X, "a"), method)


def test_log_takes_logarithms_of_one_more(table):
    X = np.vstack([returns(300), np.geomspace(1e-7, 2**31 - 1, 4 * 500).reshape(-1, 4)])
    X[:, 3] = np.floor(X[:, 3])
    found = np.array(points(table(X), "log"))
    assert found[:, 0].tolist() == list(range(1, len(X) + 1))
    np.testing.assert_allclose(found[:, 1:], np.log1p(X), rtol=5e-16, atol=2e-16)
    # In the query and for one customer: the same to the last bit.
    np.testing.assert_array_equal(found[:, 1:], to_coordinates(X, "log"))
    np.testing.assert_array_equal(np.array(points(table(X), "standard"))[:, 1:], X)


def test_features_come_back_from_coordinates():
    X = returns(300)
    for method in ("none", "log"):
        np.testing.assert_array_equal(to_features(to_coordinates(X, method), method), X)


def test_an_unknown_method_is_refused(table):
    with pytest.raises(BadInputError, match="scaling is 'minmax'; expected one of none, standard"):
        fitted(table(np.zeros((1, 4))), "minmax")


def test_weighted_quantiles_are_numpys():
    rng = np.random.default_rng(0)
    values, n = rng.random(40), rng.integers(1, 9, 40)
    at = [0, 0.1, 0.25, 0.5, 0.9, 1]
    found = quantiles(values, n.astype(float), at)
    np.testing.assert_allclose(found, np.quantile(np.repeat(values, n), at))
