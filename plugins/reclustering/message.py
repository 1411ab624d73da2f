"""The mail that carries the target list: subject, text, HTML with both plots, and the file."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from datetime import date, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from upath import UPath

from reclustering.artifacts import fetch, publish, read_json
from reclustering.errors import BadInputError
from reclustering.run import Run

PLOTS = ("clusters", "elbow")
"""The plots in the mail; each is a PNG of this name among the run's files."""

REASON_TEXTS = {
    "no_address": "no e-mail address",
    "malformed": "the e-mail address is not valid",
    "suppressed": "opted out",
    "duplicate_address": "another customer with the same address is on the list",
}
"""What to call the reasons of `target_list.REASONS`."""


@dataclass(frozen=True)
class Attachment:
    """A file in the mail."""

    name: str
    content: bytes
    subtype: str


@dataclass(frozen=True)
class Letter:
    """What is the same in the mails to all recipients.

    Attributes
    ----------
    subject : str
        Subject line.
    html, text : str
        The two bodies; the HTML shows its plots by Content-ID.
    plots : dict
        PNG content by name.
    attachment : Attachment or None
        The list, unless it is too large.
    reply_to : str
        Where answers go.
    """

    subject: str
    html: str
    text: str
    plots: dict[str, bytes]
    attachment: Attachment | None
    reply_to: str


@dataclass(frozen=True)
class Story:
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
    """

    store: str
    built: dict[str, Any]
    clusters: dict[str, Any]
    elbow: dict[str, Any]
    corrected: bool
    file: str
    run_url: str | None
    contact: str

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
    def target(self) -> dict[str, Any]:
        """The cluster that the list is made from."""
        clusters = self.clusters["clusters"]
        return next(one for one in clusters if one["label"] == self.built["label"])

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


def attach_list(csv: Path, *, as_of: date, limit: int) -> Attachment | None:
    """Give the list as an attachment of at most `limit` bytes: as it is, else zipped, else None."""
    name = f"target_list_{as_of}.csv"
    if csv.stat().st_size <= limit:
        return Attachment(name, csv.read_bytes(), "csv")
    zipped = BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        # The same list gives the same bytes, whenever it is zipped.
        entry = zipfile.ZipInfo(name, (as_of.year, as_of.month, as_of.day, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o600 << 16
        archive.writestr(entry, csv.read_bytes())
    if zipped.tell() > limit:
        return None
    return Attachment(f"{name}.zip", zipped.getvalue(), "zip")


def write_letter(
    run: Run,
    built: dict[str, Any],
    *,
    store: str,
    corrected: bool,
    run_url: str | None,
    contact: str,
    max_attachment: int,
) -> Letter:
    """Write the mail from the files of a run, and leave its HTML as `mail.html`.

    Parameters
    ----------
    run : Run
        Whose list, plots and JSON files to use.
    built : dict
        The content of `target_list.json`.
    store, corrected, run_url, contact
        See `Story`.
    max_attachment : int
        Most bytes that the list may have to be attached.

    Raises
    ------
    BadInputError
        When a file is missing, or the CSV is not the list that `built` describes.
    """
    story = Story(
        store=" ".join(store.split()),
        built=built,
        clusters=read_json(run.path("clusters.json")),
        elbow=read_json(run.path("elbow.json")),
        corrected=corrected,
        file=str(run.path("target_list.csv")),
        run_url=run_url,
        contact=contact,
    )
    with fetch(run.path("target_list.csv")) as csv:
        _check_content(csv, built["sha256"])
        attachment = attach_list(csv, as_of=story.as_of, limit=max_attachment)
    plots = {name: _read(run.path(f"{name}.png")) for name in PLOTS}
    with publish(run.path("mail.html")) as scratch:
        preview = render_html(story, attachment, images={name: f"{name}.png" for name in PLOTS})
        scratch.write_text(preview, encoding="utf-8")
    return Letter(
        story.subject,
        render_html(story, attachment, images={name: f"cid:{name}" for name in PLOTS}),
        render_text(story, attachment),
        plots,
        attachment,
        contact,
    )


def render_html(story: Story, attachment: Attachment | None, *, images: dict[str, str]) -> str:
    """Render the HTML body; `images` gives the address of each plot."""
    described = {"elbow": story.elbow, "clusters": story.clusters}
    plots = [(images[name], described[name].get("alt_text", f"Plot: {name}")) for name in PLOTS]
    template = _templates().get_template("target_list.html.j2")
    return template.render(_context(story, attachment), plots=plots)


def render_text(story: Story, attachment: Attachment | None) -> str:
    """Render the body for readers without HTML."""
    return _templates().get_template("target_list.txt.j2").render(_context(story, attachment))


def address_letter(
    letter: Letter, *, sender: str, to: str, message_id: str, now: datetime
) -> bytes:
    """Give the whole mail to one recipient, with CRLF line ends and nothing but ASCII."""
    mail = EmailMessage(SMTP.clone(cte_type="7bit"))
    mail["Subject"] = letter.subject
    mail["From"] = sender
    mail["To"] = to
    mail["Reply-To"] = letter.reply_to
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.text)
    mail.add_alternative(letter.html, subtype="html")
    _, html = mail.iter_parts()
    for name, content in letter.plots.items():
        html.add_related(
            content,
            "image",
            "png",
            cid=f"<{name}>",
            filename=f"{name}.png",
            disposition="inline",
        )
    if letter.attachment:
        mail.add_attachment(
            letter.attachment.content,
            maintype="text" if letter.attachment.subtype == "csv" else "application",
            subtype=letter.attachment.subtype,
            filename=letter.attachment.name,
        )
    return mail.as_bytes()


def _check_content(csv: Path, sha256: str) -> None:
    with csv.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise BadInputError(
            f"target_list.csv has the SHA-256 {found}; expected {sha256}, as target_list.json says. "
            "Clear build_target_list, and this task after it."
        )


def _read(path: UPath) -> bytes:
    with fetch(path) as local:
        return local.read_bytes()


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


def _context(story: Story, attachment: Attachment | None) -> dict[str, Any]:
    return {
        "story": story,
        "built": story.built,
        "attachment": attachment,
        "reasons": [
            (text, story.built["excluded"][reason])
            for reason, text in REASON_TEXTS.items()
            if story.built["excluded"][reason]
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
