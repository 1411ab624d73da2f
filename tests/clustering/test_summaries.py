"""A summary holds what k-means needs of the rows it stands for."""

import numpy as np
import pytest

from reclustering.clustering import summaries as module
from reclustering.clustering.scaling import define_points
from reclustering.core.errors import BadInputError
from tests.clustering.tables import SHAPES, open_features, read_members, returns, summaries

ONE = np.ones(4)
PARTS = ("X", "n", "lo", "hi", "spread")


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(module, "BUDGETS", (200, 800, float("inf")))
    monkeypatch.setattr(module, "APART", 10)


def by_hand(X, width):
    """Group rows by cell with a dict, the slow and obvious way.

    The origin is a cell of its own, and so is each distinct row beyond the least power of two above
    the eleventh largest.
    """
    span = 2.0 ** (np.floor(np.log2(np.sort(X.max(axis=1))[-11])) + 1)
    groups = {}
    for row in X:
        groups.setdefault(key_of(row, width, span), []).append(row)
    return {key: np.array(rows) for key, rows in groups.items()}


def key_of(row, width, span):
    if row.max() >= span:
        return ("far", *row)
    return tuple(np.floor(row / width)) if row.any() else "origin"


@pytest.mark.parametrize("shape", SHAPES)
def test_grid_agrees_with_grouping_by_hand(table, few, shape):
    X = SHAPES[shape](np.random.default_rng(1))
    cells = next(summaries(table(X), ONE))
    if not cells.width:
        pytest.skip("few distinct rows are not merged")
    groups = by_hand(X, cells.width)
    assert len(cells) == len(groups) <= 260
    by_corners = {(*rows.min(axis=0), *rows.max(axis=0)): rows for rows in groups.values()}
    for i in range(len(cells)):
        rows = by_corners[(*cells.lo[i], *cells.hi[i])]
        assert cells.n[i] == len(rows)
        assert np.array_equal(cells.lo[i], rows.min(axis=0))
        assert np.array_equal(cells.hi[i], rows.max(axis=0))
        np.testing.assert_allclose(
            cells.X[i], rows.mean(axis=0), rtol=1e-12, atol=cells.width * 2.0**-49
        )
        spread = ((rows - rows.mean(axis=0)) ** 2).sum()
        assert cells.spread[i] == pytest.approx(spread, rel=1e-6, abs=1e-8 * cells.width**2)


@pytest.mark.parametrize("budget", [2_048, 65_536])
@pytest.mark.parametrize("shape", ["scattered", "diagonal", "lattice", "line"])
def test_a_grid_is_known_to_be_too_fine_without_its_cells(table, shape, budget):
    """The lattice and the line are what a bad hash would be fooled by."""
    rng = np.random.default_rng(0)
    axis = np.arange(1, 100_001) / 100_000
    X = {
        "scattered": rng.random((100_000, 4)),
        "diagonal": np.repeat(axis[:, None], 4, axis=1),
        "lattice": np.stack(np.meshgrid(*[np.arange(1, 19) / 32] * 4), -1).reshape(-1, 4),
        "line": np.column_stack([axis, np.zeros((100_000, 3))]),
    }[shape]
    X[:, 3] = np.floor(X[:, 3] * 64)
    scale = np.array([1, 1, 1, 64])
    with open_features(table(X)) as customers:
        define_points(customers, "none")
        for width in 2.0 ** -np.arange(1, 19):
            cells = len(np.unique(np.floor(X / (width * scale)), axis=0))
            if abs(cells / budget - 1) > 0.1:
                fits = module._fits(customers, width * scale, "true", budget)
                assert fits == (cells < budget), (width, cells)


def test_summaries_end_with_the_distinct_rows(table, few):
    X = returns(4_000)
    *_, last = summaries(table(X), ONE)
    rows, n = np.unique(X, axis=0, return_counts=True)
    assert last.width == 0
    assert last.hidden == 0
    assert np.array_equal(last.X, rows)
    assert np.array_equal(last.n, n)


def test_row_order_changes_no_bit(table, few):
    X = returns(4_000)
    shuffled = np.random.default_rng(0).permutation(X)
    ours, theirs = (
        next(summaries(table(rows, name), ONE)) for rows, name in ((X, "a"), (shuffled, "b"))
    )
    assert ours.width == theirs.width > 0
    assert all(np.array_equal(getattr(ours, part), getattr(theirs, part)) for part in PARTS)


def test_members_are_the_rows_of_the_chosen_cells(table, few):
    X = returns(4_000)
    path = table(X)
    cells = next(summaries(path, ONE))
    chosen = cells.take((np.arange(len(cells)) % 3 == 1) & (cells.lo < cells.hi).any(axis=1))
    members = read_members(path, chosen)
    assert members.rows == chosen.rows
    expected = np.concatenate(
        [by_hand(X, cells.width)[tuple(k)] for k in np.floor(chosen.lo / cells.width)]
    )
    assert np.array_equal(members.X, np.unique(expected, axis=0))


@pytest.mark.parametrize("value", [1e3, 1e7, 2e9])
def test_one_wild_row_leaves_the_grid_of_the_others_as_it_was(table, few, value):
    X = returns(4_000)
    without, with_it = (
        next(summaries(table(rows, name), ONE))
        for rows, name in ((X, "a"), (np.vstack([X, [1, 1, value, 1]]), "b"))
    )
    assert with_it.width == without.width
    assert len(with_it) == len(without) + 1
    assert with_it.hidden == without.hidden


@pytest.mark.parametrize("value", [1e12, 1e300, float("inf"), float("nan")])
@pytest.mark.parametrize("rows", [100, 4_000])
def test_a_feature_beyond_its_range_is_refused(table, few, value, rows):
    X = np.vstack([returns(rows), [1, 1, value, 1]])
    with pytest.raises(BadInputError, match=r"A feature is .*expected at most 2,147,483,647"):
        next(summaries(table(X), ONE))


def test_an_empty_table_is_refused(table):
    with pytest.raises(BadInputError, match=r"features\.parquet has no rows.*extract_features"):
        next(summaries(table(np.empty((0, 4))), ONE))


@pytest.mark.parametrize("keep", [0, 4, 0.5, -1])
def test_a_truncated_file_is_refused(table, keep):
    path = table(returns(1_000))
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(BadInputError, match=r"features\.parquet cannot be read.*extract_features"):
        next(summaries(path, ONE))


def test_a_missing_file_and_a_missing_column_are_refused(table, tmp_path):
    import pyarrow.parquet as pq

    with pytest.raises(BadInputError, match="nowhere"):
        next(summaries(tmp_path / "nowhere.parquet", ONE))
    path = table(returns(10))
    pq.write_table(pq.read_table(path).drop_columns(["itemsRatio"]), path)
    with pytest.raises(BadInputError, match="itemsRatio"):
        next(summaries(path, ONE))
