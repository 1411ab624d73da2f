"""What the message tells, and its two bodies: HTML, and text for readers without it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from jinja2 import Environment

from reclustering.core.clusters import find_cluster
from reclustering.core.guards import problems
from reclustering.delivery.attachment import Attachment
from reclustering.report.rendering import environment
from reclustering.report.view import RunView
from reclustering.report.words import count, day, number

PLOTS = ("clusters", "elbow")
"""The plots in the mail; each is a PNG of this name among the run's files."""


@dataclass(frozen=True)
class MessageView:
    """What the mail tells, from the JSON files of the run.

    Attributes
    ----------
    store : str
        Name of the store.
    run : RunView
        The run, with its clusters and its list.
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
    run: RunView
    corrected: bool
    file: str
    run_url: str | None
    contact: str
    today: date

    @property
    def built(self) -> dict[str, Any]:
        """`target_list.json`."""
        return self.run.files["target_list"]

    @property
    def as_of(self) -> date:
        """The day that the list describes."""
        return date.fromisoformat(self.built["as_of"])

    @property
    def subject(self) -> str:
        """One line that can be told from its neighbours in an inbox."""
        what = "corrected target list" if self.corrected else "target list"
        customers = count(self.built["customers"])
        return f"{self.store}: {what} of {self.as_of}, {customers}"

    @property
    def notices(self) -> list[tuple[str, str]]:
        """What must be known before anything else: a heading and a sentence each."""
        as_of, built = day(self.as_of), self.built
        notices = []
        if built["preview"]:
            notices.append(("Preview", "Nothing was published, and nobody was mailed."))
        if self.as_of != self.today:
            made = f"This list describes the store as of {as_of}. It was made on {day(self.today)}."
            notices.append(("Another day", made))
        if self.corrected:
            before = (
                f"This list replaces the one for {as_of} that you got before. Use only this one."
            )
            notices.append(("Corrected", before))
        if findings := self.run.findings:
            said = [
                f"{problems(found)}. {became}"
                for became, found in groupby(findings, key=itemgetter("became"))
            ]
            notices.append((self._about_guards, " ".join(said)))
        if self.run.release:
            notices.append(("This list was held", self.run.release))
        return notices

    @property
    def _about_guards(self) -> str:
        if self.built["preview"]:
            return "Checks would have stopped this run"
        decision = self.run.decision("list")
        if self.built["findings"] and not (decision and decision.approved):
            return "A check found this list unusual"
        return "A check had stopped this list, and a person let it pass"

    @property
    def target(self) -> dict[str, Any]:
        """The cluster that the list is made from."""
        return find_cluster(self.run.files["clusters"], self.built["label"])

    @property
    def sentence(self) -> str:
        """What this list is."""
        customers, until = count(self.built["customers"]), day(self.as_of)
        if self.built["label"] != 0:
            label, description = self.built["label"], self.target["description"]
            return f"{customers} of cluster {label} as of {until}: {description}"
        if self.built["returned"] == 0:
            return (
                f"{customers} who bought in the store before {until} and never returned anything."
            )
        return (
            f"{customers} of the group that returns least. {number(self.built['returned'])} of them "
            f"returned something before {until}, the others never did."
        )


def render_html(view: MessageView, attachment: Attachment | None, *, images: dict[str, str]) -> str:
    """Render the HTML body; `images` gives the address of each plot."""
    plots = [
        (images[name], view.run.files[name].get("alt_text", f"Plot: {name}")) for name in PLOTS
    ]
    template = _templates().get_template("target_list.html.j2")
    return template.render(view=view, attachment=attachment, plots=plots)


def render_text(view: MessageView, attachment: Attachment | None) -> str:
    """Render the body for readers without HTML."""
    template = _templates().get_template("target_list.txt.j2")
    return template.render(view=view, attachment=attachment)


@cache
def _templates() -> Environment:
    return environment(Path(__file__).parent / "templates")
