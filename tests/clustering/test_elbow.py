"""Every curve has an answer, and the answer says where it came from."""

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from reclustering.clustering.choice import Published
from reclustering.core.errors import BadInputError
from tests.clustering.tables import cluster_customers, find_elbow, returns


def blobs(k, each=30):
    """Return k tight groups at equal distances from one another."""
    rng = np.random.default_rng(0)
    X = np.vstack([np.tile(10.0 * np.eye(4)[i], (each, 1)) for i in range(k)])
    X[:, :3] += rng.random((len(X), 3)) / 10
    return X


def choose(path, **given):
    result = find_elbow(path, **{"k": None, "k_max": 9, "scaling": "none"} | given)
    return json.loads(json.dumps(result, allow_nan=False))


def published(*clear, groups=3, k=None):
    """Return earlier runs, newest first, one a day before 2026-03-09, by what their evidence was."""
    return [
        Published(f"2026-03-{8 - i:02}", k or groups, groups, one) for i, one in enumerate(clear)
    ]


def test_k_is_the_number_of_groups(table):
    result = choose(table(blobs(3)))
    assert (result["k"], result["method"], result["evidence"]["groups"]) == (3, "clear", 3)
    assert result["reason"].startswith("k = 3: 3 groups. The curve bends clearly at 3: ")
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
    assert result["reason"].startswith(
        "k = 5: set by the parameter k. The curve bends clearly at 3: "
    )
    assert "Against k = 5 speaks" in result["disagreement"]


def test_a_fixed_k_may_exceed_k_max(table):
    result = choose(table(blobs(3)), k=12, k_max=4)
    assert (result["k"], len(result["curve"])) == (12, 4)


def test_more_than_the_distinct_customers_is_refused(table):
    path = table([[0, 0, 0, 0]] * 5 + [[1, 1, 1, 1]] * 5)
    with pytest.raises(BadInputError, match="k is 3, but there are only 2 distinct customers"):
        choose(path, k=3)
    assert choose(path)["k"] == 2


def test_without_evidence_k_is_the_tutorials(table):
    X = np.random.default_rng(0).random((500, 4))
    result = choose(table(X))
    assert (result["k"], result["method"], result["evidence"]["groups"]) == (4, "default", None)
    assert result["reason"].startswith(
        "k = 4: 4 groups by default, for nothing was published before. "
        "No number of groups is clear: the curve bends most at "
    )


@pytest.mark.parametrize(
    ("history", "k", "method", "said"),
    [
        (
            published(3),
            3,
            "kept",
            "k = 3: 3 groups, as on 2026-03-08. The curve bends clearly at 3",
        ),
        (published(None, groups=5), 5, "kept", "on 1 day in a row; 7 change k."),
        (
            published(3, 3, 5, groups=5),
            5,
            "kept",
            "on 3 days in a row, since 2026-03-07; 7 change k.",
        ),
        (published(3, 3, 3, 3, 3, 5, 3, groups=5), 5, "kept", "on 6 days in a row"),
        (
            published(3, 3, 3, 3, 3, 3, 5, groups=5),
            3,
            "replaced",
            "3 groups, for which the evidence",
        ),
    ],
)
def test_a_published_k_is_kept_until_the_evidence_lasts(table, history, k, method, said):
    result = choose(table(blobs(3)), history=history, patience=7)
    assert (result["k"], result["method"]) == (k, method)
    assert said in result["reason"]


def test_a_kept_k_may_exceed_k_max_and_is_cut_to_the_distinct_customers(table):
    history = published(12, groups=12)
    assert choose(table(blobs(3)), k_max=4, history=history)["k"] == 12
    few = table([[0, 0, 0, 0], [1, 1, 1, 1]] * 5, "few.parquet")
    assert choose(few, history=history)["k"] == 2


def test_a_person_decides(table):
    result = choose(table(blobs(3)), k=6, history=published(3, groups=3))
    assert (result["k"], result["groups"], result["method"]) == (6, 6, "fixed")


def test_customers_far_from_all_others_have_clusters_of_their_own(table):
    """Two far apart and two side by side: three clusters more, and the groups keep theirs."""
    X = blobs(3, each=300)
    wild = np.array([[0, 0, 5e3, 0], [0, 0, 4e5, 0], [0, 3e7, 0, 0], [0, 3e7 + 1, 0, 0]])
    result = choose(table(np.vstack([X, wild])))
    assert (result["k"], result["groups"], result["far_groups"]) == (6, 3, 3)
    assert result["evidence"]["groups"] == choose(table(X, "x"))["evidence"]["groups"] == 3
    assert [one["customer"] for one in result["outliers"]["customers"]] == [901, 902, 903, 904]
    assert result["reason"].startswith("k = 6: 3 groups and 4 customers far from all others.")
    path = table(np.vstack([X, wild]))
    clusters = cluster_customers(path, k=6, scaling="none", start=result["centroids"])["clusters"]
    assert sorted(one["size"] for one in clusters) == [1, 1, 2, 300, 300, 300]


def test_set_aside_they_have_no_say(table):
    X = blobs(3, each=300)
    path = table(np.vstack([X, [[0, 0, 5e3, 0]]]))
    result = choose(path, outliers="set_aside")
    assert (result["k"], result["far_groups"], result["rows"]) == (3, 0, 900)
    assert result["curve"] == choose(table(X, "x"))["curve"]
    assert "3 groups; 1 customer far from all others set aside." in result["reason"]


def test_too_many_far_customers_are_a_decision_for_a_person(table):
    X = np.vstack([np.random.default_rng(0).random((10_000, 4)), np.zeros((50, 4))])
    X[-50:, 2] = 1e3 * 1.2 ** np.arange(50)
    with pytest.raises(BadInputError, match=r"k would be \d+; expected at most 40.*set_aside"):
        choose(table(X))


@pytest.mark.parametrize("scaling", ["standard", "robust", "log"])
def test_every_scaling_finds_groups_that_stand_apart(table, scaling):
    result = choose(table(blobs(4)), scaling=scaling)
    assert (result["k"], result["method"]) == (4, "clear")


def test_one_distinct_customer(table):
    result = choose(table([[0.1, 0.7, 1.1, 1]] * 7), history=published(4, groups=4))
    assert (result["k"], len(result["curve"]), result["distinct_rows"]) == (1, 1, 1)
    assert "too few distinct customers" in result["reason"]


def test_k_max_of_one(table):
    result = choose(table(blobs(3)), k_max=1)
    assert (result["k"], len(result["curve"]), result["method"]) == (4, 1, "default")


def test_fewer_distinct_customers_than_k_max_end_the_curve(table):
    result = choose(table([[i, 0, 0, i] for i in (0, 1, 5, 6, 20)] * 3), k_max=19)
    assert [point["k"] for point in result["curve"]] == [1, 2, 3, 4, 5]
    assert result["curve"][-1]["inertia"] == 0


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], "No run was published before."),
        (published(3), "k = 3, as in the last published run."),
        (published(*[3] * 7, groups=6), "k changed from 6 in the last published run to 3."),
    ],
)
def test_a_change_from_the_last_run_is_reported(table, history, expected):
    assert choose(table(blobs(3)), history=history)["change"] == expected


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
from upath import UPath
from reclustering.clustering.assignment import label_customers
from reclustering.clustering.clusters import cluster_customers
from reclustering.core.contracts import FEATURES_SCHEMA
from reclustering.engine.duckdb import DuckDBEngine

features, labels = map(UPath, sys.argv[1:])
with DuckDBEngine().open(features, "features", FEATURES_SCHEMA.names) as customers:
    found = cluster_customers(customers, k=3, scaling="standard")
    label_customers(customers, found, labels)
from reclustering.clustering import elbow

print(*sys.modules)
"""
    command = [sys.executable, "-c", code, str(table(blobs(3))), str(tmp_path / "labels.parquet")]
    run = subprocess.run(command, capture_output=True, check=True, text=True)
    unwanted = {"matplotlib", "scipy.signal", "airflow"}
    assert not unwanted & set(run.stdout.split())


def test_the_fit_starts_where_the_curve_ended(table):
    """Of all 3^13 ways to part these 13 customers in three the best costs 281/12."""
    # One digit for each feature.
    rows = "1323 3332 1211 0010 0011 1221 3110 0022 3311 1120 1330 1132 3211"
    path = table(np.array([[float(digit) for digit in row] for row in rows.split()]))
    start = choose(path, k=3)["centroids"]
    fit = cluster_customers(path, k=3, scaling="none", start=start)
    assert fit["inertia"] == pytest.approx(281 / 12)
