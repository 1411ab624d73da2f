"""What a fit rests on, worked out by hand."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from tests.clustering.tables import cluster_customers, returns


def quality(path, k, scaling="none", **given):
    return cluster_customers(path, k=k, scaling=scaling, **given)["quality"]


def test_shares_by_hand(table):
    """Two and two customers, 6 apart in one feature and 2 in another: 36 to 4 of 40."""
    X = [[0, 0, 0, 0], [0, 1, 0, 0], [6, 0, 2, 0], [6, 1, 2, 0]]
    found = quality(table(np.array(X, dtype=float)), 2)
    # Within: four times a half squared; between: four times 10.
    assert found["explained"] == pytest.approx(40 / 41)
    assert list(found["carried"].values()) == pytest.approx([0.9, 0, 0.1, 0])
    assert found["warning"].startswith("orderRatio carries 90% of what tells the clusters apart")
    assert "Try scaling=standard or robust or log." in found["warning"]


def test_a_far_customer_does_not_hide_which_feature_decides(table):
    """Alone, the four have 9 of 10 parts in orderRatio, whatever a fifth has in monetaryRatio."""
    X = [[0, 0, 0, 0], [0, 1, 0, 0], [6, 0, 2, 0], [6, 1, 2, 0]] * 10
    found = quality(table(np.array([*X, [0, 0, 5_000, 0]], dtype=float)), 3)
    assert list(found["carried"].values()) == pytest.approx([0.9, 0, 0.1, 0])


def test_no_warning_where_features_share(table):
    X = np.array([[0, 0, 0, 0], [3, 3, 0, 0]] * 5, dtype=float)
    assert quality(table(X), 2)["warning"] is None


def test_silhouettes_are_scikit_learns(table):
    X = returns(400)
    clusters = cluster_customers(table(X), k=4, scaling="none")
    centroids = np.array(clusters["coordinates"])
    labels = np.linalg.norm(X[:, None] - centroids, axis=2).argmin(axis=1)
    each = silhouette_samples(X, labels)
    expected = [each[labels == label].mean() for label in range(4)]
    assert clusters["quality"]["silhouettes"] == pytest.approx(expected, abs=1e-9)


def test_one_cluster_has_nothing_between(table):
    found = quality(table(returns(100)), 1)
    assert found["carried"] is None
    assert found["silhouettes"] is None
    assert found["explained"] == 0
