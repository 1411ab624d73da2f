"""What is said of a cluster is true of its members."""

import json

import numpy as np
import pytest

from reclustering.clustering.profile import cluster_table, describe
from tests.clustering.tables import cluster_customers

FEATURES = ("orderRatio", "itemsRatio", "monetaryRatio", "frequency")


def test_figures_worked_out_by_hand(table):
    """1,999 customers at the origin, and one each at monetary ratios 10, 11, ..., 14 and at 1000."""
    X = np.zeros((2_005, 4))
    X[:5] = [[1, 1, m, 2] for m in (10, 11, 12, 13, 14)]
    X[5] = [1, 1, 1000, 1]
    clusters = cluster_customers(table(X), k=3, scaling="none")
    zero, five, one = clusters["clusters"]
    shown = cluster_table(clusters)
    assert shown.loc[1, ["size", "monetaryRatio"]].tolist() == [5, 12]
    assert shown.columns.tolist() == ["size", "share", *FEATURES]
    assert (zero["size"], five["size"], one["size"]) == (1_999, 5, 1)
    assert five["share"] == pytest.approx(5 / 2_005)
    assert five["profile"]["monetaryRatio"] == pytest.approx(
        {"mean": 12, "p10": 10.4, "median": 12, "p90": 13.6}
    )
    assert five["distance"] == pytest.approx({"p10": 0.4, "median": 1, "p90": 2})
    assert (zero["flags"], five["flags"], one["flags"]) == ([], [], ["singleton", "tiny"])
    assert zero["description"] == "Never returned anything."
    json.dumps([zero, five, one], allow_nan=False)


@pytest.mark.parametrize(
    ("means", "size", "said"),
    [
        ((0, 0, 0, 0), 9, "Never returned anything."),
        (
            (0.0012, 0.0003, 0.0002, 0.0041),
            9,
            "Hardly ever returned anything: 0.0041 returns per customer on average.",
        ),
        (
            (0, 1, 1, 0),
            9,
            "No return has a ticket number, but 100% of the items and 100% of the money came back.",
        ),
        (
            (0.7216, 0.4534, 0.3077, 1.0978),
            9,
            "Returned about three of four orders, once; 45% of the items and 31% of the money.",
        ),
        (
            (0.1363, 0.0783, 0.0445, 4.27),
            9,
            "Returned about one of seven orders, four times; 8% of the items and 4% of the money.",
        ),
        (
            (1, 2, 108.719154, 1),
            1,
            (
                "Singleton: one customer with 1 return, 100% of the orders, 2 times the items, "
                "109 times the money."
            ),
        ),
        (
            (0.98, 0.9, 0.95, 12),
            9,
            "Returned nearly all orders, 12 times; 90% of the items and 95% of the money.",
        ),
    ],
)
def test_descriptions_follow_the_means(means, size, said):
    assert describe(dict(zip(FEATURES, means, strict=True)), size) == said
    assert "inactive" not in said


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (0.02, "hardly any"),
        (0.05, "about one of twenty"),
        (0.11, "about one of ten"),
        (0.15, "about one of seven"),
        (0.19, "about one of five"),
        (0.26, "about one of four"),
        (0.32, "about one of three"),
        (0.41, "about two of five"),
        (0.52, "about half of the"),
        (0.59, "about three of five"),
        (0.68, "about two of three"),
        (0.76, "about three of four"),
        (0.81, "about four of five"),
        (0.91, "about nine of ten"),
        (0.97, "nearly all"),
        (1, "all"),
        (1.5, "1.50 times the number of"),
    ],
)
def test_a_share_of_the_orders_in_words(ratio, said):
    means = dict(zip(FEATURES, (ratio, 0.5, 0.5, 2), strict=True))
    assert describe(means, 9).startswith(f"Returned {said} orders, twice;")
