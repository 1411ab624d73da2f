"""How the mail is to go out: what Variables and params say, checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from email.utils import parseaddr
from typing import get_args

from upath import UPath

from reclustering.core.errors import TerminalError
from reclustering.core.header_text import header_text
from reclustering.core.mailboxes import read_mailbox, split_mailboxes
from reclustering.core.params import Attached, DeliveryMode, Unchanged


@dataclass(frozen=True)
class MailSettings:
    """What people have set about the mail.

    Attributes
    ----------
    recipients : str or None
        Who gets the list: addresses with commas or semicolons between them. An entry that starts with `@`
        is a domain whose addresses a run may ask for.
    requested : sequence of str or None
        Whom the run asks for instead.
    contact : str or None
        Whom to ask about it; the sender if None.
    store : str
        Name of the store, in the subject.
    attachment : Attached
        As which kind of file the list goes with the mail.
    unchanged : Unchanged
        What those get who have this list already, of an earlier day.
    drop : UPath or None
        The folder where the list is left, instead of being attached.
    max_attachment : int
        Most bytes that the list may have to be attached.
    """

    recipients: str | None
    requested: Sequence[str] | None = None
    contact: str | None = None
    store: str = "The store"
    attachment: Attached = "xlsx"
    unchanged: Unchanged = "note"
    drop: UPath | None = None
    max_attachment: int = 10_000_000


def valid_recipients(settings: MailSettings) -> list[str]:
    """Read who gets the list.

    Returns
    -------
    list of str
        The addresses in lower case, each once, in the given order.

    Raises
    ------
    TerminalError
        When there is none, one is not a valid address, or the run asks for one that is not allowed:
        who may trigger a run must not send customers' addresses anywhere.
    """
    configured = split_mailboxes(settings.recipients or "")
    setting = "The Airflow Variable target_list_recipients"
    # A domain is read as a part of an address, so that it is written as those are.
    domains = [
        read_mailbox(f"anybody{entry}", setting=setting).address.removeprefix("anybody")
        for entry in configured
        if entry.startswith("@")
    ]
    listed = _addresses((entry for entry in configured if not entry.startswith("@")), setting)
    requested = _addresses(
        (entry for text in settings.requested or () for entry in split_mailboxes(text)),
        "The parameter recipients",
    )
    for address in requested:
        if address not in listed and f"@{address.rpartition('@')[2]}" not in domains:
            raise TerminalError(
                f"The run asks for the recipient {address}, who may not get the list; expected "
                f"{' or '.join([*listed, *(f'anybody{domain}' for domain in sorted(domains))]) or 'nobody'}, "
                "as the Airflow Variable target_list_recipients says. Add the address there, or its "
                "domain (@example.com)."
            )
    if not (requested or listed):
        raise TerminalError(
            "Nobody is configured to receive the target list. Set the Airflow Variable "
            "target_list_recipients (addresses with commas or semicolons between them)."
        )
    return requested or listed


def _addresses(entries: Iterable[str], setting: str) -> list[str]:
    return list(dict.fromkeys(read_mailbox(one, setting=setting).address for one in entries))


def valid_contact(configured: str | None, *, sender: str) -> str:
    """Give whom to ask about the list: the configured address, else the sender's.

    Raises
    ------
    TerminalError
        When it is not a valid address.
    """
    if not (configured or "").strip():
        return parseaddr(sender)[1]
    return read_mailbox(str(configured), setting="The Airflow Variable target_list_contact").address


def valid_store(configured: str) -> str:
    """Give the name of the store in one line.

    Raises
    ------
    TerminalError
        When it has half of a character, which no mail can hold.
    """
    try:
        configured.encode()
    except UnicodeEncodeError as error:
        raise TerminalError(
            f"The Airflow Variable store_name is {configured!a}, which is not a text that can be written "
            f"({error.reason}). Set it anew."
        ) from error
    return header_text(configured) or MailSettings.store


def held_because(
    delivery: str, run_type: str, *, as_of: date, today: date, preview: bool
) -> str | None:
    """Say why a run does not mail its list, if it does not.

    Parameters
    ----------
    delivery : DeliveryMode
        The param. `auto` mails today's list, whatever started the run, unless it was a backfill.
    run_type : str
        Airflow's type of the run. A scheduled run that a backfill runs again is a backfill's.
    as_of, today : date
        The day that the list describes, and that of the run.
    preview : bool
        Whether the run is one; then nothing makes it mail.

    Returns
    -------
    str or None
        The reason, to go after "because"; None if the list is mailed.

    Raises
    ------
    TerminalError
        When `delivery` is something else.
    """
    if delivery not in get_args(DeliveryMode):
        raise TerminalError(
            f"delivery is '{delivery}'; expected one of {', '.join(get_args(DeliveryMode))}."
        )
    if preview:
        return "the run is a preview"
    if delivery == "hold":
        return "delivery is hold"
    if delivery == "auto" and run_type == "backfill":
        return "delivery is auto, which mails nothing from a backfill"
    if delivery == "auto" and as_of != today:
        return f"delivery is auto, which mails today's list, and this is that of {as_of}"
    return None
