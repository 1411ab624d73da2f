"""Tell whoever operates the pipeline that a task has failed for good."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from airflow.sdk import Context, Variable

from reclustering.core.header_text import header_text
from reclustering.core.mailboxes import read_mailboxes
from reclustering.mail.smtp import SmtpMailer


def alert_recipients() -> list[str]:
    """Read the Airflow Variable `alert_recipients`; nobody if it is not set.

    Raises
    ------
    TerminalError
        When an entry is no e-mail address.
    """
    text = Variable.get("alert_recipients", default=None) or ""
    return read_mailboxes(text, setting="The Airflow Variable alert_recipients")


def alert_on_failure(context: Context) -> None:
    """Mail the reason of a failure to those whom `alert_recipients` names.

    An `on_failure_callback`: Airflow calls it when no retry is left, and logs what goes wrong here.
    """
    mailer = SmtpMailer()
    for recipient in alert_recipients():
        message = _write(context, sender=mailer.sender, to=recipient)
        with mailer.connect() as conversation:
            conversation.send(recipient, message)


def _write(context: Context, *, sender: str, to: str) -> bytes:
    task_instance = context["task_instance"]
    reason = str(context.get("exception") or "No reason is known; see the log.")
    subject = f"{task_instance.dag_id}.{task_instance.task_id} failed in {task_instance.run_id}"
    mail = EmailMessage(SMTP.clone(cte_type="7bit"))
    mail["Subject"] = header_text(subject)
    mail["From"] = sender
    mail["To"] = to
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{header_text(reason)}\n\nThe log: {task_instance.log_url}\n")
    return mail.as_bytes()
