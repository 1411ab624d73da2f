"""What the message tells, and its two bodies: HTML, and text for readers without it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from reclustering.core.clusters import find_cluster
from reclustering.core.contracts import EXCLUSIONS
from reclustering.core.guards import problems
from reclustering.delivery.attachment import Attachment

PLOTS = ("clusters", "elbow")
"""The plots in the mail; each is a PNG of this name among the run's files."""


@dataclass(frozen=True)
class MessageView:
    """What the mail tells, from the JSON files of the run.

    Attributes
    ----------
    store : str
        Name of the store.
    built : dict
        `target_list.json`.
    clusters, elbow : dict
        `clusters.json` and `elbow.json`.
    corrected : bool
        Whether a different list of the same day went out before.
    file : str
        Where the CSV is, for when it is too large to attach.
    run_url : str or None
        The run in the Airflow UI.
    contact : str
        The address to write to with questions.
    today : date
        The day on which the mail is written.
    """

    store: str
    built: dict[str, Any]
    clusters: dict[str, Any]
    elbow: dict[str, Any]
    corrected: bool
    file: str
    run_url: str | None
    contact: str
    today: date

    @property
    def as_of(self) -> date:
        """The day that the list describes."""
        return date.fromisoformat(self.built["as_of"])

    @property
    def subject(self) -> str:
        """One line that can be told from its neighbours in an inbox."""
        what = "corrected target list" if self.corrected else "target list"
        customers = _count(self.built["customers"])
        return f"{self.store}: {what} of {self.as_of}, {customers}"

    @property
    def notices(self) -> list[tuple[str, str]]:
        """What must be known before anything else: a heading and a sentence each."""
        as_of, built = _day(self.as_of), self.built
        notices = []
        if built["preview"]:
            notices.append(("Preview", "Nothing was published, and nobody was mailed."))
        if self.as_of != self.today:
            made = (
                f"This list describes the store as of {as_of}. It was made on {_day(self.today)}."
            )
            notices.append(("Another day", made))
        if self.corrected:
            before = (
                f"This list replaces the one for {as_of} that you got before. Use only this one."
            )
            notices.append(("Corrected", before))
        if built["overrides"]:
            heading = (
                "Checks would have stopped this run"
                if built["preview"]
                else "A check had stopped this list, and a person let it pass"
            )
            notices.append((heading, f"{problems(built['overrides'])}."))
        if built["findings"]:
            notices.append(("A check found this list unusual", f"{problems(built['findings'])}."))
        return notices

    @property
    def target(self) -> dict[str, Any]:
        """The cluster that the list is made from."""
        return find_cluster(self.clusters, self.built["label"])

    @property
    def sentence(self) -> str:
        """What this list is."""
        customers, until = _count(self.built["customers"]), _day(self.as_of)
        if self.built["label"] != 0:
            label, description = self.built["label"], self.target["description"]
            return f"{customers} of cluster {label} as of {until}: {description}"
        if self.built["returned"] == 0:
            return (
                f"{customers} who bought in the store before {until} and never returned anything."
            )
        return (
            f"{customers} of the group that returns least. {_number(self.built['returned'])} of them "
            f"returned something before {until}, the others never did."
        )


def render_html(view: MessageView, attachment: Attachment | None, *, images: dict[str, str]) -> str:
    """Render the HTML body; `images` gives the address of each plot."""
    described = {"elbow": view.elbow, "clusters": view.clusters}
    plots = [(images[name], described[name].get("alt_text", f"Plot: {name}")) for name in PLOTS]
    template = _templates().get_template("target_list.html.j2")
    return template.render(_context(view, attachment), plots=plots)


def render_text(view: MessageView, attachment: Attachment | None) -> str:
    """Render the body for readers without HTML."""
    return _templates().get_template("target_list.txt.j2").render(_context(view, attachment))


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "percent": _percent, "count": _count, "day": _day}
    return environment


def _context(view: MessageView, attachment: Attachment | None) -> dict[str, Any]:
    return {
        "view": view,
        "built": view.built,
        "attachment": attachment,
        "reasons": [
            (text, view.built["excluded"][reason])
            for reason, text in EXCLUSIONS.items()
            if view.built["excluded"][reason]
        ],
    }


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _count(customers: int) -> str:
    return f"{customers:,} customer" if customers == 1 else f"{customers:,} customers"


def _percent(share: float) -> str:
    if share == 0 or share >= 0.0995:
        return f"{share:,.0%}"
    return "<0.1%" if share < 0.001 else f"{share:.1%}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
