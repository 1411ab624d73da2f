"""Labels are the same for the same customers, however they are stored and read."""

import json
import os
import subprocess
import sys

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reclustering.clustering import summaries as module
from reclustering.clustering.assignment import predictor
from reclustering.core.contracts import FEATURES_SCHEMA
from reclustering.core.errors import BadInputError
from tests.clustering.tables import cluster_customers, label_customers, returns, save


def labels_by_customer(path):
    table = pq.read_table(path)
    return dict(zip(table["customer"].to_pylist(), table["label"].to_pylist(), strict=True))


@pytest.mark.parametrize("scaling", ["none", "standard", "robust"])
@pytest.mark.parametrize("budget", [300, float("inf")])
def test_clusters_json_alone_gives_the_published_labels(
    table, tmp_path, monkeypatch, scaling, budget
):
    monkeypatch.setattr(module, "BUDGETS", (budget, float("inf")))
    X = returns(5_000)
    features, out = table(X), tmp_path / "labels.parquet"
    clusters = cluster_customers(features, k=5, scaling=scaling)
    returners = label_customers(features, clusters, out)
    published = pq.read_table(out)["label"].to_numpy()
    assert returners == np.bincount(published[X.any(axis=1)], minlength=5).tolist()
    from_json = json.loads(json.dumps(clusters, allow_nan=False))
    assert np.array_equal(predictor(from_json)(X), published)
    assert [c["size"] for c in clusters["clusters"]] == np.bincount(published).tolist()
    for c in clusters["clusters"]:
        mean = X[published == c["label"]].mean(axis=0)
        np.testing.assert_allclose(list(c["centroid"].values()), mean, rtol=1e-10, atol=1e-12)


def test_a_far_customers_influence_is_the_share_of_the_variance_that_goes_without_them(table):
    X = np.vstack([returns(500)[:-1], [1, 2, 900, 1]])
    clusters = cluster_customers(table(X), k=4, scaling="none")
    [far] = clusters["outliers"]["customers"]
    squared = ((X - X.mean(axis=0)) ** 2).sum(axis=1)
    assert far["influence"] == pytest.approx(squared[-1] / squared.sum(), rel=1e-6)
    [far] = cluster_customers(table(X), k=3, scaling="none", outliers="set_aside")["outliers"][
        "customers"
    ]
    assert "influence" not in far


def test_the_file_is_the_features_and_a_column_more(table, tmp_path):
    features, out = table(returns(1_000)), tmp_path / "labels.parquet"
    label_customers(features, cluster_customers(features, k=3, scaling="none"), out)
    labels = pq.read_table(out)
    assert labels.drop_columns(["label"]).equals(pq.read_table(features))
    assert labels.schema.field("label").type == "uint8"
    assert labels.column_names == [*FEATURES_SCHEMA.names, "label"]


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32 - 1),
    budget=st.sampled_from([60, 1e9]),
)
def test_row_order_changes_nothing(tmp_path, seed, budget):
    X = returns(600, seed=7)
    customers = np.arange(600)
    order = np.random.default_rng(seed).permutation(600)
    before, module.BUDGETS = module.BUDGETS, (budget, float("inf"))
    try:
        sorted_file = save(tmp_path / "sorted.parquet", X, customers)
        mixed_file = save(tmp_path / "mixed.parquet", X[order], customers[order])
        ours = cluster_customers(sorted_file, k=4, scaling="none")
        theirs = cluster_customers(mixed_file, k=4, scaling="none")
    finally:
        module.BUDGETS = before
    assert ours == theirs
    label_customers(sorted_file, ours, tmp_path / "a.parquet")
    label_customers(mixed_file, theirs, tmp_path / "b.parquet")
    assert labels_by_customer(tmp_path / "a.parquet") == labels_by_customer(tmp_path / "b.parquet")


def test_the_number_of_threads_changes_no_bit(table, monkeypatch):
    monkeypatch.setattr(module, "BUDGETS", (300, float("inf")))
    features = table(np.repeat(returns(5_000), 60, axis=0), customers=np.arange(300_000))
    connect = duckdb.connect
    found = []
    for threads in (1, 2, 7):
        monkeypatch.setattr(duckdb, "connect", lambda t=threads: connect(config={"threads": t}))
        found.append(
            [cluster_customers(features, k=4, scaling=s) for s in ("none", "standard", "robust")]
        )
    assert found[0] == found[1] == found[2]


def test_a_process_of_its_own_gives_the_same_bits(table):
    features = table(returns(2_000))
    code = (
        "import json, sys;"
        "from tests.clustering.tables import cluster_customers;"
        "from pathlib import Path;"
        "print(json.dumps(cluster_customers(Path(sys.argv[1]), k=4, scaling='standard')))"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "3", "PYTHONHASHSEED": "5"}
    run = subprocess.run(
        [sys.executable, "-c", code, str(features)],
        env=environment,
        capture_output=True,
        check=True,
    )
    assert json.loads(run.stdout) == cluster_customers(features, k=4, scaling="standard")


def test_assign_refuses_what_it_cannot_label(table):
    clusters = cluster_customers(table(returns(100)), k=2, scaling="none")
    with pytest.raises(ValueError, match=r"shape \(3,\).*expected \(n, 4\)"):
        predictor(clusters)(np.zeros(3))
    with pytest.raises(ValueError, match="NaN or infinity"):
        predictor(clusters)(np.array([[0, 0, np.nan, 0]]))


def test_a_truncated_file_is_refused(table, tmp_path):
    features = table(returns(1_000))
    clusters = cluster_customers(features, k=2, scaling="none")
    features.write_bytes(features.read_bytes()[:-100])
    with pytest.raises(BadInputError, match=r"features\.parquet cannot be read.*extract_features"):
        label_customers(features, clusters, tmp_path / "labels.parquet")


def test_more_clusters_than_distinct_customers_are_refused(table):
    X = np.repeat(np.eye(4)[:3], 5, axis=0)
    with pytest.raises(BadInputError, match=r"k is 4, but there are only 3 distinct customers"):
        cluster_customers(table(X), k=4, scaling="none")
    sizes = [c["size"] for c in cluster_customers(table(X), k=3, scaling="none")["clusters"]]
    assert sizes == [5, 5, 5]


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-9, 2e9])
def test_one_distinct_customer_is_one_cluster(table, value):
    row = [value, value, value, 3]
    clusters = cluster_customers(table([row] * 7), k=1, scaling="none")
    assert clusters["inertia"] <= 1e-12 * value**2
    assert clusters["clusters"][0]["size"] == 7
    assert list(clusters["clusters"][0]["centroid"].values()) == pytest.approx(row, rel=1e-15)
