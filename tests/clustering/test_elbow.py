"""Every curve has an answer, and the answer says where it came from."""

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from reclustering.clustering.elbow import find_elbow, find_knee
from reclustering.core.errors import BadInputError
from tests.clustering.tables import returns


def blobs(k, each=30):
    """Return k tight groups at equal distances from one another."""
    rng = np.random.default_rng(0)
    X = np.vstack([np.tile(10.0 * np.eye(4)[i], (each, 1)) for i in range(k)])
    X[:, :3] += rng.random((len(X), 3)) / 10
    return X


def choose(path, **given):
    result = find_elbow(
        path, **{"k": None, "k_max": 9, "scaling": "none", "previous_k": None} | given
    )
    return json.loads(json.dumps(result, allow_nan=False))


def test_the_knee_is_the_number_of_groups(table):
    result = choose(table(blobs(3)))
    assert (result["k"], result["method"], result["knee"]) == (3, "knee", 3)
    assert result["reason"] == "The curve bends most at k = 3."
    assert {name: one["k"] for name, one in result["indices"].items()} == {
        "calinski_harabasz": 3,
        "davies_bouldin": 3,
        "silhouette": 3,
    }
    assert result["disagreement"] == "No index speaks for another k than 3."


def test_the_curve_is_that_of_every_row(table):
    X = returns(3_000)
    result = choose(table(X), k_max=12)
    inertia = [point["inertia"] for point in result["curve"]]
    assert inertia == sorted(inertia, reverse=True)
    for k, ours in enumerate(inertia, start=1):
        with threadpool_limits(1):
            reference = KMeans(k, n_init=10, random_state=0).fit(X)
        assert ours <= 1.01 * reference.inertia_, f"k = {k}"
        if k == 1:
            distance = np.linalg.norm(X - X.mean(axis=0), axis=1).mean()
            assert result["curve"][0]["mean_distance"] == pytest.approx(distance)


def test_a_fixed_k_keeps_the_curve_and_says_so(table):
    result = choose(table(blobs(3)), k=5)
    assert (result["k"], result["method"], len(result["curve"])) == (5, "fixed", 9)
    assert result["reason"] == "k = 5 was set by the parameter k; the curve bends most at k = 3."
    assert "Against k = 5 speaks" in result["disagreement"]


def test_a_fixed_k_may_exceed_k_max(table):
    result = choose(table(blobs(3)), k=12, k_max=4)
    assert (result["k"], len(result["curve"])) == (12, 4)


def test_more_than_the_distinct_customers_is_refused(table):
    path = table([[0, 0, 0, 0]] * 5 + [[1, 1, 1, 1]] * 5)
    with pytest.raises(BadInputError, match="k is 3, but there are only 2 distinct customers"):
        choose(path, k=3)
    assert choose(path)["k"] == 2


@pytest.mark.parametrize(
    ("previous_k", "k", "method", "reason"),
    [
        (None, 2, "default", "no run was published before; k = 2 is the default, 4, cut to where"),
        (2, 2, "previous", "k = 2 is that of the last published run."),
        (
            7,
            2,
            "previous",
            "k = 2 is that of the last published run, 7, cut to where the curve ends",
        ),
    ],
)
def test_without_a_knee_the_last_k_stays(table, previous_k, k, method, reason):
    result = choose(table([[0, 0, 0, 0], [1, 1, 1, 1]]), previous_k=previous_k)
    assert (result["k"], result["method"], result["knee"]) == (k, method, None)
    assert "no clear bend" in result["reason"]
    assert reason in result["reason"]


def test_no_knee_in_a_straight_line():
    assert find_knee([10.0, 8.0, 6.0, 4.0, 2.0, 0.0]) is None


def test_no_knee_in_a_flat_curve():
    assert find_knee([5.0, 5.0, 5.0, 5.0]) is None


def test_one_distinct_customer(table):
    result = choose(table([[0.1, 0.7, 1.1, 1]] * 7), previous_k=4)
    assert (result["k"], len(result["curve"]), result["distinct_rows"]) == (1, 1, 1)
    assert result["reason"] == "All customers have the same features: one cluster."


def test_k_max_of_one(table):
    result = choose(table(blobs(3)), k_max=1)
    assert (result["k"], result["knee"]) == (1, None)


def test_fewer_distinct_customers_than_k_max_end_the_curve(table):
    result = choose(table([[i, 0, 0, i] for i in (0, 1, 5, 6, 20)] * 3), k_max=19)
    assert [point["k"] for point in result["curve"]] == [1, 2, 3, 4, 5]
    assert result["curve"][-1]["inertia"] == 0


@pytest.mark.parametrize(
    ("previous_k", "expected"),
    [
        (None, "No run was published before."),
        (3, "k = 3, as in the last published run."),
        (6, "k changed from 6 in the last published run to 3."),
    ],
)
def test_a_change_from_the_last_run_is_reported(table, previous_k, expected):
    assert choose(table(blobs(3)), previous_k=previous_k)["change"] == expected


@pytest.mark.parametrize("name", ["k", "k_max"])
def test_zero_clusters_are_refused(table, name):
    with pytest.raises(BadInputError, match=f"{name} is 0; expected at least 1"):
        choose(table(blobs(2)), **{name: 0})


def test_the_alt_text_tells_what_the_plot_shows(table):
    text = choose(table(blobs(3)))["alt_text"]
    assert "k = 3 is marked" in text
    assert "k = 9" in text


def test_the_tasks_do_not_import_what_they_do_not_use(table, tmp_path):
    """Each task is a process of its own, every night."""
    code = """
import sys
from pathlib import Path
from reclustering.clustering.clusters import cluster_customers
from reclustering.clustering.assignment import label_customers

features, labels = map(Path, sys.argv[1:])
label_customers(features, cluster_customers(features, k=3, scaling="standard"), labels)
from reclustering.clustering import elbow

print(*sys.modules)
"""
    command = [sys.executable, "-c", code, str(table(blobs(3))), str(tmp_path / "labels.parquet")]
    run = subprocess.run(command, capture_output=True, check=True, text=True)
    unwanted = {"matplotlib", "scipy.signal", "airflow"}
    assert not unwanted & set(run.stdout.split())
