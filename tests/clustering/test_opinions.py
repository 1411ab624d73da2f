"""The indices are scikit-learn's on every row."""

import numpy as np
import pytest
from sklearn import metrics

from reclustering import opinions as module
from reclustering.cells import Cells
from reclustering.clusters import EFFORT
from reclustering.kmeans import nearest, solve
from reclustering.opinions import opinions_on
from tests.clustering.conftest import returns

ONE = np.ones(4)


@pytest.fixture
def solved():
    X = returns(700)
    rows, n = np.unique(X, axis=0, return_counts=True)
    cells = Cells(rows, n.astype(float), rows, rows, np.zeros(len(n)), ONE, 0.0)
    return X, cells, solve(cells, 7, 111, EFFORT)


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
    opinion = opinions_on(cells, fits)[name]
    assert opinion["values"][0] is None
    expected = [score(X, nearest(X, fit.centroids, ONE)[0]) for fit in fits[1:]]
    np.testing.assert_allclose(opinion["values"][1:], expected, rtol=1e-9)
    best = np.argmin(expected) if opinion["better"] == "lower" else np.argmax(expected)
    assert opinion["k"] == best + 2


def test_the_sampled_silhouette_is_close_and_sees_the_outlier(solved):
    X, cells, fits = solved
    sampled = opinions_on(cells, fits)["silhouette"]["values"]
    for k in (2, 4, 7):
        exact = metrics.silhouette_score(X, nearest(X, fits[k - 1].centroids, ONE)[0])
        assert sampled[k - 1] == pytest.approx(exact, abs=0.02)


def test_undefined_where_nothing_is_left_to_explain():
    rows = np.eye(4)[:3]
    cells = Cells(rows, np.ones(3), rows, rows, np.zeros(3), ONE, 0.0)
    found = opinions_on(cells, solve(cells, 3, 111, EFFORT))
    assert found["calinski_harabasz"]["values"][0] is None
    assert found["calinski_harabasz"]["values"][2] is None
    one = opinions_on(cells, solve(cells, 1, 111, EFFORT))
    assert all(opinion["k"] is None for opinion in one.values())
