"""Units of the features are scikit-learn's, fitted on every customer."""

import numpy as np
import pytest
from sklearn.preprocessing import RobustScaler, StandardScaler

from reclustering.clustering.scaling import fit_scaling, quantiles, scale_of
from reclustering.core.errors import BadInputError
from tests.clustering.tables import SHAPES


def center_of(scaling):
    return list(scaling["center"].values())


def test_none_leaves_the_features_alone(table):
    scaling = fit_scaling(table(np.random.default_rng(0).random((50, 4)) * 9), "none")
    assert scaling["method"] == "none"
    assert center_of(scaling) == [0, 0, 0, 0]
    assert scale_of(scaling).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("shape", SHAPES)
def test_standard_is_the_standard_scaler(table, shape):
    X = SHAPES[shape](np.random.default_rng(0))
    scaling, reference = fit_scaling(table(X), "standard"), StandardScaler().fit(X)
    np.testing.assert_allclose(center_of(scaling), reference.mean_, rtol=1e-6)
    np.testing.assert_allclose(scale_of(scaling), reference.scale_, rtol=1e-6)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "returns"])
def test_robust_is_the_robust_scaler(table, shape):
    X = SHAPES[shape](np.random.default_rng(0))
    scaling, reference = fit_scaling(table(X), "robust"), RobustScaler().fit(X)
    np.testing.assert_allclose(center_of(scaling), reference.center_, rtol=2e-5)
    np.testing.assert_allclose(scale_of(scaling), reference.scale_, rtol=1e-4)


def test_robust_looks_at_those_who_returned_when_most_did_not(table):
    """Nine of ten are 0, so the range of all is 0; that of 1, 2, 3, 4, 5 is from 2 to 4."""
    X = np.zeros((50, 4))
    X[:5] = np.arange(1, 6)[:, None]
    assert scale_of(fit_scaling(table(X), "robust")).tolist() == pytest.approx([2, 2, 2, 2])


def test_a_feature_that_does_not_vary_has_the_unit_one(table):
    X = np.full((10, 4), 3.0)
    for method in ("standard", "robust"):
        assert scale_of(fit_scaling(table(X), method)).tolist() == [1, 1, 1, 1]


def test_an_unknown_method_is_refused(table):
    with pytest.raises(BadInputError, match="scaling is 'minmax'; expected one of none, standard"):
        fit_scaling(table(np.zeros((1, 4))), "minmax")


def test_weighted_quantiles_are_numpys():
    rng = np.random.default_rng(0)
    values, n = rng.random(40), rng.integers(1, 9, 40)
    at = [0, 0.1, 0.25, 0.5, 0.9, 1]
    found = quantiles(values, n.astype(float), at)
    np.testing.assert_allclose(found, np.quantile(np.repeat(values, n), at))
