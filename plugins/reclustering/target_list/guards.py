"""What must hold before a list may reach marketing, who will act on it without asking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from upath import UPath

from reclustering.core.artifacts import read_json
from reclustering.core.guards import Bounds, Finding
from reclustering.core.protocols import Warehouse
from reclustering.core.run import Run
from reclustering.target_list.selection import Totals


@dataclass(frozen=True)
class EarlierList:
    """The list to compare with.

    Attributes
    ----------
    as_of : date
        Its day.
    run_id : str
        The run that built it.
    description : dict or None
        Its `target_list.json`; None if its files are gone, though it was mailed.
    keys : UPath
        Its `target_list.parquet`.
    mailed : bool
        Whether somebody may have it.
    """

    as_of: date
    run_id: str
    description: dict[str, Any] | None
    keys: UPath
    mailed: bool


def find_earlier_list(warehouse: Warehouse, run: Run, label: int) -> EarlierList | None:
    """Find the list of the same label to compare with: the last that may be in marketing's hands.

    Where none was mailed, it is the newest of an earlier as_of, among published runs; but for one that a
    guard spoke against and nobody has approved.
    """
    this_list = {"as_of": run.as_of, "label": label}
    with warehouse.read() as session:
        rows = session.query("target_list/earlier_lists", this_list)
    for row in rows:
        earlier = Run(row["as_of"], row["run_id"], run.artifacts)
        if earlier == run:
            continue
        description, keys = earlier.path("target_list.json"), earlier.path("target_list.parquet")
        built = read_json(description) if description.exists() and keys.exists() else None
        if built and not _is_meant(row, built, label, earlier):
            built = None
        if built or row["mailed"]:
            return EarlierList(earlier.as_of, earlier.run_id, built, keys, bool(row["mailed"]))
    return None


def _is_meant(row: dict[str, Any], built: dict[str, Any], label: int, run: Run) -> bool:
    """Tell whether the files of a run are those of its list; it may have built another one since."""
    if row["mailed"]:
        return bool(built["sha256"] == row["list_sha256"].strip())
    return built["label"] == label and _passed(run, built)


def _passed(run: Run, built: dict[str, Any]) -> bool:
    """Tell whether a run has come past the question about its list: sent it, or held it from the start."""
    return not built["findings"] or run.path("delivery.json").exists()


def list_change(totals: Totals, earlier: EarlierList | None) -> dict[str, Any] | None:
    """Say how the audience of a list differs from the one before.

    Who is off it for marketing's own reasons counts as well: it is not the store that has changed.

    Parameters
    ----------
    totals : Totals
        What became of the cluster.
    earlier : EarlierList or None
        The list before.

    Returns
    -------
    dict or None
        `as_of`, `run_id` and `sha256` of the earlier list, how many `customers` its audience had, how many
        were `added` and are `gone`, and `change`: the two together as a share of those there were. None when
        there is none to compare with.
    """
    if earlier is None or earlier.description is None:
        return None
    gone = totals.before - (totals.audience - totals.added)
    return {
        "as_of": earlier.as_of.isoformat(),
        "run_id": earlier.run_id,
        "sha256": earlier.description["sha256"],
        "customers": totals.before,
        "added": totals.added,
        "gone": gone,
        "change": round((totals.added + gone) / max(totals.before, 1), 4),
    }


def same_as(earlier: EarlierList | None, people_sha256: str) -> dict[str, Any] | None:
    """Name the list that people have, if this one has the same customers, names and addresses.

    Returns
    -------
    dict or None
        `as_of` and `sha256` of the earlier list, which may have been mailed to some.
    """
    if earlier is None or not earlier.mailed or earlier.description is None:
        return None
    if earlier.description.get("people_sha256") != people_sha256:
        return None
    return {"as_of": earlier.as_of.isoformat(), "sha256": earlier.description["sha256"]}


def judge_list(
    change: dict[str, Any] | None, opt_outs: int, earlier: EarlierList | None, bounds: Bounds
) -> Iterator[Finding]:
    """Say what speaks against mailing a list.

    Parameters
    ----------
    change : dict or None
        What `list_change` gave.
    opt_outs : int
        How many opt-outs there are.
    earlier : EarlierList or None
        The list before.
    bounds : Bounds
        How far it may differ.
    """
    if earlier and earlier.description is None:
        yield Finding(
            "change",
            f"the list of {earlier.as_of} was mailed, but the target_list.parquet of run {earlier.run_id} "
            "is not among the artifacts, so nobody can tell what has changed since",
        )
    if change and change["change"] > bounds.max_list_change:
        yield Finding(
            "change",
            f"the list has changed by {change['change']:.1%} since {change['as_of']} "
            f"({change['added']:,} added, {change['gone']:,} gone, of {change['customers']:,}); "
            f"expected at most {bounds.max_list_change:.0%}",
        )
    before = earlier.description["opt_outs"] if earlier and earlier.description else 0
    # Without opt-outs, those who asked not to be mailed are.
    if earlier and opt_outs < before * (1 - bounds.max_opt_outs_lost):
        yield Finding(
            "opt_outs",
            f"dbo.email_suppressions has {opt_outs:,} rows and had {before:,} on {earlier.as_of}; "
            f"expected at most {bounds.max_opt_outs_lost:.0%} fewer",
        )
