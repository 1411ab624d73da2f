"""One run as people are told of it: from the JSON files of its folder, as many as there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from upath import UPath

from reclustering.core.artifacts import find_json
from reclustering.core.contracts import EXCLUSIONS, FEATURES
from reclustering.core.decision import (
    CHECKED,
    Decision,
    Subject,
    decision_name,
    from_json,
    matter_of,
)
from reclustering.report.words import count, decided, percent

WRITTEN_BY = {
    "features": "extract_features",
    "elbow": "choose_k",
    "clusters": "fit_clusters",
    "fit_check": "check_fit",
    "fit_decision": "approve_fit",
    "publication": "write_labels",
    "target_list": "build_target_list",
    "list_decision": "approve_list",
    "delivery": "email_target_list",
}
"""The JSON file that each task leaves, without its ending, in their order."""

DECISIONS = tuple(decision_name(subject) for subject in CHECKED)
"""Those that are only left where there was something to decide."""

FILES = ("run", *WRITTEN_BY)
"""All of them: the first task leaves `run.json` before its own."""

OUTCOMES = {
    "sent": "mailed",
    "left": "in its folder",
    "already_sent": "mailed",
    "unchanged": "unchanged",
    "held": "held",
    "in_doubt": "in doubt",
    "unrecorded": "in doubt",
    "refused": "refused",
    "failed": "not accepted",
}
"""What became of the mail to some or all, in a word."""

_WOULD_STOP = "It would have stopped the run."

CRITERIA = {
    "silhouette": "Silhouette",
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin",
}


@dataclass(frozen=True)
class RunView:
    """What there is to say about a run.

    Attributes
    ----------
    files : mapping
        The content of each JSON file that there is, by its name without the ending.
    """

    files: Mapping[str, dict[str, Any]]

    @property
    def as_of(self) -> date:
        """The day that the run describes."""
        return date.fromisoformat(self.files["run"]["as_of"])

    @property
    def run_id(self) -> str:
        """Airflow's name for the run."""
        return str(self.files["run"]["run_id"])

    @property
    def preview(self) -> bool:
        """Whether it only showed what it would do."""
        return bool(self.files["run"]["params"].get("preview"))

    @property
    def params(self) -> dict[str, Any]:
        """What it was asked for."""
        return dict(self.files["run"]["params"])

    @property
    def missing(self) -> list[str]:
        """The tasks whose file is not there, in their order."""
        there = {*self.files, *DECISIONS}
        return [task for name, task in WRITTEN_BY.items() if name not in there]

    def of_tasks(self, done: Collection[str]) -> RunView:
        """Give what these tasks have left; of a run that is done anew, what the others left is of before."""
        names = {"run", *(name for name, task in WRITTEN_BY.items() if task in done)}
        return RunView({name: self.files[name] for name in self.files if name in names})

    @property
    def elbow(self) -> dict[str, Any] | None:
        """`elbow.json`."""
        return self.files.get("elbow")

    @property
    def clusters(self) -> dict[str, Any] | None:
        """`clusters.json`."""
        return self.files.get("clusters")

    @property
    def built(self) -> dict[str, Any] | None:
        """`target_list.json`."""
        return self.files.get("target_list")

    @property
    def continuity(self) -> dict[str, Any] | None:
        """What has changed since the run before."""
        return self.clusters["continuity"] if self.clusters else None

    @cached_property
    def curve(self) -> list[dict[str, Any]]:
        """The elbow curve: for each k inertia, mean distance, and each criterion's value (None at k = 1)."""
        if self.elbow is None:
            return []
        values = {name: self.elbow["indices"][name]["values"] for name in CRITERIA}
        return [
            point | {name: values[name][i] if i < len(values[name]) else None for name in CRITERIA}
            for i, point in enumerate(self.elbow["curve"])
        ]

    @property
    def migration(self) -> list[dict[str, Any]]:
        """Each label of the run before, with its customers by their label now, and those who are gone."""
        changes = self.continuity
        if changes is None or changes["first_run"]:
            return []
        counterpart = {pair["previous"]: pair["label"] for pair in changes["pairs"]}
        return [
            {"label": label, "now": now, "left": left, "counterpart": counterpart.get(label)}
            for label, (now, left) in enumerate(
                zip(changes["migration"], changes["left"], strict=True)
            )
        ]

    @property
    def earlier_run(self) -> str | None:
        """The run that this one is compared with."""
        changes = self.continuity
        return None if changes is None or changes["first_run"] else changes["previous"]["run_id"]

    @property
    def shifts(self) -> list[dict[str, Any]]:
        """How far each cluster's centroid has moved, in the features' own units."""
        changes = self.continuity
        return [] if changes is None or changes["first_run"] else changes["pairs"]

    def decision(self, subject: Subject) -> Decision | None:
        """Give what was decided on this fit or list; what was decided on another does not count."""
        content, found = (
            self.files.get(name) for name in (decision_name(subject), CHECKED[subject])
        )
        decision = from_json(content) if content else None
        if decision and found and decision.matter == matter_of(subject, found):
            return decision
        return None

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What guards have said, each with its name, its sentence, and what became of it."""
        load = self.files.get("features", {}).get("overrides", [])
        would_stop = self.preview and not self.params.get("accept_change")
        said = [
            {**one, "became": _WOULD_STOP if would_stop else "A person let it pass."}
            for one in load
        ]
        for subject, name in CHECKED.items():
            found, became = self.files.get(name, {}), self._became(subject)
            said += [{**one, "became": became} for one in found.get("findings", [])]
        return said

    def _became(self, subject: Subject) -> str:
        if decision := self.decision(subject):
            return decided(decision)
        if self.preview:
            return _WOULD_STOP
        held = self.files.get("delivery", {}).get("outcomes", {}).get("held")
        return "It stops the mail." if subject == "list" and held else "Nobody has decided yet."

    @property
    def release(self) -> str:
        """Who released a list that was held, and against which no guard had spoken."""
        decision = self.decision("list")
        if decision is None or (self.built and self.built["findings"]):
            return ""
        return decided(decision)

    @property
    def excluded(self) -> list[tuple[str, int]]:
        """Why customers of the cluster are not on the list, and how many."""
        excluded = self.built["excluded"] if self.built else {}
        return [(text, excluded[name]) for name, text in EXCLUSIONS.items() if excluded.get(name)]

    @property
    def list_size(self) -> str:
        """How long the list is."""
        if self.built is None:
            return ""
        return (
            f"The target list has {self.built['customers']:,} of the "
            f"{count(self.built['cluster_size'])} of label {self.built['label']}."
        )

    @property
    def left_out(self) -> str:
        """Why the list is no longer."""
        reasons = ", ".join(f"{n:,} ({text})" for text, n in self.excluded)
        return f"Left out: {reasons or 'nobody'}."

    @property
    def list_change(self) -> str:
        """Who is new on the list and who is gone, against the one before."""
        change = self.built["previous"] if self.built else None
        if change is None:
            return ""
        return (
            f"Against the list of {change['as_of']}: {change['added']:,} added, {change['gone']:,} gone "
            f"({percent(change['change'])})."
        )

    @property
    def lead(self) -> str:
        """What came of the run, in a line."""
        parts = []
        if self.clusters:
            found = f"{count(self.clusters['rows'])} in {count(self.clusters['k'], 'cluster')}."
            parts.append(found)
        if self.built:
            delivery = self.files.get("delivery", {"outcomes": {}})
            words = [text for name, text in OUTCOMES.items() if delivery["outcomes"].get(name)]
            became = list(dict.fromkeys(words))
            parts.append(
                f"{count(self.built['customers'])} on the list{', which is ' if became else ''}"
                f"{' and '.join(became)}."
            )
        return " ".join(parts)

    @property
    def delivery_sentence(self) -> str:
        """What became of the mail."""
        delivery = self.files.get("delivery")
        return str(delivery["summary"]) if delivery else ""

    @property
    def table(self) -> list[dict[str, Any]]:
        """The clusters, in the order of their labels: label, size, share, the mean of each feature."""
        clusters = self.clusters["clusters"] if self.clusters else []
        return [
            {name: one[name] for name in ("label", "size", "share", "description", "flags")}
            | {name: one["profile"][name]["mean"] for name in FEATURES}
            for one in clusters
        ]


def read_run(folder: UPath) -> RunView | None:
    """Read what a run has left; None where not even `run.json` is there.

    Raises
    ------
    BadInputError
        When a file is no JSON.
    """
    with ThreadPoolExecutor(len(FILES)) as readers:
        found = readers.map(lambda name: find_json(folder / f"{name}.json"), FILES)
        files = {name: content for name, content in zip(FILES, found, strict=True) if content}
    return RunView(files) if "run" in files else None


def differences(one: RunView, other: RunView) -> list[tuple[str, int | None, int | None]]:
    """Put the figures of two runs side by side: what it is, that of the one, that of the other."""

    def figures(view: RunView) -> dict[str, int]:
        clusters, built = view.clusters, view.built
        return (
            ({"customers": clusters["rows"], "clusters": clusters["k"]} if clusters else {})
            | {f"label {row['label']}": row["size"] for row in view.table}
            | ({"on the list": built["customers"]} if built else {})
        )

    before, after = figures(one), figures(other)
    names = [*before, *(name for name in after if name not in before)]
    return [(name, before.get(name), after.get(name)) for name in names]
