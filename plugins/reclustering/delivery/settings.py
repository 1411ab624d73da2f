"""How the mail is to go out: what Variables and params say, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import get_args

from email_validator import EmailNotValidError, validate_email

from reclustering.core.errors import TerminalError
from reclustering.core.params import DeliveryMode

MAILING_RUNS = frozenset({"scheduled", "manual"})
"""The types of run that mail by themselves."""


@dataclass(frozen=True)
class MailSettings:
    """What people have set about the mail.

    Attributes
    ----------
    recipients : str, sequence of str or None
        Who gets the list: addresses, or one text with commas between them.
    contact : str or None
        Whom to ask about it; the sender if None.
    store : str
        Name of the store, in the subject.
    max_attachment : int
        Most bytes that the list may have to be attached.
    released : str or None
        SHA-256 of a held list that may go out.
    """

    recipients: str | Sequence[str] | None
    contact: str | None = None
    store: str = "The store"
    max_attachment: int = 10_000_000
    released: str | None = None


def valid_recipients(configured: str | Sequence[str] | None) -> list[str]:
    """Read who gets the list: a list of addresses, or one text with commas between them.

    Returns
    -------
    list of str
        The addresses in lower case, each once, in the given order.

    Raises
    ------
    TerminalError
        When there is none, or one is not a valid address.
    """
    parts = configured.split(",") if isinstance(configured, str) else configured or []
    given = [part.strip() for part in parts if part.strip()]
    if not given:
        raise TerminalError(
            "Nobody is configured to receive the target list. Set the Airflow Variable "
            "target_list_recipients (addresses with commas between them), or the param recipients."
        )
    recipients = [
        _valid_address(address, "recipient of the target list", source="target_list_recipients")
        for address in given
    ]
    return list(dict.fromkeys(recipients))


def valid_contact(configured: str | None, *, sender: str) -> str:
    """Give whom to ask about the list: the configured address, else the sender's.

    Raises
    ------
    TerminalError
        When it is not a valid address.
    """
    if not configured:
        return parseaddr(sender)[1]
    return _valid_address(configured.strip(), "contact", source="target_list_contact")


def _valid_address(address: str, role: str, *, source: str) -> str:
    try:
        valid = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise TerminalError(
            f"'{address}' is not a valid {role}: {error} Correct the Airflow Variable {source}, or the "
            "parameter that was given instead."
        ) from error
    return str(valid.ascii_email).lower()


def should_send(delivery: str, run_type: str) -> bool:
    """Decide whether a run mails its list.

    Parameters
    ----------
    delivery : DeliveryMode
        The param. `auto` mails from scheduled and manual runs, and never from backfills.
    run_type : str
        Airflow's type of the run.

    Raises
    ------
    TerminalError
        When `delivery` is something else.
    """
    if delivery not in get_args(DeliveryMode):
        raise TerminalError(
            f"delivery is '{delivery}'; expected one of {', '.join(get_args(DeliveryMode))}."
        )
    return delivery == "send" or (delivery == "auto" and run_type in MAILING_RUNS)
