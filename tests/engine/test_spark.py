"""A real Spark cluster gives what DuckDB gives, to the last bit, even when it loses a machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from quickstart.sample_days import yesterday
from quickstart.warehouse_file import create_warehouse_until_yesterday
from reclustering import steps
from reclustering.clustering.assignment import label_customers, predictor
from reclustering.clustering.clusters import cluster_customers
from reclustering.clustering.elbow import find_elbow
from reclustering.core.artifacts import read_json
from reclustering.core.contracts import FEATURES, FEATURES_SCHEMA, LABELS_SCHEMA
from reclustering.core.errors import BadInputError, TransientError
from reclustering.core.guards import Bounds
from reclustering.core.protocols import Engine
from reclustering.core.run import Run
from reclustering.core.tables import read_table_batches
from reclustering.engine.duckdb import DuckDBEngine
from reclustering.explaining import explain
from reclustering.labels.publication import staging_totals
from tests.clustering.tables import SHAPES, returns, save
from tests.spark_cluster import Cluster, is_installed, spark_cluster

pytestmark = [
    pytest.mark.spark,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not is_installed(), reason="there is no Spark: make test-spark installs it"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with spark_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def spark(cluster: Cluster) -> Engine:
    from reclustering.engine.spark import SparkEngine

    return SparkEngine(cluster.remote)


def read_labels(path: UPath) -> pa.Table:
    batches = read_table_batches(Path(str(path)), 100_000, LABELS_SCHEMA.names)
    return pa.Table.from_batches([batch.cast(LABELS_SCHEMA) for batch in batches])


def work(engine: Engine, features: Path, scaling: str, outliers: str = "keep") -> dict[str, Any]:
    """Do all that an engine does, and give what comes out."""
    labels = UPath(features.with_name(f"labels-{type(engine).__name__}.parquet"))
    how = {"scaling": scaling, "outliers": outliers}
    with engine.open(UPath(features), "features", FEATURES_SCHEMA.names) as customers:
        elbow = find_elbow(customers, k=None, k_max=9, **how)
        clusters = cluster_customers(customers, k=elbow["k"], start=elbow["centroids"], **how)
        returners = label_customers(customers, clusters, labels)
    with engine.open(labels, "labels", LABELS_SCHEMA.names) as customers:
        totals = staging_totals(customers)
    return {
        "elbow": elbow,
        "clusters": clusters,
        "returners": returners,
        "totals": totals,
        "labels": read_labels(labels),
    }


def require_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name in one:
        assert one[name] == other[name], name


@pytest.mark.parametrize("shape", SHAPES)
def test_odd_data_give_the_same_bits(
    cluster: Cluster, tmp_path: Path, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reclustering.clustering import summaries

    # So that few customers are merged, opened and merged again, as many would be.
    monkeypatch.setattr(summaries, "BUDGETS", (200, 800, float("inf")))
    monkeypatch.setattr(summaries, "APART", 10)
    features = save(tmp_path / "features.parquet", SHAPES[shape](np.random.default_rng(5)))
    require_same(work(spark(cluster), features, "none"), work(DuckDBEngine(), features, "none"))


@pytest.mark.parametrize(
    ("scaling", "outliers"),
    [("none", "keep"), ("standard", "set_aside"), ("robust", "keep"), ("log", "set_aside")],
)
def test_every_choice_gives_the_same_bits(
    cluster: Cluster, tmp_path: Path, scaling: str, outliers: str
) -> None:
    features = save(tmp_path / "features.parquet", returns(3_000))
    ours, theirs = (
        work(engine, features, scaling, outliers) for engine in (spark(cluster), DuckDBEngine())
    )
    require_same(ours, theirs)
    # And so does the formula that one customer is labelled with.
    X = np.column_stack([ours["labels"][name].to_numpy() for name in FEATURES])
    assert predictor(ours["clusters"])(X).tolist() == ours["labels"]["label"].to_pylist()


def test_a_million_customers_and_a_worker_killed_in_the_middle(tmp_path: Path) -> None:
    features = save(tmp_path / "features.parquet", returns(1_000_000))
    with spark_cluster(tmp_path / "cluster") as cluster:
        found: dict[str, Any] = {}
        working = threading.Thread(
            target=lambda: found.update(work(spark(cluster), features, "none"))
        )
        working.start()
        time.sleep(10)
        assert working.is_alive()
        cluster.kill_worker()
        working.join()
        assert sum(worker.poll() is None for worker in cluster.workers) == 1
    require_same(found, work(DuckDBEngine(), features, "none"))


def test_what_was_kept_of_a_file_is_not_taken_for_its_successor(
    cluster: Cluster, tmp_path: Path
) -> None:
    """A task that is repeated writes another file to the same place."""
    for seed in (1, 2):
        features = save(tmp_path / "features.parquet", returns(500 * seed, seed))
        require_same(work(spark(cluster), features, "log"), work(DuckDBEngine(), features, "log"))


def test_a_file_that_is_none_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    path = save(tmp_path / "features.parquet", returns(1_000))
    whole = path.read_bytes()
    without = pq.read_table(path).drop_columns(["itemsRatio"])
    path.write_bytes(whole[:-100])
    with pytest.raises(BadInputError, match=r"features\.parquet cannot be read.*extract_features"):
        work(spark(cluster), path, "none")
    pq.write_table(without, path)
    with pytest.raises(BadInputError, match=r"cannot be read.*itemsRatio"):
        work(spark(cluster), path, "none")
    save(path, np.empty((0, 4)))
    with pytest.raises(BadInputError, match="has no rows"):
        work(spark(cluster), path, "none")


def test_a_server_that_is_away_is_worth_a_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.sql.connect.client import core
    from pyspark.sql.connect.client.retries import DefaultPolicy

    from reclustering.engine.spark import SparkEngine

    # Spark's client asks for ten minutes by itself.
    monkeypatch.setattr(core, "DefaultPolicy", lambda **_: DefaultPolicy(max_retries=2))
    path = save(tmp_path / "features.parquet", returns(100))
    with pytest.raises(TransientError, match=r"on sc://127\.0\.0\.1:1\b.*spark_default"):
        work(SparkEngine("sc://127.0.0.1:1/;token=secret"), path, "none")


def test_the_sample_store_is_published_alike(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the store to the published labels."""
    from reclustering.warehouse import connect
    from reclustering.warehouse.schema import create_own_objects

    published = {}
    for engine in (spark(cluster), DuckDBEngine()):
        name = type(engine).__name__
        store = tmp_path / f"{name}.duckdb"
        create_warehouse_until_yesterday(store)
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"duckdb:///{store}")
        warehouse = connect()
        create_own_objects(warehouse)
        run = Run(yesterday(), name, UPath(tmp_path / name))
        publish(warehouse, engine, run)
        with warehouse.read() as session:
            batches = list(session.stream("labels/previous_labels", {"as_of": run.as_of}))
        labels = read_labels(run.path("labels.parquet"))
        published[name] = (
            pa.Table.from_batches(batches).sort_by("customer"),
            labels,
            read_json(run.path("clusters.json")),
            explain(run, labels["customer"][17_000].as_py()).sentences,
        )
    ours, theirs = published.values()
    assert ours == theirs
    assert ours[0].num_rows == ours[1].num_rows > 30_000


def publish(warehouse: Any, engine: Engine, run: Run) -> None:
    from datetime import UTC, date, datetime

    how = {"scaling": "none", "outliers": "keep"}
    steps.begin_run(run, {})
    steps.extract_features(warehouse, run, bounds=Bounds(), accept_change=True, today=date.max)
    steps.choose_k(warehouse, engine, run, k=None, k_max=19, patience=7, **how)
    steps.fit_clusters(warehouse, engine, run, **how)
    steps.check_fit(warehouse, run, label=0, bounds=Bounds(), manual=False)
    steps.write_labels(warehouse, engine, run, now=datetime.now(UTC))
