"""Whatever shortcut found the start, the published fit is one of all customers."""

from itertools import product

import numpy as np
import pytest

from reclustering.clustering import refinement
from reclustering.clustering import summaries as module
from reclustering.clustering.assignment import predictor
from reclustering.clustering.cells import Cells, nearest
from reclustering.clustering.kmeans import fit_k
from reclustering.clustering.refinement import _crossed, label_order
from tests.clustering.tables import ONE, SHAPES, cluster_customers, on_points, returns, summaries

refine = on_points(refinement.refine)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(module, "BUDGETS", (400, 800, float("inf")))


@pytest.mark.parametrize("scale", [ONE, np.array([0.3, 0.2, 0.5, 1.7])])
@pytest.mark.parametrize("shape", SHAPES)
def test_merged_customers_give_the_fixed_point_of_all_rows(table, few, shape, scale):
    X = SHAPES[shape](np.random.default_rng(1))
    path = table(X)
    for k in (1, 4, 7):
        summary, start = fit_k(summaries(path, scale), k, seed=111)
        cells, fit = refine(path, summary, start.centroids)
        labels, distances = nearest(X, fit.centroids, scale)
        assert cells.rows == len(X)
        assert fit.inertia == pytest.approx((distances**2).sum(), rel=1e-7)
        for j in range(k):
            np.testing.assert_allclose(
                fit.centroids[j], X[labels == j].mean(axis=0), rtol=1e-9, atol=1e-12 * X.max()
            )
            assert cells.n[fit.labels == j].sum() == (labels == j).sum()


def test_merged_and_exact_fits_agree(table, few, monkeypatch):
    path = table(returns(6_000))
    merged = cluster_customers(path, k=4, scaling="none")
    monkeypatch.setattr(module, "BUDGETS", (float("inf"),))
    exact = cluster_customers(path, k=4, scaling="none")
    assert merged["inertia"] == pytest.approx(exact["inertia"], rel=1e-9)
    assert [c["size"] for c in merged["clusters"]] == [c["size"] for c in exact["clusters"]]
    X = returns(6_000)
    assert np.array_equal(predictor(merged)(X), predictor(exact)(X))


def test_a_summary_too_coarse_steps_aside(table, few):
    """The outlier sets the width of the cells; what the others look like must not be lost."""
    X = SHAPES["uniform"](np.random.default_rng(1))
    X[0] = [1e7, 0, 0, 1]
    cells, _ = fit_k(summaries(table(X), ONE), 4, seed=111)
    assert cells.width == 0


def corners_disagree(cells, centroids, grow):
    """Tell which boxes have corners that are nearer to another centroid than their mean is.

    What one centroid is nearer than another by is linear, so the corners decide for the whole box.
    """
    found = []
    for i in range(len(cells)):
        sides = zip(cells.lo[i] - grow, cells.hi[i] + grow, strict=True)
        corners = np.array(list(product(*sides)))
        distances = ((corners[:, None] - centroids) ** 2).sum(axis=2)
        own = ((cells.X[i] - centroids) ** 2).sum(axis=1).argmin()
        found.append(bool((distances[:, [own]] - distances).max() > 0))
    return found


@pytest.mark.parametrize("margin", [0.0, 1.0])
def test_a_cell_is_opened_exactly_when_a_border_crosses_its_box(margin):
    rng = np.random.default_rng(5)
    lo = rng.random((300, 4))
    hi = lo + rng.random((300, 4)) * 0.2
    cells = Cells((lo + hi) / 2, np.ones(300), lo, hi, np.ones(300), ONE, 0.05)
    centroids = rng.random((3, 4))
    expected = corners_disagree(cells, centroids, margin * 0.05)
    assert _crossed(cells, centroids, margin=margin).tolist() == expected
    assert 20 < sum(expected) < 280


def test_a_cell_of_equal_customers_is_never_opened():
    X = np.random.default_rng(0).random((50, 4))
    cells = Cells(X, np.ones(50), X, X, np.zeros(50), ONE, 0.5)
    assert not _crossed(cells, X[:5], margin=1.0).any()


def test_labels_are_ordered_by_distance_from_having_returned_nothing():
    centroids = np.array([[0, 0, 0, 5.0], [0, 0, 0, 0], [3, 0, 0, 0], [0, 3, 0, 0]])
    expected = [[0, 0, 0, 0], [0, 3, 0, 0], [3, 0, 0, 0], [0, 0, 0, 5]]
    assert label_order(centroids).tolist() == expected
