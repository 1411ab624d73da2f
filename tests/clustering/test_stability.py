"""Clusters that are there are found again; clusters that were cut out of one mass are not."""

import numpy as np

from tests.clustering.tables import cluster_customers
from tests.clustering.test_elbow import blobs


def stability(path, k):
    return cluster_customers(path, k=k, scaling="none")["stability"]


def test_groups_are_found_again(table):
    found = stability(table(blobs(4)), 4)
    assert found["keep"] == 1
    assert found["jaccard"] == [1, 1, 1, 1]


def test_slices_of_one_mass_are_not(table):
    X = np.random.default_rng(0).random((300, 4)) * [1, 1, 1, 100]
    X[:, 3] = 0
    found = stability(table(X), 7)
    assert found["keep"] < 0.85
    assert min(found["jaccard"]) < 0.6


def test_as_many_clusters_as_distinct_customers(table):
    found = stability(table(np.eye(4)), 4)
    assert 0 < found["keep"] <= 1


def test_the_same_customers_give_the_same_figures(table):
    X = np.random.default_rng(0).random((300, 4))
    X[:, 3] = 0
    shuffled = np.random.default_rng(1).permutation(X)
    assert stability(table(X, "a"), 3) == stability(table(shuffled, "b"), 3)
