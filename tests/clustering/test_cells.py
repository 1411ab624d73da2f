"""Merging cells loses nothing but the view inside them."""

import numpy as np
import pytest

from reclustering.clustering.cells import Cells, coarsen, power_of_two_above
from tests.clustering.tables import ONE, distinct


def test_coarser_cells_keep_count_mean_and_inertia():
    rng = np.random.default_rng(2)
    X = rng.random((5_000, 4))
    exact = Cells(X, np.ones(5_000), X, X, np.zeros(5_000), ONE, 0.0)
    coarse = coarsen(exact, 100)
    assert len(coarse) <= 100
    assert coarse.rows == 5_000
    np.testing.assert_allclose(coarse.n @ coarse.X / 5_000, X.mean(axis=0))
    total = ((X - X.mean(axis=0)) ** 2).sum()
    between = coarse.n @ ((coarse.X - X.mean(axis=0)) ** 2).sum(axis=1)
    assert between + coarse.hidden == pytest.approx(total)


def test_coarsening_takes_the_finest_grid_within_the_limit():
    """Rows at 0, 1, ..., 63: cells of width 1, 2, 4 hold 64, 32, 16 of them."""
    X = np.zeros((64, 4))
    X[:, 0] = np.arange(64)
    X[:, 1] = 0.25  # not a row at the origin
    cells = distinct(X)
    for limit, left in ((64, 64), (63, 32), (32, 32), (31, 16), (16, 16), (15, 8)):
        assert len(coarsen(cells, limit)) == left
    assert len(coarsen(coarsen(cells, 32), 8)) == 8


@pytest.mark.parametrize(("value", "power"), [(0, 1), (0.3, 0.5), (0.5, 1), (1, 2), (5, 8)])
def test_the_power_of_two_above(value, power):
    assert power_of_two_above(value) == power


def test_a_wild_cell_is_not_merged_and_spoils_no_grid():
    X = np.random.default_rng(0).random((1_000, 4))
    near, both = distinct(X), distinct(np.vstack([X, [[1, 1, 2e9, 1]]]))
    merged = coarsen(both, 200)
    assert merged.width == coarsen(near, 199).width
    assert merged.X[merged.X[:, 2].argmax()].tolist() == [1, 1, 2e9, 1]
    assert len(merged) <= 200
