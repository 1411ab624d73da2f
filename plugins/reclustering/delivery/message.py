"""The message that carries the target list, written once and addressed to each recipient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from upath import UPath

from reclustering.core.artifacts import fetch, find_json, publish, read_json
from reclustering.core.contracts import TARGET_LIST
from reclustering.core.errors import BadInputError
from reclustering.core.mail_message import new_message
from reclustering.core.run import Run
from reclustering.delivery.attachment import Attachment, attach_list
from reclustering.delivery.message_view import PLOTS, MessageView, render_html, render_text
from reclustering.delivery.settings import MailSettings
from reclustering.report.view import DECISIONS, RunView


@dataclass(frozen=True)
class MessageContent:
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


def read_list(run: Run, label: int) -> dict[str, Any]:
    """Read `target_list.json`: what the list is that is to be mailed.

    Raises
    ------
    BadInputError
        When it was built for another label.
    """
    built = read_json(run.path("target_list.json"))
    if built["label"] != label:
        raise BadInputError(
            f"The list was built for label {built['label']}; expected label {label}. "
            "Clear build_target_list, and this task after it."
        )
    return built


def write_content(
    run: Run,
    built: dict[str, Any],
    settings: MailSettings,
    *,
    corrected: bool,
    contact: str,
    today: date,
) -> MessageContent:
    """Write the mail from the files of a run, and leave its HTML as `mail.html`.

    Parameters
    ----------
    run : Run
        Whose list, plots and JSON files to use.
    built : dict
        The content of `target_list.json`.
    settings : MailSettings
        The store's name, and what may be attached.
    corrected, contact, today
        See `MessageView`.

    Raises
    ------
    BadInputError
        When a file is missing, or is not the list that `built` describes.
    """
    view = MessageView(
        store=settings.store,
        run=_view(run, built),
        corrected=corrected,
        file=str(run.path(TARGET_LIST)),
        run_url=run.url,
        contact=contact,
        today=today,
    )
    attachment = attach_list(run, built, settings)
    plots = {name: _read(run.path(f"{name}.png")) for name in PLOTS}
    with publish(run.path("mail.html")) as scratch:
        preview = render_html(view, attachment, images={name: f"{name}.png" for name in PLOTS})
        scratch.write_text(preview, encoding="utf-8")
    return MessageContent(
        view.subject,
        render_html(view, attachment, images={name: f"cid:{name}" for name in PLOTS}),
        render_text(view, attachment),
        plots,
        attachment,
        contact,
    )


def address_message(
    content: MessageContent, *, sender: str, to: str, message_id: str, now: datetime
) -> bytes:
    """Give the whole mail to one recipient, with CRLF line ends and nothing but ASCII."""
    mail = new_message(subject=content.subject, sender=sender, to=to, now=now)
    mail["Reply-To"] = content.reply_to
    mail["Message-ID"] = message_id
    mail.set_content(content.text)
    mail.add_alternative(content.html, subtype="html")
    _, html = mail.iter_parts()
    for name, plot in content.plots.items():
        html.add_related(
            plot,
            "image",
            "png",
            cid=f"<{name}>",
            filename=f"{name}.png",
            disposition="inline",
        )
    if content.attachment:
        mail.add_attachment(
            content.attachment.content,
            maintype="text" if content.attachment.subtype == "csv" else "application",
            subtype=content.attachment.subtype,
            filename=content.attachment.name,
        )
    return mail.as_bytes()


def _view(run: Run, built: dict[str, Any]) -> RunView:
    told = ("run", "features", "elbow", "clusters", "fit_check")
    files = {name: read_json(run.path(f"{name}.json")) for name in told} | {"target_list": built}
    decisions = {name: find_json(run.path(f"{name}.json")) for name in DECISIONS}
    return RunView(files | {name: left for name, left in decisions.items() if left})


def _read(path: UPath) -> bytes:
    with fetch(path) as local:
        return local.read_bytes()
