"""DuckDB beside Spark with one worker and with two, on the same customers, in one run: `make engines`.

The work is that of choose_k, fit_clusters and the checksum of write_labels, from features.parquet to labels.
All processes share this machine. What comes out must be the same to the last bit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from upath import UPath

from benchmarks.clustering import PROJECT, features_of
from reclustering.core.artifacts import content_sha256
from reclustering.core.contracts import FEATURES_SCHEMA, LABELS_SCHEMA
from reclustering.core.protocols import Engine
from tests.spark_cluster import spark_cluster

WORKERS = {"duckdb": 0, "spark, one worker": 1, "spark, two workers": 2}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", type=int, default=[1_000_000, 10_000_000])
    parser.add_argument("--memory", default="2g", help="of each executor")
    parser.add_argument("--folder", type=Path, default=PROJECT / "var" / "benchmarks")
    parser.add_argument("--run", nargs=2, metavar=("REMOTE", "FEATURES"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(_work(given.run[0], Path(given.run[1]))))
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for rows in given.rows:
        features = features_of(given.folder, rows, "tutorial")
        print(f"\n{rows:,} customers", flush=True)
        expected = None
        for name, workers in WORKERS.items():
            one = _measure(workers, features, given.memory)
            expected = expected or one["sha256"]
            times = "".join(f"{step} {spent:7.1f} s  " for step, spent in one["seconds"].items())
            peaks = ", ".join(f"{role} {size / 1e6:,.0f}" for role, size in one["peaks"].items())
            same = "same" if one["sha256"] == expected else "OTHER RESULT"
            print(f"{name:<20}{times} {same}; MB: {peaks}", flush=True)


def _measure(workers: int, features: Path, memory: str) -> dict[str, Any]:
    with ExitStack() as stack:
        remote, cluster = "", None
        if workers:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            cluster = stack.enter_context(
                spark_cluster(Path(folder), workers=workers, memory=memory)
            )
            remote = cluster.remote
        command = [sys.executable, "-m", "benchmarks.engines", "--run", remote, str(features)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
        if done.returncode:
            sys.exit(done.stderr)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        found["peaks"] = {"task": found.pop("peak")} | (cluster.peaks() if cluster else {})
        return found


def _work(remote: str, features: Path) -> dict[str, Any]:
    import resource

    from reclustering.clustering.assignment import label_customers
    from reclustering.clustering.clusters import cluster_customers
    from reclustering.clustering.elbow import find_elbow
    from reclustering.labels.publication import staging_totals

    engine = _engine(remote)
    labels = UPath(features.with_name("labels.parquet"))
    how: Any = {"scaling": "none", "outliers": "keep"}
    started = time.monotonic()
    seconds: dict[str, float] = {}

    def lap(step: str) -> None:
        seconds[step] = time.monotonic() - started - sum(seconds.values())

    with engine.open(UPath(features), "features", FEATURES_SCHEMA.names) as customers:
        elbow = find_elbow(customers, k=None, k_max=19, **how)
    lap("choose k")
    with engine.open(UPath(features), "features", FEATURES_SCHEMA.names) as customers:
        clusters = cluster_customers(customers, k=elbow["k"], start=elbow["centroids"], **how)
        lap("fit")
        returners = label_customers(customers, clusters, labels)
    lap("label")
    with engine.open(labels, "labels", LABELS_SCHEMA.names) as customers:
        totals = staging_totals(customers)
    lap("checksum")
    came_out = {"elbow": elbow, "clusters": clusters, "returners": returners, "totals": totals}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "sha256": content_sha256(came_out), "peak": peak}


def _engine(remote: str) -> Engine:
    if remote:
        from reclustering.engine.spark import SparkEngine

        return SparkEngine(remote)
    from reclustering.engine.duckdb import DuckDBEngine

    return DuckDBEngine()


if __name__ == "__main__":
    main()
