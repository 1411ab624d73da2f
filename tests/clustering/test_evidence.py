"""A bend counts if it is sharper than those of data without groups, and the groups stand apart."""

import numpy as np
import pytest

from reclustering.clustering.evidence import bends_of
from tests.clustering.tables import curve, distinct, find_elbow


def evidence(path, k_max=19, **given):
    return find_elbow(path, k=None, k_max=k_max, scaling="none", **given)["evidence"]


def groups(k, sigma, seed, sizes=None):
    """Return k round groups of unit variance in four features, no two nearer than `sigma`."""
    rng = np.random.default_rng(seed)
    centres = rng.random((1, 4))
    while len(centres) < k:
        one = rng.random((1, 4))
        if np.linalg.norm(centres - one, axis=1).min() > 0.3:
            centres = np.vstack([centres, one])
    apart = np.linalg.norm(centres[:, None] - centres, axis=2)[np.triu_indices(k, 1)].min()
    members = np.repeat(np.arange(k), [400] * k if sizes is None else sizes)
    X = (centres * sigma / apart)[members] + rng.normal(0, 1, (len(members), 4))
    # A table holds frequency as whole numbers, and no feature is negative.
    return np.column_stack([X[:, :3], np.round(X[:, 3] * 1000)]) * [1000, 1000, 1000, 1] + 1e5


@pytest.mark.parametrize("k", [3, 5, 8, 10])
@pytest.mark.parametrize("sigma", [6, 20])
def test_well_separated_groups_are_counted(table, k, sigma):
    assert evidence(table(groups(k, sigma, seed=k)))["groups"] == k


@pytest.mark.parametrize("k", [3, 8])
def test_groups_of_unequal_size_are_counted(table, k):
    sizes = np.linspace(60, 900, k).astype(int)
    assert evidence(table(groups(k, 8, seed=k, sizes=sizes)))["groups"] == k


STRUCTURELESS = {
    "uniform": lambda rng: rng.random((3_000, 4)),
    "one uniform feature": lambda rng: rng.random((3_000, 1)) * [1, 0, 0, 0],
    "two uniform features": lambda rng: rng.random((3_000, 4)) * [1, 1, 0, 0],
    "Gaussian": lambda rng: rng.normal(10, 1, (3_000, 4)),
    "exponential": lambda rng: rng.exponential(1, (3_000, 4)),
    "log-normal": lambda rng: rng.lognormal(0, 1, (3_000, 4)),
    "small integers": lambda rng: rng.integers(0, 4, (3_000, 4)),
    "0 to 5": lambda rng: rng.integers(0, 6, (3_000, 4)),
    "Poisson": lambda rng: rng.poisson(2, (3_000, 4)),
}


@pytest.mark.parametrize("k_max", [10, 40])
@pytest.mark.parametrize("shape", STRUCTURELESS)
def test_data_without_groups_speak_for_no_number(table, shape, k_max):
    X = STRUCTURELESS[shape](np.random.default_rng(7)).astype(float)
    if (X.round() != X).any():
        # A table holds frequency as whole numbers.
        X = np.column_stack([X[:, :3] * 1_000, np.round(X[:, 3] * 1_000)])
    assert evidence(table(X), k_max=k_max)["groups"] is None


@pytest.mark.parametrize("k_max", [5, 9, 40])
def test_k_max_has_no_say_beyond_the_choice(table, k_max):
    assert evidence(table(groups(4, 10, seed=1)), k_max)["groups"] == 4


@pytest.mark.parametrize("shape", ["uniform", "exponential"])
@pytest.mark.parametrize("value", [1e3, 1e6, 2e9])
def test_one_record_has_no_say(table, shape, value):
    X = STRUCTURELESS[shape](np.random.default_rng(7))
    X[:, 3] = np.round(X[:, 3] * 10)
    wild = table(np.vstack([X, [1, 1, value, 1]]), "wild.parquet")
    assert evidence(table(X)) == evidence(wild)


def test_bends_by_hand():
    """Inertia 1 / k^2 is straight; halved once more from 3 on, its slope there is steeper."""
    straight = 1.0 / np.arange(1, 9) ** 2
    assert bends_of(straight) == pytest.approx([1] * 6)
    bent = np.where(np.arange(1, 9) >= 3, straight / 2, straight)
    steep = np.log(2 * 9 / 4) / np.log(3 / 2)
    assert bends_of(bent) == pytest.approx([2 / steep, steep / 2, 1, 1, 1, 1])


def test_no_bend_where_every_row_is_its_own_cluster():
    cells = distinct([[0, 0, 0, 0], [1, 0, 0, 0], [5, 0, 0, 0]] * 3)
    assert bends_of(np.array([one.inertia for one in curve(cells, 3)])) == []


def test_a_store_like_the_tutorials_has_three_groups(table):
    """Returned nothing, much of little, and little of much; the bend is the third's."""
    rng = np.random.default_rng(0)
    X = np.zeros((20_000, 4))
    X[:2_700] = [0.72, 0.45, 0.31, 1] + rng.normal(0, 0.1, (2_700, 4)) * [1, 1, 1, 0]
    X[2_700:3_100] = [0.14, 0.08, 0.04, 5] + rng.normal(0, 0.01, (400, 4)) * [1, 1, 1, 0]
    assert evidence(table(np.abs(X)))["groups"] == 3
