"""The headers that every mail of the pipeline has."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime


def new_message(*, subject: str, sender: str, to: str, now: datetime) -> EmailMessage:
    """Begin a mail, with CRLF line ends and nothing but ASCII.

    Parameters
    ----------
    subject : str
        One line; see `header_text`.
    sender, to : str
        Addresses, with or without a name.
    now : datetime
        When it is written.
    """
    mail = EmailMessage(SMTP.clone(cte_type="7bit"))
    mail["Subject"] = subject
    mail["From"] = sender
    mail["To"] = to
    mail["Date"] = format_datetime(now)
    # RFC 3834: no holiday note comes back.
    mail["Auto-Submitted"] = "auto-generated"
    return mail
