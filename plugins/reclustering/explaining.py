"""Why this customer? What a run knows of one customer, by key: no name, no address."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.parquet as pq
from upath import UPath

from reclustering.clustering.assignment import centroid_distances
from reclustering.core.artifacts import fetch, find_json
from reclustering.core.contracts import EXCLUSIONS, FEATURES, LISTED
from reclustering.core.errors import BadInputError
from reclustering.core.protocols import Warehouse
from reclustering.core.run import Run
from reclustering.core.tables import part_files
from reclustering.labels.history import published_days, published_run
from reclustering.report.words import day


@dataclass(frozen=True)
class Answer:
    """What became of a customer in a run.

    Attributes
    ----------
    customer : int
        The key.
    as_of : date
        The day that the run describes.
    features : dict
        Each feature by its name; empty if the run has not clustered this customer.
    label : int or None
        The cluster.
    distances : list of (int, float)
        Each label with the distance to its centroid, in the units in which clusters were fitted; nearest
        first.
    target_label : int or None
        The label of the run's list; None if it has built none.
    outcome : str or None
        `LISTED`, or the reason of `EXCLUSIONS`; None if the customer is not of the list's cluster.
    since : date or None
        The first as_of of an unbroken stay among those who can be written to.
    quarantined : str
        The feature that cannot be one, and its value, if that kept the customer out.
    """

    customer: int
    as_of: date
    features: dict[str, float]
    label: int | None
    distances: list[tuple[int, float]]
    target_label: int | None
    outcome: str | None
    since: date | None
    quarantined: str

    @property
    def sentences(self) -> list[str]:
        """The answer in words."""
        who, until = f"Customer {self.customer}", day(self.as_of)
        if self.quarantined:
            return [
                f"{who} was left out of the run of {until}, for {self.quarantined} cannot be a feature."
            ]
        if self.label is None:
            return [f"{who} had bought nothing before {until}, or has been erased since."]
        values = ", ".join(f"{name} {value:g}" for name, value in self.features.items())
        (_, nearest), *others = self.distances
        far = f"{nearest:.4g} from its centroid"
        if others:
            far += f"; the next, that of cluster {others[0][0]}, is {others[0][1]:.4g} away"
        said = [f"{who}, as of {until}: {values}.", f"Cluster {self.label}, {far}."]
        return [*said, self._about_list]

    @property
    def _about_list(self) -> str:
        if self.target_label is None:
            return "The run has built no list, or it is deleted."
        if self.outcome is None:
            return f"Not on the list, which is of cluster {self.target_label}."
        since = f" since {day(self.since)}" if self.since else ""
        if self.outcome == LISTED:
            return f"On the list{since}."
        return f"Not on the list: {EXCLUSIONS[self.outcome]}" + (
            f" (would be{since})." if since else "."
        )


def explain(run: Run, customer: int) -> Answer:
    """Say what became of a customer in a run.

    Raises
    ------
    BadInputError
        When the run has left no labels, or they are deleted.
    """
    clusters = find_json(run.path("clusters.json"))
    if clusters is None or not run.path("labels.parquet").exists():
        raise BadInputError(
            f"The run {run.run_id} of {run.as_of} has no labels.parquet: it has not come so far, or its "
            "files of customers are deleted (after customer_files_retention_days). Ask about a later day."
        )
    row = _row(run.path("labels.parquet"), customer)
    built = find_json(run.path("target_list.json")) or {}
    outcomes = run.path("target_list.parquet")
    found = _row(outcomes, customer) if built and outcomes.exists() else None
    quarantine = (find_json(run.path("features.json")) or {}).get("quarantine", {})
    return Answer(
        customer=customer,
        as_of=run.as_of,
        features={name: row[name] for name in FEATURES} if row else {},
        label=row["label"] if row else None,
        distances=centroid_distances(clusters, [row[name] for name in FEATURES]) if row else [],
        target_label=built.get("label"),
        outcome=found.get("outcome", LISTED) if found else None,
        since=found.get("since") if found else None,
        quarantined=next(
            (
                f"{one['feature']} = {one['value']}"
                for one in quarantine.get("named", [])
                if one["customer"] == customer
            ),
            "",
        ),
    )


def _row(path: UPath, customer: int) -> dict[str, Any] | None:
    with fetch(path) as local:
        rows = pq.read_table(part_files(local), filters=[("customer", "=", customer)]).to_pylist()
    return rows[0] if rows else None


def add_why_command(parser: argparse.ArgumentParser, artifacts: Callable[[], UPath]) -> None:
    """Add the command's arguments to a parser; `artifacts` gives the root folder of all runs' files."""
    parser.add_argument("customer", type=int, help="the key, c_customer_sk")
    parser.add_argument(
        "--as-of", type=date.fromisoformat, help="the day, as YYYY-MM-DD; the newest if not given"
    )
    parser.set_defaults(
        command=lambda warehouse, options: "\n".join(
            explain(_published(warehouse, artifacts(), options.as_of), options.customer).sentences
        )
    )


def _published(warehouse: Warehouse, artifacts: UPath, as_of: date | None) -> Run:
    days = published_days(warehouse)
    if not days or (as_of and as_of not in days):
        raise BadInputError(
            f"No labels of {as_of or 'any day'} are published; expected "
            f"{f'a day such as {days[-1]}' if days else 'a run to have published some'}."
        )
    day_asked = as_of or days[-1]
    published = published_run(warehouse, Run(day_asked, "", artifacts))
    return Run(day_asked, published["run_id"] if published else "", artifacts)
