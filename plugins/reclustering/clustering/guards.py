"""What must hold of a fit before its labels are published: people act on what "cluster 0" means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reclustering.core.contracts import FEATURES
from reclustering.core.guards import Bounds, Finding, allowed

MOST_NAMED = 3
"""Customers that a sentence names."""


def fit_baseline(clusters: dict[str, Any], elbow: dict[str, Any]) -> dict[str, Any]:
    """Give what `judge_fit` compares the next run with, once this one is published.

    Returns
    -------
    dict
        `groups`; `returners` (share of label 0 that has returned something, 0 to 1); `far` (keys of
        customers far from all others).
    """
    return {
        "groups": elbow["groups"],
        "returners": returners_share(clusters),
        "far": [one["customer"] for one in clusters["outliers"]["customers"]],
    }


def returners_share(clusters: dict[str, Any]) -> float:
    """Give the share (0 to 1) of label 0 that has returned something."""
    least = clusters["clusters"][0]
    return float(least["returners"] / least["size"])


def judge_fit(clusters: dict[str, Any], elbow: dict[str, Any], bounds: Bounds) -> Iterator[Finding]:
    """Say what speaks against publishing a fit.

    Parameters
    ----------
    clusters : dict
        The content of clusters.json. Under `continuity`, `previous` has the last published run's
        `fit_baseline` as `baseline`, if it left one.
    elbow : dict
        The content of elbow.json.
    bounds : Bounds
        How far it may differ.
    """
    continuity = clusters["continuity"]
    previous = continuity.get("previous") or {}
    baseline = previous.get("baseline")
    yield from _guard_returners(clusters, baseline, previous.get("as_of"), bounds)
    yield from _guard_influence(clusters, baseline, bounds)
    if baseline:
        yield from _guard_groups(elbow, baseline, previous["as_of"], bounds)
    if previous:
        yield from _guard_history(continuity, bounds)
        yield from _guard_changed(continuity, bounds)


def _guard_returners(
    clusters: dict[str, Any],
    baseline: dict[str, Any] | None,
    previous_as_of: str | None,
    bounds: Bounds,
) -> Iterator[Finding]:
    least, share = clusters["clusters"][0], returners_share(clusters)
    have = (
        f"{least['returners']:,} of the {least['size']:,} customers of label 0 ({share:.1%}) have returned "
        "something"
    )
    if share > bounds.max_returners:
        yield Finding(
            "returners",
            f"{have}; expected at most {bounds.max_returners:.0%}, for label 0 is taken for those who never "
            'did (where it means "returned least", set max_returners in the Variable '
            "reclustering_bounds)",
        )
    elif baseline and abs(share - baseline["returners"]) > bounds.max_returners_change:
        yield Finding(
            "returners",
            f"{have}, and {baseline['returners']:.1%} had on {previous_as_of}; expected a change of at most "
            f"{bounds.max_returners_change:.1%}",
        )


def _guard_influence(
    clusters: dict[str, Any], baseline: dict[str, Any] | None, bounds: Bounds
) -> Iterator[Finding]:
    """Find customers who weigh like all others together, and did not when a run was last accepted."""
    known = set(baseline["far"]) if baseline else set()
    far = [
        one
        for one in clusters["outliers"]["customers"]
        if one["customer"] not in known and "influence" in one
    ]
    together = sum(one["influence"] for one in far)
    if together > bounds.max_influence:
        most = sorted(far, key=lambda one: -one["influence"])[:MOST_NAMED]
        named = "; ".join(
            f"customer {one['customer']} with {_features(one)}: {one['influence']:.1%}"
            for one in most
        )
        yield Finding(
            "influence",
            f"{len(far):,} of {clusters['rows']:,} customers make up {together:.1%} of the variance of all "
            f"({named}); expected at most {bounds.max_influence:.0%}. Look at their rows in "
            "dbo.store_sales and dbo.store_returns, or trigger with outliers=set_aside",
        )


def _features(one: dict[str, Any]) -> str:
    return ", ".join(f"{name} {one[name]:,.6g}" for name in FEATURES)


def _guard_groups(
    elbow: dict[str, Any], baseline: dict[str, Any], previous_as_of: str, bounds: Bounds
) -> Iterator[Finding]:
    moved = abs(elbow["groups"] - baseline["groups"])
    if elbow["method"] != "fixed" and moved > bounds.max_groups_change:
        yield Finding(
            "groups",
            f"there are {elbow['groups']} groups and were {baseline['groups']} on {previous_as_of}, so "
            f"labels mean something else ({elbow['reason'].rstrip('.')})",
        )


def _guard_history(continuity: dict[str, Any], bounds: Bounds) -> Iterator[Finding]:
    """Find that customers have returned nothing who had: what happened once does not unhappen."""
    forgotten, returned = continuity["forgotten"], continuity["returned"]
    if forgotten > bounds.max_history_change * returned:
        yield Finding(
            "history",
            f"{forgotten:,} of {returned:,} customers who had returned something on "
            f"{continuity['previous']['as_of']} now never have; expected at most "
            f"{int(bounds.max_history_change * returned):,}. Rows of dbo.store_returns are gone, or are of "
            "others",
        )


def _guard_changed(continuity: dict[str, Any], bounds: Bounds) -> Iterator[Finding]:
    both = continuity["in_both"]
    most = allowed(both, bounds.max_changed_cluster)
    if continuity["changed"] > most:
        yield Finding(
            "changed_cluster",
            f"{continuity['changed']:,} of {both:,} customers ({continuity['changed_share']:.1%}) have "
            f"changed cluster since {continuity['previous']['as_of']}; expected at most {int(most):,}",
        )
