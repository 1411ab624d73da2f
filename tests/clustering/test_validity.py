"""The indices are scikit-learn's on every row."""

import numpy as np
import pytest
from sklearn import metrics

from reclustering.clustering import validity as module
from reclustering.clustering.cells import nearest
from reclustering.clustering.validity import validity_indices
from tests.clustering.tables import ONE, curve, distinct, returns


@pytest.fixture
def solved():
    X = returns(700)
    cells = distinct(X)
    return X, cells, curve(cells, 7)


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("calinski_harabasz", metrics.calinski_harabasz_score),
        ("davies_bouldin", metrics.davies_bouldin_score),
        ("silhouette", metrics.silhouette_score),
    ],
)
def test_equal_to_scikit_learn_on_every_row(solved, monkeypatch, name, score):
    monkeypatch.setattr(module, "PER_STRATUM", 1_000)
    X, cells, fits = solved
    index = validity_indices(cells, fits)[name]
    assert index["values"][0] is None
    expected = [score(X, nearest(X, fit.centroids, ONE)[0]) for fit in fits[1:]]
    np.testing.assert_allclose(index["values"][1:], expected, rtol=1e-9)
    best = np.argmin(expected) if index["better"] == "lower" else np.argmax(expected)
    assert index["k"] == best + 2


def test_the_sampled_silhouette_is_close_and_sees_the_outlier(solved):
    X, cells, fits = solved
    sampled = validity_indices(cells, fits)["silhouette"]["values"]
    for k in (2, 4, 7):
        exact = metrics.silhouette_score(X, nearest(X, fits[k - 1].centroids, ONE)[0])
        assert sampled[k - 1] == pytest.approx(exact, abs=0.02)


def test_undefined_where_nothing_is_left_to_explain():
    cells = distinct(np.eye(4)[:3])
    found = validity_indices(cells, curve(cells, 3))
    assert found["calinski_harabasz"]["values"][0] is None
    assert found["calinski_harabasz"]["values"][2] is None
    one = validity_indices(cells, curve(cells, 1))
    assert all(index["k"] is None for index in one.values())


@pytest.mark.parametrize(("size", "whole"), [(20, True), (21, False)])
def test_a_small_stratum_is_taken_whole_and_a_large_one_stands_for_its_customers(size, whole):
    n = np.arange(1.0, size + 6)
    stratum = np.arange(5, size + 5)
    chosen, weight = module._draw(n, stratum)
    assert (chosen.tolist() == stratum.tolist()) is whole
    assert np.array_equal(weight, n[chosen]) is whole
    assert weight.sum() == pytest.approx(n[stratum].sum())
    assert set(chosen) <= set(stratum)
