"""What the message tells, and its two bodies: HTML, and text for readers without it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment

from reclustering.core.clusters import find_cluster
from reclustering.core.guards import problems
from reclustering.delivery.attachment import Attachment
from reclustering.report.rendering import environment
from reclustering.report.view import RunView
from reclustering.report.words import count, day, number

COLOURS = {"on": "#14708a", "new": "#e07b00", "off": "#c5ced6"}
"""Of the parts of a bar, where a mail reader ignores style sheets."""


class Part(NamedTuple):
    """A part of a bar: its kind, how many customers, how much of the bar in percent, and what it says."""

    kind: str
    customers: int
    width: int
    text: str

    @property
    def colour(self) -> str:
        """Its colour."""
        return COLOURS[self.kind]


class Bar(NamedTuple):
    """A picture of some customers, made of the cells of a table: it needs no image, and can be read out."""

    heading: str
    parts: list[Part]


def bar(heading: str, *parts: tuple[str, int, str]) -> Bar:
    """Make a bar of parts, each a kind, a number of customers, and what these are; what is there is seen."""
    total = sum(customers for _, customers, _ in parts) or 1
    return Bar(
        heading,
        [
            Part(kind, n, max(1, round(100 * n / total)), f"{number(n)} {text}")
            for kind, n, text in parts
        ],
    )


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
    dropped : bool
        Whether it is there for others to fetch.
    unchanged : str
        Why there is nothing new; empty if there is.
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
    dropped: bool
    unchanged: str
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
    def title(self) -> str:
        """What this is, in a few words."""
        what = "Corrected target list" if self.corrected else "Target list"
        return f"{what}, {day(self.as_of)}{': unchanged' if self.unchanged else ''}"

    @property
    def subject(self) -> str:
        """One line that can be told from its neighbours in an inbox."""
        what = "corrected target list" if self.corrected else "target list"
        said = "unchanged" if self.unchanged else count(self.built["customers"])
        return f"{self.store}: {what} of {day(self.as_of)}, {said}"

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

    @property
    def bars(self) -> list[Bar]:
        """Who is on the list, and how it has changed."""
        built = self.built
        listed, size = built["customers"], built["cluster_size"]
        bars = [
            bar(
                f"{count(size)} in this list's group",
                ("on", listed, "on this list"),
                ("off", size - listed, "not on it"),
            )
        ]
        change, new = built["previous"], built["new"]
        if change and new is not None:
            since = day(date.fromisoformat(change["as_of"]))
            bars.append(
                bar(
                    f"Since the list of {since}",
                    ("on", listed - new, "known before"),
                    ("new", new, "new"),
                    ("off", built["gone"], "gone"),
                )
            )
        return bars


def render_html(view: MessageView, attachments: list[Attachment]) -> str:
    """Render the HTML body."""
    return _render(view, attachments, "html")


def render_text(view: MessageView, attachments: list[Attachment]) -> str:
    """Render the body for readers without HTML."""
    return _render(view, attachments, "txt")


def _render(view: MessageView, attachments: list[Attachment], kind: str) -> str:
    name = "unchanged" if view.unchanged else "target_list"
    template = _templates().get_template(f"{name}.{kind}.j2")
    return template.render(view=view, attachment=next(iter(attachments), None))


@cache
def _templates() -> Environment:
    made = environment(Path(__file__).parent / "templates")
    made.filters["lower_first"] = lambda text: text[:1].lower() + text[1:]
    return made
