"""Starts are compared where it is cheap, and come from where the cost is."""

import numpy as np
import pytest

from reclustering.clustering import kmeans, starts
from reclustering.clustering.cells import Cells
from tests.clustering.tables import ONE, curve, distinct


def merged(hidden, m=40):
    """Return m merged cells on a line, at 0, 1, ..., that hide so much inertia together."""
    X = np.zeros((m, 4))
    X[:, 0] = np.arange(m)
    return Cells(X, np.ones(m), X, X + 0.1, np.full(m, hidden / m), ONE, 0.1)


def test_a_summary_that_hides_little_will_do():
    """At k = 1 a draw costs at least the 5,330 about the mean of 0, 1, ..., 39."""
    good, exact = merged(5), distinct(np.eye(4))
    assert starts.fine_enough([good, exact], 1, 0.001) is good


def test_a_summary_that_hides_too_much_is_passed_over():
    """The cost of any one cell of 0, ..., 39 is below 39² · 40 = 60,840."""
    blurred, exact = merged(61_000), distinct(np.eye(4))
    assert starts.fine_enough([blurred, exact], 1, 1.0) is exact


def test_the_exact_summary_always_will_do():
    exact = distinct(np.eye(4)[:2])
    assert starts.fine_enough([exact, merged(0)], 9, 0.0) is exact


def test_a_summary_has_four_cells_for_each_cluster():
    few, enough, exact = merged(0, m=19), merged(0, m=20), distinct(np.eye(4))
    assert starts.fine_enough([few, enough, exact], 5, 0.01) is enough
    assert starts.fine_enough([few, exact], 5, 0.01) is exact


def test_starts_are_compared_on_the_smallest_summary_that_will_do():
    cells = distinct(np.random.default_rng(0).random((5_000, 4)))
    rough = starts.coarse_enough(cells, 2, 1.0)
    assert len(rough) <= starts.SIZES[0]
    fine = starts.coarse_enough(cells, 2, rough.hidden / 1e6 / len(cells))
    assert len(fine) > len(rough)


@pytest.mark.parametrize(("cells", "count"), [(10, 100), (200, 10), (500, 4), (10_000, 4)])
def test_small_tables_get_more_draws(cells, count):
    assert starts.Effort(draws=4, work=2_000, coarse=0, fine=0).count(cells) == count


def test_one_more_is_put_where_the_cost_is():
    """All cost is at 10 and, less, at 3: only these two can be places, and the last is 10."""
    cells = distinct([[0, 0, 0, 0], [3, 0, 0, 0], [10, 0, 0, 0]])
    found = starts.one_more(cells, np.zeros((1, 4)))
    assert len(found) == starts.PLACES
    assert {one[-1, 0] for one in found} <= {3.0, 10.0}
    assert found[-1].tolist() == [[0, 0, 0, 0], [10, 0, 0, 0]]
    assert all(np.array_equal(one[:-1], np.zeros((1, 4))) for one in found)


def test_one_more_weighs_customers_and_units():
    """Ten customers at 3 cost 10 · 9, one at 8 costs 64; in units of 1 and 9 the other way round."""
    rows = [[0, 0, 0, 0], *[[3, 0, 0, 0]] * 10, [0, 8, 0, 0]]
    for scale, place in ((ONE, [3, 0, 0, 0]), (np.array([9.0, 1, 1, 1]), [0, 8, 0, 0])):
        assert starts.one_more(distinct(rows, scale), np.zeros((1, 4)))[-1][-1].tolist() == place


def test_the_cost_is_the_squared_distance():
    """Three customers at 3 cost 3 · 9, one at 8 costs 64; by plain distance it were 9 and 8."""
    rows = [[0, 0, 0, 0], *[[3, 0, 0, 0]] * 3, [0, 8, 0, 0]]
    assert starts.one_more(distinct(rows), np.zeros((1, 4)))[-1][-1].tolist() == [0, 8, 0, 0]


def test_one_less_drops_what_would_be_missed_least():
    """Without a centroid its cells go to the next: by hand, over eight centroids on a line."""
    at = np.array([0, 1, 5, 12, 22, 35, 51, 70.0])
    X = np.zeros((8, 4))
    X[:, 1] = at
    cells = distinct(np.repeat(X, [9, 1, 1, 1, 1, 1, 1, 1], axis=0), np.array([1, 2.0, 1, 1]))
    missed = [9, 1, 16, 49, 100, 169, 256, 361]  # in units of 2: all a quarter
    expected = [at[j] for j in np.argsort(missed)[: starts.REMOVALS]]
    found = starts.one_less(cells, X)
    assert [set(at) - set(one[:, 1]) for one in found] == [{value} for value in expected]


def test_weighted_choice_by_hand():
    """Running totals 1, 1, 4: the shares below a quarter are the first, all others the third."""
    at = np.array([0, 0.2, 0.25, 0.9, 1.0])
    assert starts.weighted_choice(np.array([1.0, 0, 3]), at).tolist() == [0, 0, 2, 2, 2]


def groups():
    """Return six tight groups, of 400, 200, 100, 50, 25 and 12 rows."""
    rng = np.random.default_rng(0)
    centres = 10 * np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 0], [2, 2]])
    X = np.zeros((787, 4))
    X[:, :2] = np.repeat(centres, [400, 200, 100, 50, 25, 12], axis=0)
    X[:, :2] += rng.normal(scale=0.1, size=(787, 2))
    return X


@pytest.mark.parametrize("broken", ["one_more", "one_less"])
def test_neighbours_mend_a_bad_draw(monkeypatch, broken):
    """Every draw puts all centroids into one group; either neighbour alone finds the six."""
    cells = distinct(groups())
    monkeypatch.setattr(starts, "draw", lambda cells, k, seed, count: [cells.X[:k]])
    if broken == "one_more":
        monkeypatch.setattr(starts, "one_more", lambda cells, centroids: [
            np.vstack([centroids, centroids[:1] + 1e-3])
        ])  # fmt: skip
        monkeypatch.setattr(kmeans, "CURVE", starts.Effort(1, 1, 0.5, 0.5))
        fits = curve(cells, 40)
    else:
        monkeypatch.setattr(starts, "one_less", lambda cells, centroids: [centroids[1:]])
        fits = curve(cells, 8)
    # Within groups: 787 rows with a variance of 0.01 in two features.
    assert fits[5].inertia < 1.2 * 787 * 2 * 0.01
