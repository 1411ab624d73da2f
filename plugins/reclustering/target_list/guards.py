"""What must hold before a list may reach marketing, who will act on it without asking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from reclustering.core.artifacts import fetch, read_json
from reclustering.core.guards import Bounds, Finding
from reclustering.core.protocols import Warehouse
from reclustering.core.run import Run


@dataclass(frozen=True)
class EarlierList:
    """The list to compare with.

    Attributes
    ----------
    as_of : date
        Its day.
    opt_outs : int
        How many opt-outs there were.
    keys : UPath
        Its `target_list.parquet`.
    """

    as_of: date
    opt_outs: int
    keys: UPath


def find_earlier_list(warehouse: Warehouse, run: Run, label: int) -> EarlierList | None:
    """Find the list of the same label to compare with: what another run mailed for this as_of.

    Else it is the newest of an earlier as_of, among published runs. A list that a guard has stopped
    left no files, so it never becomes the measure of the next one.
    """
    this_day = {"as_of": run.as_of}
    with warehouse.read() as session:
        rows = session.query("target_list/mailed_runs", this_day | {"label": label})
        rows += session.query("target_list/earlier_runs", this_day)
    for row in rows:
        earlier = Run(row["as_of"], row["run_id"], run.artifacts)
        if earlier == run:
            continue
        description, keys = earlier.path("target_list.json"), earlier.path("target_list.parquet")
        if description.exists() and keys.exists():
            built = read_json(description)
            if built["label"] == label:
                return EarlierList(earlier.as_of, built["opt_outs"], keys)
    return None


def last_mailed(warehouse: Warehouse, run: Run, label: int) -> date | None:
    """Give the newest earlier day whose list may have been mailed, by the ledger."""
    with warehouse.read() as session:
        rows = session.query("target_list/last_mailed", {"as_of": run.as_of, "label": label})
    day: date | None = rows[0]["as_of"]
    return day


def list_change(customers: Sequence[int], earlier: EarlierList | None) -> dict[str, Any] | None:
    """Say how a list differs from the one before.

    Parameters
    ----------
    customers : sequence of int
        Who is on the list.
    earlier : EarlierList or None
        The list before.

    Returns
    -------
    dict or None
        `as_of` and `customers` of the earlier list, how many were `added` and are `gone`, and
        `change`: the two together as a share of the earlier list. None when this is the first list.
    """
    if earlier is None:
        return None
    with fetch(earlier.keys) as local:
        before = pq.read_table(local)["customer"].combine_chunks()
    now = pa.array(customers, pa.int64())
    stayed = int(pc.sum(pc.is_in(now, value_set=before)).as_py() or 0)
    added, gone = len(now) - stayed, len(before) - stayed
    return {
        "as_of": earlier.as_of.isoformat(),
        "customers": len(before),
        "added": added,
        "gone": gone,
        "change": round((added + gone) / max(len(before), 1), 4),
    }


def guard_change(
    change: dict[str, Any] | None, last_mailed: date | None, bounds: Bounds
) -> Iterator[Finding]:
    """See that the list is much like the one before, which must be known if it was mailed.

    Parameters
    ----------
    change : dict or None
        What `list_change` gave.
    last_mailed : date or None
        The newest earlier day whose list was mailed, by the ledger.
    bounds : Bounds
        How far it may differ.
    """
    compared = date.fromisoformat(change["as_of"]) if change else None
    if last_mailed is not None and (compared is None or compared < last_mailed):
        yield Finding(
            "change",
            f"the list of {last_mailed} was mailed, but its target_list.parquet is not among the "
            "artifacts, so nobody can tell what has changed since",
        )
    elif change and change["change"] > bounds.max_list_change:
        yield Finding(
            "change",
            f"the list has changed by {change['change']:.1%} since {change['as_of']} "
            f"({change['added']:,} added, {change['gone']:,} gone, of {change['customers']:,}); "
            f"expected at most {bounds.max_list_change:.0%}",
        )


def guard_opt_outs(opt_outs: int, earlier: EarlierList | None, bounds: Bounds) -> Iterator[Finding]:
    """See that opt-outs have not vanished: without them, those who asked not to be mailed are."""
    if earlier and opt_outs < earlier.opt_outs * (1 - bounds.max_opt_outs_lost):
        yield Finding(
            "opt_outs",
            f"dbo.email_suppressions has {opt_outs} rows and had {earlier.opt_outs} on {earlier.as_of}; "
            f"expected at most {bounds.max_opt_outs_lost:.0%} fewer",
        )
