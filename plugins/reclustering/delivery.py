"""Mail the list: every recipient gets it once, or a person is told.

A mail that the ledger has as `sending` may or may not have gone out: it is never sent again by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any, Literal, Protocol, get_args

from email_validator import EmailNotValidError, validate_email

from reclustering.errors import BadInputError, TerminalError, TransientError
from reclustering.ledger import Delivery, Ledger, ListKey

MAILING_RUNS = frozenset({"scheduled", "manual"})
"""The types of run that mail by themselves."""

Outcome = Literal["sent", "already_sent", "held", "in_doubt", "refused", "failed"]
"""How it stands with one recipient after an attempt.

`refused`: the server will not take this mail, however often it is asked; `failed`: it did not take
it this time. Both are `pending` in the ledger.
"""


class NotAcceptedError(Exception):
    """The mail server has not accepted the mail, and will not deliver it.

    `permanent` says that asking again will not help.
    """

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class UnansweredError(Exception):
    """The mail was handed over whole, and whether the server accepted it is not known."""


class Conversation(Protocol):
    """An open connection to a mail server."""

    def send(self, recipient: str, message: bytes) -> None:
        """Hand over one mail to one recipient.

        Raises
        ------
        NotAcceptedError
            When it was certainly not accepted.
        UnansweredError
            When that cannot be told.
        """


class Mailer(Protocol):
    """A way to a mail server."""

    @property
    def sender(self) -> str:
        """The address that mails come from, as it goes into the From header."""

    def connect(self) -> AbstractContextManager[Conversation]:
        """Connect and log in.

        Raises
        ------
        NotAcceptedError
            When that fails.
        """


@dataclass(frozen=True)
class Result:
    """How it stands with one recipient after an attempt, and why."""

    recipient: str
    outcome: Outcome
    message_id: str
    detail: str = ""


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


def check_label(built: dict[str, Any], label: int) -> None:
    """Check that the list is of the wanted cluster.

    Raises
    ------
    BadInputError
        When it was built for another label.
    """
    if built["label"] != label:
        raise BadInputError(
            f"The list was built for label {built['label']}; expected label {label}. "
            "Clear build_target_list, and this task after it."
        )


def should_send(delivery: str, run_type: str) -> bool:
    """Decide whether a run mails its list.

    Parameters
    ----------
    delivery : {"auto", "send", "hold"}
        The param. `auto` mails from scheduled and manual runs, and never from backfills.
    run_type : str
        Airflow's type of the run.

    Raises
    ------
    TerminalError
        When `delivery` is something else.
    """
    if delivery not in {"auto", "send", "hold"}:
        raise TerminalError(f"delivery is '{delivery}'; expected auto, send or hold.")
    return delivery == "send" or (delivery == "auto" and run_type in MAILING_RUNS)


def deliver(
    ledger: Ledger,
    deliveries: Iterable[Delivery],
    mailer: Mailer,
    compose: Callable[[Delivery], bytes],
) -> list[Result]:
    """Mail the list to everybody who is still to get it, one conversation for each.

    Parameters
    ----------
    ledger : Ledger
        Where it is written down, before and after each conversation.
    deliveries : iterable of Delivery
        The rows of the recipients.
    mailer : Mailer
        The way to the mail server.
    compose : callable
        Gives the mail for a row of the ledger.
    """
    return [_deliver_one(ledger, delivery, mailer, compose) for delivery in deliveries]


def hold(recipients: Iterable[str]) -> list[Result]:
    """Give the results of sending nothing."""
    return [Result(recipient, "held", "") for recipient in recipients]


def summarise(results: Sequence[Result], key: ListKey) -> dict[str, Any]:
    """Count the recipients by outcome, and say it in a sentence."""
    outcomes = Counter(result.outcome for result in results)
    sentences = [
        _SENTENCES[outcome].format(
            recipients=f"{n} recipient" if n == 1 else f"{n} recipients", sha256=key.sha256
        )
        for outcome, n in outcomes.items()
    ]
    return {
        "as_of": key.as_of.isoformat(),
        "label": key.label,
        "sha256": key.sha256,
        "outcomes": {outcome: outcomes[outcome] for outcome in get_args(Outcome)},
        "summary": " ".join(sentences),
    }


_SENTENCES: dict[Outcome, str] = {
    "sent": "The list was mailed to {recipients}.",
    "already_sent": "The list was mailed before to {recipients}, who did not get it again.",
    "held": (
        "The list is held: {recipients} would get it. To send exactly this list, set the Airflow "
        "Variable target_list_released to {sha256} and clear this task."
    ),
    "in_doubt": "Whether the list has reached {recipients} is in doubt.",
    "refused": "The mail to {recipients} was refused.",
    "failed": "The mail to {recipients} was not accepted this time.",
}


def raise_for(results: Sequence[Result]) -> None:
    """Fail the task unless everybody has the list.

    Raises
    ------
    TransientError
        When somebody may still get it by trying again; those for whom that is of no use are named
        as well.
    TerminalError
        When nobody can be helped by trying again.
    """
    problems = [_problem(result) for result in results if result.outcome in _PROBLEMS]
    if not problems:
        return
    done = sum(result.outcome in {"sent", "already_sent"} for result in results)
    message = f"{done} of {len(results)} recipients have the target list. {' '.join(problems)}"
    if any(result.outcome == "failed" for result in results):
        raise TransientError(f"{message} Who has it will not get it again.")
    raise TerminalError(message)


_PROBLEMS = {
    "failed": (
        "The mail to {recipient} was not accepted this time: {detail}. It is tried again while the "
        "task has retries left."
    ),
    "refused": (
        "The mail to {recipient} was refused: {detail}. Correct the recipient, the connection or the "
        "mail server, then clear this task."
    ),
    "in_doubt": (
        "Whether {recipient} has the mail is not known: an attempt ended after the mail server had "
        "been spoken to ({detail}). It is not sent again by itself. Ask {recipient}, or look for "
        "Message-ID {message_id} in the mail server's log; then write the answer into the ledger: "
        "python -m mail.ledger clear '{message_id}' --arrived (or --not-arrived, and clear this "
        "task). See docs/mail.md."
    ),
}


def _problem(result: Result) -> str:
    return _PROBLEMS[result.outcome].format(
        recipient=result.recipient,
        detail=result.detail.rstrip("."),
        message_id=result.message_id,
    )


def _deliver_one(
    ledger: Ledger,
    delivery: Delivery,
    mailer: Mailer,
    compose: Callable[[Delivery], bytes],
) -> Result:
    def result(outcome: Outcome, detail: str = "") -> Result:
        return Result(delivery.recipient, outcome, delivery.message_id, detail)

    if delivery.state == "sent":
        return result("already_sent")
    if delivery.state == "sending":
        return result("in_doubt", "it was killed, lost the connection, or is still at work")
    message = compose(delivery)
    claimed = False
    try:
        with mailer.connect() as conversation:
            claimed = ledger.claim(delivery)
            if not claimed:
                return _overtaken(ledger, result, delivery)
            conversation.send(delivery.recipient, message)
            if not ledger.settle(delivery, state="sent"):
                return result("in_doubt", "it was accepted after somebody had changed the ledger")
    except NotAcceptedError as error:
        if claimed:
            ledger.settle(delivery, state="pending", detail=str(error))
        return result("refused" if error.permanent else "failed", str(error))
    except UnansweredError as error:
        ledger.settle(delivery, state="sending", detail=str(error))
        return result("in_doubt", str(error))
    return result("sent")


def _overtaken(
    ledger: Ledger, result: Callable[[Outcome, str], Result], delivery: Delivery
) -> Result:
    if ledger.state(delivery.recipient) == "sent":
        return result("already_sent", "by another attempt")
    return result("failed", "another attempt is at work on it")
