"""Compare the pipeline's clustering with scikit-learn on every row, in one run on the same data.

    python -m benchmarks.clustering [--shape tutorial] [--k-max 19] [--repeat 3] [ROWS ...]

The work is the same for all: the elbow curve from k = 1 to k_max, the fit at k = 4, a label for every
row. Each contender runs in a process of its own, so that its peak memory is its own; reading and
writing Parquet is timed apart. See README.md for what is counted where.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reclustering.core.protocols import Customers

PROJECT = Path(__file__).resolve().parent.parent
K, SEED = 4, 111
TUTORIAL, ALL_ROWS, DISTINCT = "tutorial's loop", "n_init=10, all rows", "n_init=10, distinct"
HUNDRED, OURS = "100 starts", "ours"
LIMITS = {
    ALL_ROWS: 1_000_000,
    DISTINCT: 1_000_000,
    HUNDRED: 1_000_000,
    TUTORIAL: 10_000_000,
    OURS: 10**12,
}
"""The largest number of rows that each contender is given."""


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", type=int, default=[37_336, 1_000_000])
    parser.add_argument("--shape", default="tutorial", help="tutorial, wild or distinct")
    parser.add_argument("--k-max", type=int, default=19)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=PROJECT / "var" / "benchmarks")
    parser.add_argument("--run", nargs=2, metavar=("CONTENDER", "FEATURES"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        contender, features = given.run
        found = CONTENDERS[contender](Path(features), given.k_max)
        print(json.dumps(found | {"peak_mb": _peak_mb()}))
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    busy = os.getloadavg()[0]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {busy:.1f}")
    for rows in given.rows:
        features = features_of(given.folder, rows, given.shape)
        compare(features, rows, given.k_max, given.repeat)


def compare(features: Path, rows: int, k_max: int, repeat: int) -> None:
    """Print one row of figures for each contender."""
    contenders = [name for name, limit in LIMITS.items() if rows <= limit]
    # The contenders take turns, so that a busy minute hits all of them.
    runs = [[_run(name, features, k_max) for name in contenders] for _ in range(repeat)]
    found = {name: [turn[i] for turn in runs] for i, name in enumerate(contenders)}
    ours = median(run["work_s"] for run in found[OURS])
    best = min(run["inertia"] for several in found.values() for run in several)
    curves = [several[0]["curve"] for several in found.values() if several[0].get("curve")]
    least = [min(values) for values in zip(*curves, strict=True)]
    print(f"\n{features.stem}, k_max {k_max}, median of {repeat}")
    print(f"{'':22}{'work':>10}{'ours is':>10}{'Parquet':>10}{'peak':>10}{'k=4':>10}{'curve':>10}")
    for name, several in found.items():
        work, io = (median(run[part] for run in several) for part in ("work_s", "parquet_s"))
        curve = several[0].get("curve")
        worst = max(a / b for a, b in zip(curve, least, strict=True)) if curve else float("nan")
        print(
            f"{name:22}{work:>9.2f}s{work / ours:>9.1f}x{io:>9.2f}s"
            f"{max(run['peak_mb'] for run in several):>8.0f}MB"
            f"{several[0]['inertia'] / best:>10.5f}{worst:>10.4f}"
        )


def tutorial(features: Path, k_max: int, n_init: int = 1) -> dict[str, Any]:
    """Do as the tutorial does, on the four features: a fit on every row for every k."""
    X, read_s = _timed(lambda: _matrix(features))
    result, work_s = _timed(lambda: _with_scikit_learn(X, None, k_max, n_init))
    del result["model"]
    return result | {"work_s": work_s, "parquet_s": read_s}


def distinct_rows(features: Path, k_max: int) -> dict[str, Any]:
    """Do the same with ten starts on the distinct rows, each weighted by its customers."""
    import duckdb
    import numpy as np

    from reclustering.core.contracts import FEATURES

    X, read_s = _timed(lambda: _matrix(features))

    def work() -> dict[str, Any]:
        names = ", ".join(f'"{name}"' for name in FEATURES)
        grouped = f"SELECT {names}, count(*) FROM '{features}' GROUP BY ALL ORDER BY ALL"  # noqa: S608
        columns = list(duckdb.execute(grouped).fetchnumpy().values())
        result = _with_scikit_learn(np.column_stack(columns[:4]), columns[4], k_max, n_init=10)
        result.pop("model").predict(X)
        return result

    result, work_s = _timed(work)
    return result | {"work_s": work_s, "parquet_s": read_s}


def _with_scikit_learn(X: Any, weight: Any, k_max: int, n_init: int) -> dict[str, Any]:
    from scipy.spatial.distance import cdist
    from sklearn.cluster import KMeans

    def fit(k: int) -> KMeans:
        return KMeans(k, n_init=n_init, random_state=SEED).fit(X, sample_weight=weight)

    curve = []
    for k in range(1, k_max + 1):
        model = fit(k)
        cdist(X, model.cluster_centers_).min(axis=1).mean()
        curve.append(float(model.inertia_))
    model = fit(K)
    return {"inertia": float(model.inertia_), "curve": curve, "model": model}


def hundred_starts(features: Path, _k_max: int) -> dict[str, Any]:
    """Find the reference for k = 4: the best of 100 starts on the distinct rows."""
    import numpy as np
    from sklearn.cluster import KMeans

    from reclustering.clustering.scaling import define_points
    from reclustering.clustering.summaries import summaries

    with _open(features) as customers:
        define_points(customers, "none")
        *_, rows = summaries(customers, np.ones(4))
    model, work_s = _timed(
        lambda: KMeans(K, n_init=100, random_state=SEED, tol=0).fit(rows.X, sample_weight=rows.n)
    )
    return {"work_s": work_s, "parquet_s": 0.0, "inertia": float(model.inertia_)}


def ours(features: Path, k_max: int) -> dict[str, Any]:
    """Do what the tasks choose_k and fit_clusters do, from features.parquet to labels.parquet."""
    import scipy.cluster.hierarchy
    import scipy.optimize  # noqa: F401
    import sklearn.cluster  # noqa: F401
    from upath import UPath

    from reclustering.clustering.assignment import label_customers
    from reclustering.clustering.clusters import cluster_customers
    from reclustering.clustering.elbow import find_elbow

    labels = features.with_name("labels.parquet")

    def work() -> tuple[dict[str, Any], dict[str, Any]]:
        with _open(features) as customers:
            elbow = find_elbow(customers, k=None, k_max=k_max, scaling="none")
        start = elbow["centroids"] if elbow["k"] == K else None
        with _open(features) as customers:
            clusters = cluster_customers(customers, k=K, scaling="none", start=start)
            label_customers(customers, clusters, UPath(labels))
        return elbow, clusters

    (elbow, clusters), total_s = _timed(work)
    parquet_s = _parquet_seconds(features, labels)
    return {
        "work_s": total_s - parquet_s,
        "parquet_s": parquet_s,
        "inertia": clusters["inertia"],
        "curve": [point["inertia"] for point in elbow["curve"]],
    }


def _open(features: Path) -> AbstractContextManager[Customers]:
    from upath import UPath

    from reclustering.core.contracts import FEATURES_SCHEMA
    from reclustering.engine.duckdb import DuckDBEngine

    return DuckDBEngine().open(UPath(features), "features", FEATURES_SCHEMA.names)


def _parquet_seconds(features: Path, labels: Path) -> float:
    """Time the reading and writing alone: one scan for each of the two tasks, and one copy."""
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    from reclustering.core.contracts import FEATURES, LABELS_SCHEMA
    from reclustering.engine.duckdb import REPEATED

    def scan() -> None:
        sums = ", ".join(f'sum("{name}")' for name in FEATURES)
        with duckdb.connect() as con:
            con.execute(f"SELECT {sums} FROM read_parquet('{features}')").fetchall()  # noqa: S608

    def copy() -> None:
        with (
            pq.ParquetFile(features, pre_buffer=False) as source,
            pq.ParquetWriter(labels, LABELS_SCHEMA, use_dictionary=REPEATED) as sink,
        ):
            for batch in source.iter_batches(262_144):
                nothing = pa.py_buffer(bytes(batch.num_rows))
                zeros = pa.Array.from_buffers(pa.uint8(), batch.num_rows, [None, nothing])
                sink.write_batch(pa.record_batch([*batch.columns, zeros], schema=LABELS_SCHEMA))

    return 2 * _timed(scan)[1] + _timed(copy)[1]


CONTENDERS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    TUTORIAL: tutorial,
    ALL_ROWS: lambda features, k_max: tutorial(features, k_max, n_init=10),
    DISTINCT: distinct_rows,
    HUNDRED: hundred_starts,
    OURS: ours,
}


def _run(contender: str, features: Path, k_max: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.clustering", "--k-max", str(k_max)]
    command += ["--run", contender, str(features)]
    path = os.pathsep.join([str(PROJECT), str(PROJECT / "plugins")])
    done = subprocess.run(  # noqa: S603 - our own module
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{contender} failed on {features}:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def features_of(folder: Path, rows: int, shape: str) -> Path:
    """Return the generated table of so many rows, making it if it is not there."""
    sys.path.insert(0, str(PROJECT / "plugins"))
    from benchmarks.generate import write_customers

    path = folder / f"{shape}_{rows}.parquet"
    if not path.exists():
        half = path.with_suffix(".part")
        write_customers(rows, half, shape)
        half.rename(path)
    return path


def _matrix(features: Path) -> Any:
    import numpy as np
    import pyarrow.parquet as pq

    from reclustering.core.contracts import FEATURES

    table = pq.read_table(features, columns=list(FEATURES))
    return np.column_stack([table[name].to_numpy() for name in FEATURES]).astype(float)


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = function()
    return result, time.perf_counter() - started


def _peak_mb() -> float:
    """Return the most memory this process has held, which Linux counts in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


if __name__ == "__main__":
    main()
