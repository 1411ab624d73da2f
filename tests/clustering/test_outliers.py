"""Customers far from all others are found by a rule on the data alone, and decide nothing."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from reclustering.clustering.outliers import find_far
from reclustering.clustering.scaling import define_points
from tests.clustering.tables import cluster_customers, find_elbow, label_customers, on_file, returns


@on_file
def far(customers, method="none", *, set_aside=True):
    define_points(customers, method)
    return find_far(customers, method, set_aside=set_aside)[1]


def labels(path, out, scaling, outliers, k=None):
    elbow = find_elbow(path, k=k, k_max=9, scaling=scaling, outliers=outliers)
    clusters = cluster_customers(
        path, k=elbow["k"], scaling=scaling, outliers=outliers, start=elbow["centroids"]
    )
    label_customers(path, clusters, out)
    return pq.read_table(out)["label"].to_numpy(), clusters


def ordinary(rows=2_000):
    return returns(rows)[:-1]


def test_the_rule_by_hand(table):
    """199 at 0 and one at 1: 2 is twice as far, and 4 more than a twentieth of 1."""
    X = np.zeros((201, 4))
    X[0, 2], X[1, 2] = 1, 2
    assert far(table(X)).tolist() == [[0, 0, 2, 0]]
    X[1, 2] = 1.99
    assert far(table(X, "near")).tolist() == []


def test_isolated_is_not_enough(table):
    """Ten thousand at distance 1: one at 22 is far from all, but its square is less than 5 %."""
    X = np.zeros((10_001, 4))
    X[:, 0] = 1
    X[::2, 0] = 0
    X[0, 2] = 15
    assert far(table(X)).tolist() == []
    X[0, 2] = 17
    assert len(far(table(X, "farther"))) == 1


def test_more_than_one_in_two_hundred_is_a_group(table):
    X = ordinary(1_000)
    wild = np.tile([1.0, 1, 5_000, 1], (5, 1))
    assert len(far(table(np.vstack([X, wild[:4]]), "a"))) == 1
    assert len(far(table(np.vstack([X, wild]), "b"))) == 1
    assert len(far(table(np.vstack([X, wild, wild]), "c"))) == 0


def test_few_customers_are_never_far(table):
    X = np.zeros((19, 4))
    X[0] = 100
    assert len(far(table(X, "few"))) == 0
    assert len(far(table(np.vstack([X, [[0, 0, 0, 0]]])))) == 1


def test_one_does_not_hide_another(table):
    X = np.vstack([ordinary(), [[1, 1, 1e9, 1], [1, 1, 1e4, 1], [1, 300, 1, 1]]])
    for method in ("none", "standard", "robust"):
        assert len(far(table(X), method)) == 3, method


@pytest.mark.parametrize("scaling", ["none", "standard", "robust", "log"])
@pytest.mark.parametrize("feature", [0, 1, 2, 3])
def test_a_millionfold_feature_changes_no_other_label(table, tmp_path, scaling, feature):
    X = ordinary(4_000)
    chosen = int(np.flatnonzero(X[:, 2] > 0.1)[5])
    wild = X.copy()
    wild[chosen, feature] *= 1e6
    before, _ = labels(table(X, "a"), tmp_path / "l", scaling, "set_aside", k=3)
    after, clusters = labels(table(wild, "b"), tmp_path / "l", scaling, "set_aside", k=3)
    assert (np.delete(before, chosen) == np.delete(after, chosen)).all()
    if scaling != "log":
        assert [one["customer"] for one in clusters["outliers"]["customers"]] == [chosen + 1]
        assert clusters["outliers"]["customers"][0]["monetaryRatio"] == wild[chosen, 2]


def test_set_aside_customers_are_labelled_and_counted(table, tmp_path):
    X = np.vstack([ordinary(), [[1, 1, 5_000, 1]]])
    found, clusters = labels(table(X), tmp_path / "l", "none", "set_aside")
    sizes = [one["size"] for one in clusters["clusters"]]
    assert np.bincount(found).tolist() == sizes
    assert sum(sizes) == clusters["rows"] == len(X)
    assert [one["set_aside"] for one in clusters["clusters"]].count(1) == 1
    assert all(one["centroid"]["monetaryRatio"] < 2 for one in clusters["clusters"])


@pytest.mark.parametrize("value", [300.0, 3_000.0, 1e6, 2e9])
def test_kept_they_take_clusters_of_their_own_and_move_nobody_else(table, tmp_path, value):
    """The tutorial's way: a return of 3,000 for an item bought for 1 must not make two groups one."""
    X = returns(4_000)
    before, _ = labels(table(X, "a"), tmp_path / "l", "none", "keep")
    wild = np.vstack([X, [[1, 1, value, 1]]])
    after, clusters = labels(table(wild, "b"), tmp_path / "l", "none", "keep")
    assert (before == after[:-1]).all()
    assert clusters["clusters"][after[-1]]["size"] == 1


def test_nobody_is_far_in_round_data(table):
    for name, X in {
        "normal": np.random.default_rng(0).normal(10, 1, (5_000, 4)),
        "exponential": np.random.default_rng(0).exponential(1, (5_000, 4)),
        "uniform": np.random.default_rng(0).random((5_000, 4)),
    }.items():
        assert len(far(table(np.round(X, 7) * [1, 1, 1, 10], name))) == 0, name
