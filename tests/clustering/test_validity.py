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
    monkeypatch.setattr(module, "SAMPLE", 10_000)
    X, cells, fits = solved
    index = validity_indices(cells, fits)[name]
    assert index["values"][0] is None
    expected = [score(X, nearest(X, fit.centroids, ONE)[0]) for fit in fits[1:]]
    np.testing.assert_allclose(index["values"][1:], expected, rtol=1e-9)
    best = int(np.argmin(expected) if index["better"] == "lower" else np.argmax(expected)) + 2
    assert index["k"] == (None if best == 7 else best)
    assert (index["note"] is None) == (best < 7)


def test_the_sampled_silhouette_is_close_and_sees_the_outlier(solved):
    X, cells, fits = solved
    sampled = validity_indices(cells, fits)["silhouette"]["values"]
    for k in (2, 4, 7):
        exact = metrics.silhouette_score(X, nearest(X, fits[k - 1].centroids, ONE)[0])
        assert sampled[k - 1] == pytest.approx(exact, abs=0.02)


def test_the_silhouette_of_each_cluster_is_that_of_its_customers(solved, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 10_000)
    X, cells, fits = solved
    labels = nearest(X, fits[3].centroids, ONE)[0]
    each = metrics.silhouette_samples(X, labels)
    expected = [each[labels == label].mean() for label in range(4)]
    np.testing.assert_allclose(module.cluster_silhouettes(cells, fits[3]), expected, rtol=1e-9)


@pytest.mark.parametrize("values", [3, 5, 8, 20])
def test_customers_alike_are_not_at_a_distance_from_themselves(values):
    """On integers every cell is many customers; a sampled one stands for others that are not alike."""
    X = np.random.default_rng(values).integers(0, values, (3_000, 4)).astype(float)
    cells = distinct(X)
    fits = curve(cells, 8)
    found = validity_indices(cells, fits)["silhouette"]["values"]
    for k in (2, 8):
        exact = metrics.silhouette_score(X, nearest(X, fits[k - 1].centroids, ONE)[0])
        assert found[k - 1] == pytest.approx(exact, abs=0.02), f"k = {k}"


def test_an_index_that_only_rises_has_no_opinion():
    """Calinski-Harabasz rises without end on one uniform feature."""
    X = np.zeros((500, 4))
    X[:, 0] = np.linspace(0, 1, 500)
    cells = distinct(X)
    index = validity_indices(cells, curve(cells, 9))["calinski_harabasz"]
    assert index["values"][1:] == sorted(index["values"][1:])
    assert index["k"] is None
    assert "no opinion" in index["note"]


def test_undefined_where_nothing_is_left_to_explain():
    cells = distinct(np.eye(4)[:3])
    found = validity_indices(cells, curve(cells, 3))
    for index in found.values():
        assert index["values"][0] is None
        assert index["values"][2] is None, "every row is a cluster of its own"
    one = validity_indices(cells, curve(cells, 1))
    assert all(index["k"] is None for index in one.values())


@pytest.mark.parametrize(("size", "whole"), [(30, True), (31, False)])
def test_a_small_stratum_is_taken_whole_and_a_large_one_stands_for_its_customers(size, whole):
    n = np.arange(1.0, size + 6)
    stratum = np.arange(5, size + 5)
    chosen, weight = module._draw(n, stratum, 30)
    assert (chosen.tolist() == stratum.tolist()) is whole
    assert np.array_equal(weight, n[chosen]) is whole
    assert weight.sum() == pytest.approx(n[stratum].sum())
    assert set(chosen) <= set(stratum)
