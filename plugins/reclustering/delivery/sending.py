"""Mail the list: every recipient gets it once, or a person is told.

A mail that the ledger has as `sending` may or may not have gone out: it is never sent again by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from reclustering.core.errors import TerminalError, TransientError
from reclustering.core.guards import problems
from reclustering.core.protocols import Mailer, NotAcceptedError, UnansweredError
from reclustering.delivery.ledger import Delivery, Ledger, ListKey

Outcome = Literal[
    "sent",
    "left",
    "already_sent",
    "unchanged",
    "held",
    "in_doubt",
    "unrecorded",
    "refused",
    "failed",
]
"""How it stands with one recipient after an attempt.

`left`: it lies in the folder for machines, now or since before.
`unchanged`: there is nothing new for them, and they wish to hear of it no more than once.
`unrecorded`: the server has answered, and the ledger could not be written; it has the mail as `sending`.
`refused`: the server will not take this mail, however often it is asked; `failed`: it did not take
it this time. These two are `pending` in the ledger.
"""


@dataclass(frozen=True)
class Result:
    """How it stands with one recipient after an attempt, and why."""

    recipient: str
    outcome: Outcome
    message_id: str
    detail: str = ""


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


def pass_over(ledger: Ledger, delivery: Delivery, because: str) -> Result:
    """Write down that somebody has what there is, without a mail."""
    if delivery.state == "pending" and ledger.claim(delivery):
        _persistently(ledger.settle, delivery, state="sent", detail=f"not mailed: {because}")
    return Result(delivery.recipient, "unchanged", delivery.message_id, because)


def hold(deliveries: Iterable[Delivery], because: str) -> list[Result]:
    """Give the results of sending nothing: who has the list already, has it."""
    return [
        Result(one.recipient, "already_sent", one.message_id)
        if one.state == "sent"
        else Result(one.recipient, "held", one.message_id, because)
        for one in deliveries
    ]


def summarise(results: Sequence[Result], key: ListKey, built: dict[str, Any]) -> dict[str, Any]:
    """Count the recipients by outcome, and say it in sentences.

    Parameters
    ----------
    results : sequence of Result
        How it stands with each recipient.
    key : ListKey
        The list.
    built : dict
        The content of `target_list.json`.
    """
    outcomes = Counter(result.outcome for result in results)
    because = {result.outcome: result.detail for result in results}
    sentences = [
        _SENTENCES[outcome].format(
            recipients=f"{n} recipient" if n == 1 else f"{n} recipients",
            because=because[outcome],
        )
        for outcome, n in outcomes.items()
    ]
    if outcomes["held"] and built["findings"]:
        sentences.append(f"What speaks against it: {problems(built['findings'])}.")
    if outcomes["held"] and built["customers"] and not built["preview"]:
        sentences.append(
            "To send exactly this list, press 'Mail this list' in the run's tab, Customer clusters."
        )
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
    "left": "The list lies in {because}.",
    "unchanged": "Nothing was mailed to {recipients}: {because}.",
    "held": "The list is not mailed to {recipients}, because {because}.",
    "unrecorded": "What became of the mail to {recipients} could not be written down.",
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
    failures = [_problem(result) for result in results if result.outcome in _PROBLEMS]
    if not failures:
        return
    people = [result for result in results if result.outcome != "left"]
    done = sum(result.outcome in {"sent", "already_sent", "unchanged"} for result in people)
    message = f"{done} of {len(people)} recipients have the target list. {' '.join(failures)}"
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
    "unrecorded": (
        "The mail server has answered for {recipient}, but the ledger could not be written: {detail}. Write "
        "it down: python -m reclustering ledger clear '{message_id}' --arrived if it was accepted, else "
        "--not-arrived; then clear this task."
    ),
    "in_doubt": (
        "Whether {recipient} has the mail is not known: an attempt ended after the mail server had "
        "been spoken to ({detail}). It is not sent again by itself. Ask {recipient}, or look for "
        "Message-ID {message_id} in the mail server's log; then write the answer into the ledger: "
        "python -m reclustering ledger clear '{message_id}' --arrived (or --not-arrived, and clear this "
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
        if ledger.is_living(delivery):
            return result("failed", "another attempt is at work on it")
        return result("in_doubt", delivery.detail or "it was killed, or lost the connection")
    message = compose(delivery)
    claimed = False
    try:
        with mailer.connect() as conversation:
            claimed = ledger.claim(delivery)
            if not claimed:
                return _overtaken(ledger, result, delivery)
            outcome: Outcome = "sent"
            answer = conversation.send(delivery.recipient, message)
    except NotAcceptedError as error:
        outcome, answer = "refused" if error.permanent else "failed", str(error)
        if error.too_large:
            answer += " (the Airflow Variable target_list_max_attachment makes mails smaller)"
    except UnansweredError as error:
        outcome, answer = "in_doubt", str(error)
    return (
        _settled(ledger, delivery, result(outcome, answer)) if claimed else result(outcome, answer)
    )


def _settled(ledger: Ledger, delivery: Delivery, found: Result) -> Result:
    """Write down what the server said. If that fails for long, the other recipients get the list still."""
    states = {"sent": "sent", "in_doubt": "sending"}
    try:
        settled = _persistently(
            ledger.settle,
            delivery,
            state=states.get(found.outcome, "pending"),
            detail=found.detail,
        )
    except (TransientError, TerminalError) as error:
        said = f"the answer was '{found.detail}', and then: {error}"
        return replace(found, outcome="unrecorded", detail=said)
    if not settled and found.outcome == "sent":
        said = f"it was accepted ('{found.detail}') after somebody had changed the ledger"
        return replace(found, outcome="in_doubt", detail=said)
    return found


_persistently = Retrying(
    retry=retry_if_exception_type(TransientError),
    wait=wait_exponential(max=30),
    stop=stop_after_delay(120),
    reraise=True,
)


def _overtaken(
    ledger: Ledger, result: Callable[[Outcome, str], Result], delivery: Delivery
) -> Result:
    if ledger.state(delivery.recipient) == "sent":
        return result("already_sent", "by another attempt")
    return result("failed", "another attempt is at work on it")
