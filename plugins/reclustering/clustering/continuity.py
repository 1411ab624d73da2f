"""What changed since the last published run: customers, clusters, and which is which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from reclustering.core.contracts import FEATURES
from reclustering.core.scratch import spill_folder
from reclustering.core.tables import part_files

MEMORY = "512MB"
"""For joining two runs' customers; beyond it DuckDB uses the disk."""

ABSENT = -1
"""In place of a label: the customer was not there."""

MIGRATION = """
SELECT
    coalesce(before.label, -1) AS previous,
    coalesce(now.label, -1) AS label,
    count(*) AS customers,
    count(*) FILTER (before.returned = 1 AND now.customer IS NOT NULL) AS returned,
    count(*) FILTER (
        before.returned = 1 AND now.frequency = 0
        AND now."orderRatio" = 0 AND now."itemsRatio" = 0 AND now."monetaryRatio" = 0
    ) AS forgotten
FROM read_parquet($previous) AS before
FULL JOIN read_parquet($labels) AS now USING (customer)
GROUP BY ALL
"""


def compare_with_previous(
    clusters: dict[str, Any], labels: Path, previous: dict[str, Any] | None
) -> dict[str, Any]:
    """Compare a run with the last published one.

    Parameters
    ----------
    clusters : dict
        This run's clusters.json.
    labels : Path
        This run's labels.parquet.
    previous : dict or None
        ``as_of``, ``run_id``, ``k``, ``clusters`` (each with label, size and centroid) and ``labels``
        (a Parquet file with `PREVIOUS_LABELS_SCHEMA`) of the last published run; None if there is
        none.

    Returns
    -------
    dict
        ``first_run`` and ``summary``; unless it is the first run also ``migration`` (customers by
        previous label, down, and label, across), ``joined`` and ``left`` (customers by label and
        by previous label), ``pairs`` (clusters that are each other's counterpart, with the shift
        of the centroid in the features' own units), ``changed`` (customers of both runs that are
        not in the counterpart of their previous cluster), ``relabelled`` (customers of both runs
        whose label is another number), ``returned`` (customers of both runs who had returned
        something) and ``forgotten`` (how many of those now have not).

    Notes
    -----
    Counterparts are the pairing with the largest total Jaccard similarity of members (H. Kuhn,
    "The Hungarian method for the assignment problem", 1955). Clusters without a common customer
    are never paired.
    """
    if previous is None:
        return {
            "first_run": True,
            "summary": "First run: nothing was published before, so there is nothing to compare.",
        }
    counts = _counts(previous["labels"], labels)
    table = _migration(counts, previous["k"], clusters["k"])
    stayed = table.iloc[:-1, :-1].to_numpy()
    pairs = _pairs(table, stayed)
    total = int(stayed.sum())
    changed = total - sum(int(stayed[pair]) for pair in pairs)
    result = {
        "first_run": False,
        "previous": {name: previous[name] for name in ("as_of", "run_id", "k")},
        "k": clusters["k"],
        "in_both": total,
        "changed": changed,
        "changed_share": changed / total if total else 0.0,
        "returned": int(counts["returned"].sum()),
        "forgotten": int(counts["forgotten"].sum()),
        "relabelled": total - int(np.trace(stayed)),
        "joined": table.iloc[-1, :-1].tolist(),
        "left": table.iloc[:-1, -1].tolist(),
        "migration": stayed.tolist(),
        "pairs": [
            {"previous": i, "label": j, "customers": int(stayed[i, j])}
            | _shift(previous["clusters"][i], clusters["clusters"][j])
            for i, j in pairs
        ],
        "unpaired_previous": sorted(set(range(len(stayed))) - {i for i, _ in pairs}),
        "unpaired": sorted(set(range(stayed.shape[1])) - {j for _, j in pairs}),
    }
    return result | {"summary": _summary(result)}


def _counts(previous: Path, labels: Path) -> pd.DataFrame:
    with spill_folder() as folder, duckdb.connect() as con:
        con.execute(f"SET memory_limit = '{MEMORY}'")
        con.execute(f"SET temp_directory = '{folder}'")
        parts = [str(one) for one in part_files(labels)]
        return con.execute(MIGRATION, {"previous": str(previous), "labels": parts}).df()


def _migration(counts: pd.DataFrame, previous_k: int, k: int) -> pd.DataFrame:
    """Count customers by previous label, down, and label, across; `ABSENT` comes last."""
    table = counts.pivot_table("customers", "previous", "label", aggfunc="sum")
    return (
        table.reindex(index=[*range(previous_k), ABSENT], columns=[*range(k), ABSENT], fill_value=0)
        .fillna(0)
        .astype(int)
    )


def _pairs(table: pd.DataFrame, common: np.ndarray) -> list[tuple[int, int]]:
    """Return the counterparts (previous label, label)."""
    # scipy.optimize is slow to import, and the first run does not need it.
    from scipy.optimize import linear_sum_assignment

    before, now = (table.sum(axis=axis).drop(ABSENT).to_numpy() for axis in (1, 0))
    either = before[:, None] + now - common
    similarity = common / np.maximum(either, 1)
    found = zip(*linear_sum_assignment(similarity, maximize=True), strict=True)
    return [(int(i), int(j)) for i, j in found if common[i, j]]


def _shift(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    shift = {name: now["centroid"][name] - before["centroid"][name] for name in FEATURES}
    return {"shift": shift, "distance": float(np.linalg.norm(list(shift.values())))}


def _summary(result: dict[str, Any]) -> str:
    k, previous = result["k"], result["previous"]
    number = f"k stays {k}" if k == previous["k"] else f"k changed from {previous['k']} to {k}"
    return (
        f"Against {previous['as_of']}: {number}; {result['changed']:,} of {result['in_both']:,} "
        f"customers of both runs ({result['changed_share']:.1%}) changed cluster; "
        f"{sum(result['joined']):,} are new, {sum(result['left']):,} are gone."
    )
