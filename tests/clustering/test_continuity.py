"""A run is compared with the last published one, customer by customer."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reclustering.clustering.continuity import compare_with_previous


def write(path, labels, returned=()):
    """Both what a run leaves and what is read back of one; `returned` are the customers who have."""
    some = [int(customer in returned) for customer in labels]
    ratios = dict.fromkeys(
        ("orderRatio", "itemsRatio", "monetaryRatio"), pa.array(some, pa.float64())
    )
    table = {
        "customer": pa.array(list(labels), pa.int64()),
        "label": pa.array(list(labels.values()), pa.uint8()),
        "returned": pa.array(some, pa.uint8()),
        "frequency": pa.array(some, pa.int64()),
    }
    pq.write_table(pa.table(table | ratios), path)
    return path


def clusters(*frequencies):
    names = ("orderRatio", "itemsRatio", "monetaryRatio")
    return [
        {"label": i, "size": 1, "centroid": dict.fromkeys(names, 0.5) | {"frequency": f}}
        for i, f in enumerate(frequencies)
    ]


@pytest.fixture
def compared(tmp_path):
    """Customers 1 to 3 were in 0, 4 to 7 in 1; now 1 to 3 and 4 are in 1, 5 to 6 in 2, 8 in 0."""
    before = {1: 0, 2: 0, 3: 0, 4: 1, 5: 1, 6: 1, 7: 1}
    before = write(tmp_path / "before.parquet", before, returned=(4, 5, 6, 7))
    now = {1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2, 8: 0}
    now = write(tmp_path / "now.parquet", now, returned=(1, 4, 6))
    previous = {"as_of": "2003-01-01", "run_id": "r", "k": 2, "clusters": clusters(0, 3)}
    result = compare_with_previous(
        {"k": 3, "clusters": clusters(0, 0.5, 4)}, now, previous | {"labels": before}
    )
    return json.loads(json.dumps(result, allow_nan=False))


def test_migration_counts_every_customer(compared):
    assert compared["migration"] == [[0, 3, 0], [0, 1, 2]]
    assert compared["joined"] == [1, 0, 0]
    assert compared["left"] == [0, 1]
    assert compared["in_both"] == 6


def test_counterparts_are_the_clusters_that_share_members(compared):
    """0 and 1 share 3 of 4, 1 and 2 share 2 of 4; the only other overlap is 1 of 7."""
    assert [(p["previous"], p["label"], p["customers"]) for p in compared["pairs"]] == [
        (0, 1, 3),
        (1, 2, 2),
    ]
    assert compared["pairs"][0]["shift"]["frequency"] == 0.5
    assert compared["pairs"][1]["distance"] == 1
    assert compared["unpaired"] == [0]
    assert compared["unpaired_previous"] == []


def test_changed_is_relative_to_the_counterpart(compared):
    assert compared["changed"] == 1
    assert compared["changed_share"] == pytest.approx(1 / 6)
    assert compared["relabelled"] == 5
    assert compared["summary"] == (
        "Against 2003-01-01: k changed from 2 to 3; 1 of 6 customers of both runs (16.7%) changed "
        "cluster; 1 are new, 1 are gone."
    )


def test_customers_whose_returns_are_gone_are_counted(compared):
    """Of 4, 5 and 6, who had returned something and are still there, 5 now never has."""
    assert (compared["returned"], compared["forgotten"]) == (3, 1)


def test_the_first_run_says_so(tmp_path):
    now = write(tmp_path / "now.parquet", {1: 0})
    result = compare_with_previous({"k": 1, "clusters": clusters(0)}, now, None)
    assert result["first_run"]
    assert result["summary"].startswith("First run")


def test_no_customer_in_common(tmp_path):
    before, now = write(tmp_path / "a.parquet", {1: 0}), write(tmp_path / "b.parquet", {2: 0})
    previous = {"as_of": "2003-01-01", "run_id": "r", "k": 1, "clusters": clusters(0)}
    result = compare_with_previous(
        {"k": 1, "clusters": clusters(0)}, now, previous | {"labels": before}
    )
    assert (result["in_both"], result["changed"], result["pairs"]) == (0, 0, [])
    assert result["changed_share"] == 0
