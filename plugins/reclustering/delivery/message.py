"""The message that carries the target list, written once and addressed to each recipient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from reclustering.core.artifacts import find_json, publish, read_json
from reclustering.core.contracts import TARGET_LIST
from reclustering.core.errors import BadInputError
from reclustering.core.mail_message import new_message
from reclustering.core.run import Run
from reclustering.delivery.attachment import Attachment, attach_list
from reclustering.delivery.drop import dropped_list
from reclustering.delivery.ledger import Delivery, Ledger
from reclustering.delivery.message_view import MessageView, render_html, render_text
from reclustering.delivery.settings import MailSettings, valid_contact
from reclustering.delivery.unchanged import Unchanged
from reclustering.report.view import DECISIONS, RunView


@dataclass(frozen=True)
class MessageContent:
    """What is the same in the mails to all recipients.

    Attributes
    ----------
    subject : str
        Subject line.
    html, text : str
        The two bodies.
    attachments : list of Attachment
        The list, unless it is elsewhere.
    reply_to : str
        Where answers go.
    """

    subject: str
    html: str
    text: str
    attachments: list[Attachment]
    reply_to: str


def read_list(run: Run, label: int) -> dict[str, Any]:
    """Read `target_list.json`: what the list is that is to be mailed.

    Raises
    ------
    BadInputError
        When it was built for another label, or by an earlier version.
    """
    built = read_json(run.path("target_list.json"))
    if built["label"] != label:
        raise BadInputError(
            f"The list was built for label {built['label']}; expected label {label}. "
            "Clear build_target_list, and this task after it."
        )
    if "people_sha256" not in built:
        raise BadInputError(
            "The list was built by an earlier version of this pipeline. Clear build_target_list, and the "
            "tasks after it."
        )
    return built


@dataclass
class Letters:
    """The mails of a list, each written when it is needed.

    Attributes
    ----------
    run : Run
        Whose list and JSON files to use.
    built : dict
        The content of `target_list.json`.
    settings : MailSettings
        The store's name, and what may be attached.
    ledger : Ledger
        Of the list.
    unchanged : Unchanged
        For whom there is nothing new.
    sender : str
        Where they come from.
    clock : callable
        Gives the time, with its zone.
    today : date
        The day of the store.
    """

    run: Run
    built: dict[str, Any]
    settings: MailSettings
    ledger: Ledger
    unchanged: Unchanged
    sender: str
    clock: Callable[[], datetime]
    today: date

    @property
    def file(self) -> str:
        """Where the list lies."""
        folder = self.settings.drop
        return str(dropped_list(folder, self.built) if folder else self.run.path(TARGET_LIST))

    @cached_property
    def list_mail(self) -> MessageContent:
        """The mail with the list; its HTML is left as `mail.html`.

        Raises
        ------
        BadInputError
            When a file is missing, or is not the list that `built` describes.
        """
        dropped = self.settings.drop is not None
        attachments = [] if dropped else attach_list(self.run, self.built, self.settings)
        content = self._write(attachments, "")
        with publish(self.run.path("mail.html")) as scratch:
            scratch.write_text(content.html, encoding="utf-8")
        return content

    @cached_property
    def note(self) -> MessageContent:
        """The mail that says that nothing is new."""
        return self._write([], self.unchanged.because)

    def compose(self, delivery: Delivery) -> bytes:
        """Give the whole mail to one recipient."""
        return address_message(
            self.note if self.unchanged.tells(delivery) else self.list_mail,
            sender=self.sender,
            to=delivery.recipient,
            message_id=delivery.message_id,
            now=self.clock(),
        )

    def _write(self, attachments: list[Attachment], unchanged: str) -> MessageContent:
        contact = valid_contact(self.settings.contact, sender=self.sender)
        view = MessageView(
            store=self.settings.store,
            run=_view(self.run, self.built),
            corrected=not (self.run.preview or unchanged) and self.ledger.corrects(),
            file=self.file,
            dropped=self.settings.drop is not None,
            unchanged=unchanged,
            run_url=self.run.url,
            contact=contact,
            today=self.today,
        )
        return MessageContent(
            view.subject,
            render_html(view, attachments),
            render_text(view, attachments),
            attachments,
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
    for one in content.attachments:
        mail.add_attachment(
            one.content,
            maintype="text" if one.subtype == "csv" else "application",
            subtype=one.subtype,
            filename=one.name,
        )
    return mail.as_bytes()


def _view(run: Run, built: dict[str, Any]) -> RunView:
    told = ("run", "features", "elbow", "clusters", "fit_check")
    files = {name: read_json(run.path(f"{name}.json")) for name in told} | {"target_list": built}
    decisions = {name: find_json(run.path(f"{name}.json")) for name in DECISIONS}
    return RunView(files | {name: left for name, left in decisions.items() if left})
