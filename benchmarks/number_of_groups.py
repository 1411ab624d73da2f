"""Compare methods that say how many groups there are, on data where the answer is known.

    python -m benchmarks.number_of_groups

Each data set is tried as it is and with one wild record, a customer a thousand times as far out as
any other. Right is the true number, and "none" where there are no groups; a method that gives the wild
record a cluster of its own is right too, but one whose answer it changes otherwise is wrong.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from quickstart.warehouse_file import create_warehouse
from reclustering.clustering.cells import Cells, coarsen, ordered
from reclustering.clustering.elbow import find_elbow
from reclustering.clustering.evidence import SHARPEST_BEND, bends_of, weigh
from reclustering.clustering.kmeans import fit_curve
from reclustering.clustering.validity import validity_indices
from reclustering.core.contracts import FEATURES, FEATURES_SCHEMA
from reclustering.core.statements import for_duckdb
from reclustering.engine.duckdb import DuckDBEngine

SEED, K_MAX, REFERENCES, LIKE, CELLS = 111, 19, 5, 300, 2**11
Answer = int | None


@dataclass(frozen=True)
class DataSet:
    """Rows of which the number of groups is known; `truth` has what is right, None for no groups."""

    kind: str
    X: np.ndarray
    truth: tuple[Answer, ...]
    k_max: int = K_MAX


@dataclass(frozen=True)
class Curves:
    """What the methods look at: the curve of the data, and those of data without structure."""

    cells: Cells
    inertia: np.ndarray
    references: np.ndarray
    indices: dict[str, Answer]
    weighed: Answer

    @property
    def knee(self) -> Answer:
        """The knee of the curve, as kneed finds it."""
        return _knee(self.inertia)[0]


def main() -> None:
    """Print one row of figures for each kind of data, one column for each method."""
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    wrong: dict[str, set[Answer]] = defaultdict(set)
    with Pool(os.cpu_count()) as pool:
        for kind, found in pool.imap_unordered(_try, _data_sets(), chunksize=1):
            for method, (answer, correct) in found.items():
                right[kind][method].append(correct)
                if method == "this pipeline" and not correct:
                    wrong[kind].add(answer)
    print(f"| right of | sets | {' | '.join(METHODS)} |\n|---|---:|{'---:|' * len(METHODS)}")
    totals: dict[str, list[bool]] = defaultdict(list)
    for kind in sorted(right):
        row = right[kind]
        for method, values in row.items():
            totals[method] += values
        print(
            f"| {kind.strip()} | {len(row['knee'])} | {' | '.join(str(sum(row[m])) for m in METHODS)} |"
        )
    print(
        f"| **all** | {len(totals['knee'])} | {' | '.join(str(sum(totals[m])) for m in METHODS)} |"
    )
    for kind, answers in sorted(wrong.items()):
        print(f"This pipeline errs on {kind.strip()}: it says {sorted(map(str, answers))}.")


def _try(data: DataSet) -> tuple[str, dict[str, tuple[Answer, bool]]]:
    """Ask every method for one data set."""
    warnings.simplefilter("ignore")
    curves = _curves(data)
    found = {
        method: _judge(answer(curves), data, merged=True)
        for method, answer in METHODS.items()
        if answer
    }
    with tempfile.TemporaryDirectory() as folder:
        path = _write(Path(folder, "features.parquet"), data.X)
        with DuckDBEngine().open(UPath(path), "features", FEATURES_SCHEMA.names) as customers:
            elbow = find_elbow(customers, k=None, k_max=data.k_max, scaling="none")
    found["this pipeline"] = _judge(elbow["evidence"]["groups"], data, merged=False)
    return data.kind, found


def _judge(answer: Answer, data: DataSet, *, merged: bool) -> tuple[Answer, bool]:
    truth = set(data.truth)
    if merged and (data.kind.endswith(WILD) or data.kind.startswith("store")):
        # The far record may have a cluster of its own.
        truth |= {k + 1 for k in data.truth if k}
    return answer, answer in truth


def _curves(data: DataSet) -> Curves:
    rng = np.random.default_rng(SEED)
    cells = coarsen(_cells(data.X), CELLS)
    cells, fits = fit_curve([cells], data.k_max + 1, SEED)
    low, high = cells.X.min(axis=0), cells.X.max(axis=0)
    references = []
    for _ in range(REFERENCES):
        like = _cells(rng.uniform(low, high, (min(len(data.X), LIKE), 4)))
        references.append(
            [fit.inertia / like.rows for fit in fit_curve([like], len(fits), SEED)[1]]
        )
    indices = validity_indices(cells, fits[: data.k_max])
    return Curves(
        cells=cells,
        inertia=np.array([fit.inertia for fit in fits]),
        references=np.array([one[: min(map(len, references))] for one in references]),
        indices={name: one["k"] for name, one in indices.items()},
        weighed=weigh(cells, fits)["groups"],
    )


def _knee(inertia: np.ndarray) -> tuple[Answer, float]:
    """Return the k at which kneed finds the knee of a curve, and how sharp that is."""
    from kneed import KneeLocator

    if len(inertia) < 3:
        return None, 0.0
    ks = range(1, len(inertia) + 1)
    locator = KneeLocator(ks, inertia, curve="convex", direction="decreasing")
    knee = None if locator.knee is None else int(locator.knee)
    return knee, float(locator.y_difference.max())


def _knee_against_references(curves: Curves) -> Answer:
    """Return the knee if it is sharper than those of data without structure."""
    knee, sharpness = _knee(curves.inertia)
    return knee if sharpness > max(_knee(one)[1] for one in curves.references) else None


def _gap(curves: Curves) -> Answer:
    """Ask the gap statistic (R. Tibshirani, G. Walther, T. Hastie, 2001); its answer 1 is none."""
    n = min(curves.references.shape[1], len(curves.inertia[curves.inertia > 0]))
    logs = np.log(np.maximum(curves.references[:, :n], 1e-300))
    gap = logs.mean(axis=0) - np.log(curves.inertia[:n] / curves.cells.rows)
    error = logs.std(axis=0) * np.sqrt(1 + 1 / REFERENCES)
    enough = np.flatnonzero(gap[:-1] >= gap[1:] - error[1:])
    k = int(enough[0]) + 1 if len(enough) else None
    return None if k == 1 else k


def _most_indices(curves: Curves) -> Answer:
    answers = [one for one in curves.indices.values() if one]
    agreed = [one for one in set(answers) if answers.count(one) > 1]
    return agreed[0] if agreed else None


def _bend(curves: Curves) -> Answer:
    """Return the sharpest bend on logarithmic axes, if it is sharp enough."""
    bends = bends_of(curves.inertia)
    return int(np.argmax(bends)) + 2 if bends and max(bends) >= SHARPEST_BEND else None


METHODS: dict[str, Callable[[Curves], Answer] | None] = {
    "knee": lambda curves: curves.knee,
    "knee, references": _knee_against_references,
    "gap statistic": _gap,
    "Calinski-Harabasz": lambda curves: curves.indices["calinski_harabasz"],
    "Davies-Bouldin": lambda curves: curves.indices["davies_bouldin"],
    "silhouette": lambda curves: curves.indices["silhouette"],
    "two indices agree": _most_indices,
    "bend": _bend,
    "bend and silhouettes": lambda curves: curves.weighed,
    # The last, with those far from all others apart: what find_elbow does.
    "this pipeline": None,
}

WILD = ", wild"


def _data_sets() -> Iterator[DataSet]:
    for data in (*_stores(), *_groups(), *_structureless()):
        yield data
        wild = np.vstack([data.X, data.X.max(axis=0) * 1000 + 1])
        yield DataSet(data.kind + WILD, wild, data.truth, data.k_max)


def _stores() -> Iterator[DataSet]:
    """Give the sample store on twelve days, and stores of other sizes drawn from it.

    It has three groups beside customer 26070; of the first year and a half nobody knows better.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "warehouse.duckdb")
        create_warehouse(path)
        with duckdb.connect(str(path), read_only=True) as con:
            read = partial(_features, con)
            days = [date(2024 + i // 6, 1 + 2 * (i % 6), 25) for i in range(12)]
            tables = [read(day) for day in days]
    for k_max in (5, 6, 10, 19, 40):
        yield DataSet("store, today, k_max 5 to 40", tables[-1], (3,), k_max)
    for k_max in (5, 19, 40):
        for table in tables[:-1]:
            yield DataSet("store, 11 days before", table, (3, None), k_max)
    rng = np.random.default_rng(SEED)
    for n in (50, 400, 2_000, 10_000, 100_000, 1_000_000):
        for _ in range(3):
            drawn = tables[-1][rng.integers(0, len(tables[-1]), n)]
            # Of a million some thirty are the far customer again: a group.
            truth = (4,) if n == 1_000_000 else (3,) if n >= 10_000 else (3, None)
            yield DataSet("store, 50 to 1 M customers", drawn, truth)


def _features(con: duckdb.DuckDBPyConnection, as_of: date) -> np.ndarray:
    found = con.execute(for_duckdb("features/return_features"), {"as_of": as_of}).fetchnumpy()
    return np.column_stack([np.asarray(found[name], dtype=float) for name in FEATURES])


def _groups() -> Iterator[DataSet]:
    """Give round groups of unit variance in one, two or four features, no two nearer than some sigmas."""
    rng = np.random.default_rng(SEED)
    for sigma in (4, 6, 10, 20):
        for k in (3, 5, 8, 10):
            # In one, two or four features, of equal size; and in four, of unequal size.
            for features, share in ((1, None), (2, None), (4, None), (4, 3.0)):
                X = _blobs(rng, k, sigma, features, share)
                yield DataSet(f"{sigma:2} sigma apart: 3, 5, 8, 10", X, (k,))


def _blobs(
    rng: np.random.Generator, k: int, sigma: float, features: int, share: float | None
) -> np.ndarray:
    least = {1: 0.5 / k, 2: 0.15, 4: 0.3}[features]
    centres = rng.random((1, features))
    while len(centres) < k:
        one = rng.random((1, features))
        if np.linalg.norm(centres - one, axis=1).min() > least:
            centres = np.vstack([centres, one])
    apart = np.linalg.norm(centres[:, None] - centres, axis=2)[np.triu_indices(k, 1)].min()
    shares = np.full(k, 1 / k) if share is None else rng.dirichlet(np.full(k, share))
    members = np.repeat(np.arange(k), 40 + rng.multinomial(2_000, shares))
    X = np.zeros((len(members), 4))
    X[:, :features] = (centres * sigma / apart)[members]
    X[:, :features] += rng.normal(0, 1, (len(members), features))
    return X - X.min(axis=0)


def _structureless() -> Iterator[DataSet]:
    rng = np.random.default_rng(SEED)
    n = 1_000
    for features in (1, 4):
        for k_max in (10, 19, 40):
            rank = np.argsort(rng.random((n, features)), axis=0) + 1
            shapes = {
                "uniform": rng.random((n, features)),
                "one Gaussian": rng.normal(10, 1, (n, features)),
                "one exponential": rng.exponential(1, (n, features)),
                "1/k": 1 / rank,
                "small integers": rng.poisson(2, (n, features)).astype(float),
            }
            for kind, values in shapes.items():
                X = np.zeros((n, 4))
                X[:, :features] = values
                yield DataSet(kind, X, (None,), k_max)


def _cells(X: np.ndarray) -> Cells:
    rows, n = np.unique(X, axis=0, return_counts=True)
    n = n.astype(float)
    return ordered(Cells(rows, n, rows, rows, np.zeros(len(n)), np.ones(4), width=0.0))


def _write(path: Path, X: np.ndarray) -> Path:
    # Where frequency is no whole number, a thousandth of the unit decides nothing.
    whole = X if (X[:, 3] == np.round(X[:, 3])).all() else np.round(X * 1_000)
    columns = [np.arange(len(X)), *whole[:, :3].T, whole[:, 3].astype(int)]
    arrays = [
        pa.array(column).cast(field.type)
        for column, field in zip(columns, FEATURES_SCHEMA, strict=True)
    ]
    pq.write_table(pa.table(arrays, schema=FEATURES_SCHEMA), path)
    return path


if __name__ == "__main__":
    main()
