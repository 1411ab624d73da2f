"""The send ledger, `dbo.target_list_deliveries`: what was mailed to whom.

A mail is `pending` until an attempt takes it, `sending` while the mail server is being talked to, and
`sent` once the server has accepted it. Each change is a transaction of its own, so the ledger is right
even when the process dies in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from email.utils import parseaddr
from typing import Any

from reclustering.core.errors import TerminalError
from reclustering.core.protocols import Session, Warehouse

LONGEST_CONVERSATION = timedelta(minutes=15)
"""A mail that has been held for longer is in doubt: SMTP lets a server take ten minutes to answer (RFC
5321, 4.5.3.2.6)."""


@dataclass(frozen=True)
class ListKey:
    """What makes a list a list of its own in the ledger."""

    as_of: date
    label: int
    sha256: str


@dataclass(frozen=True)
class Delivery:
    """One row of the ledger."""

    sha256: str
    recipient: str
    state: str
    attempts: int
    message_id: str
    detail: str = field(default="", compare=False)
    changed_at: datetime | None = field(default=None, compare=False)
    """When it last changed, UTC; None if it is not in the ledger."""


def message_id(key: ListKey, recipient: str, sender: str) -> str:
    """Give the Message-ID of a mail, the same in every attempt."""
    domain = parseaddr(sender)[1].partition("@")[2]
    identity = "/".join([key.as_of.isoformat(), str(key.label), key.sha256, recipient])
    return f"<{hashlib.sha256(identity.encode()).hexdigest()[:40]}@{domain}>"


class Ledger:
    """The rows of one list in `dbo.target_list_deliveries`.

    Parameters
    ----------
    warehouse : Warehouse
        Where the ledger is.
    key : ListKey
        The list.
    run_id : str
        The run that writes.
    clock : callable
        Gives the time, in UTC.
    """

    def __init__(
        self, warehouse: Warehouse, key: ListKey, *, run_id: str, clock: Callable[[], datetime]
    ) -> None:
        self._warehouse = warehouse
        self._key = key
        self._run_id = run_id
        self._clock = clock

    def enter(self, recipients: Iterable[str], *, customers: int, sender: str) -> list[Delivery]:
        """Enter the recipients that are not in the ledger yet; give the rows of all of them.

        Parameters
        ----------
        recipients : iterable of str
            Who is to get the list.
        customers : int
            How many are on it.
        sender : str
            Where the mails come from; its domain is the right side of the Message-IDs.
        """
        with self._transaction() as session:
            known = {row.recipient: row for row in self._rows(session)}
            for recipient in recipients:
                if recipient not in known:
                    mail = message_id(self._key, recipient, sender)
                    session.execute(
                        "delivery/insert_delivery",
                        self._row(recipient)
                        | {"customers": customers, "message_id": mail, "run_id": self._run_id}
                        | {"now": self._now()},
                    )
                    known[recipient] = Delivery(self._key.sha256, recipient, "pending", 0, mail)
        return [known[recipient] for recipient in recipients]

    def known(self, recipients: Iterable[str]) -> list[Delivery]:
        """Give the rows of the recipients without entering any; who is in none is pending."""
        with self._warehouse.read() as session:
            known = {row.recipient: row for row in self._rows(session)}
        return [
            known.get(recipient, Delivery(self._key.sha256, recipient, "pending", 0, ""))
            for recipient in recipients
        ]

    def corrects(self) -> bool:
        """Tell whether a different list of the same as_of and label has gone out before."""
        with self._warehouse.read() as session:
            rows = _deliveries(session, self._key)
        return any(row.sha256 != self._key.sha256 and row.state != "pending" for row in rows)

    def who_has_last(self, as_of: date, sha256: str) -> set[str]:
        """Give those to whom another list of the same label was the last to go."""
        with self._warehouse.read() as session:
            rows = session.query("delivery/last_lists", {"label": self._key.label})
        return {
            row["recipient"]
            for row in rows
            if (row["as_of"], row["list_sha256"].strip(), row["state"]) == (as_of, sha256, "sent")
        }

    def claim(self, delivery: Delivery) -> bool:
        """Take a pending mail; False when another attempt has been faster."""
        with self._transaction() as session:
            changed = session.execute(
                "delivery/claim_delivery",
                self._row(delivery.recipient)
                | {"attempts": delivery.attempts, "run_id": self._run_id, "now": self._now()},
            )
        return changed == 1

    def settle(self, delivery: Delivery, *, state: str, detail: str = "") -> bool:
        """Write down how the try that `claim` began has ended; False if it holds the mail no more."""
        with self._transaction() as session:
            changed = session.execute(
                "delivery/settle_delivery",
                self._row(delivery.recipient)
                | {"attempts": delivery.attempts + 1, "state": state, "detail": detail[:1000]}
                | {"now": self._now()},
            )
        return changed == 1

    def is_living(self, delivery: Delivery) -> bool:
        """Tell whether the attempt that holds a mail may still be at work on it.

        One that has said why the mail is in doubt is not.
        """
        started = delivery.changed_at
        at_work = delivery.state == "sending" and not delivery.detail
        return at_work and started is not None and self._now() - started < LONGEST_CONVERSATION

    def state(self, recipient: str) -> str:
        """Give the state of the mail to one recipient."""
        with self._warehouse.read() as session:
            return next(row.state for row in self._rows(session) if row.recipient == recipient)

    def _now(self) -> datetime:
        return self._clock().replace(tzinfo=None)

    def _rows(self, session: Session) -> list[Delivery]:
        return [row for row in _deliveries(session, self._key) if row.sha256 == self._key.sha256]

    def _row(self, recipient: str) -> dict[str, Any]:
        return {
            "as_of": self._key.as_of,
            "label": self._key.label,
            "list_sha256": self._key.sha256,
            "recipient": recipient,
        }

    def _transaction(self) -> AbstractContextManager[Session]:
        return self._warehouse.transaction(lock=f"target_list_delivery/{self._key.as_of}")


def read_ledger(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Give all rows of the ledger, newest day first."""
    with warehouse.read() as session:
        return session.query("delivery/ledger")


def clear_doubt(warehouse: Warehouse, message: str, *, arrived: bool, now: datetime) -> None:
    """Write into the ledger what a person has found out about a mail in doubt.

    Parameters
    ----------
    warehouse : Warehouse
        Where the ledger is.
    message : str
        Message-ID of the mail.
    arrived : bool
        Whether the recipient has it. If not, it is pending again: the next attempt sends it.
    now : datetime
        The time, with its zone.

    Raises
    ------
    TerminalError
        When no mail with this Message-ID is in doubt, or it has changed meanwhile.
    """
    wanted = f"<{message.strip('<> ')}>"
    row = next((one for one in read_ledger(warehouse) if one["message_id"] == wanted), None)
    if row is None or row["state"] != "sending":
        found = f"it is {row['state']}" if row else "there is none"
        raise TerminalError(
            f"No mail with Message-ID {wanted} is in doubt: {found}. See those that are with: "
            "python -m reclustering ledger doubt"
        )
    key = ListKey(row["as_of"], int(row["label"]), row["list_sha256"].strip())
    delivery = Delivery(
        key.sha256, row["recipient"], row["state"], int(row["attempts"]) - 1, row["message_id"]
    )
    cleared = Ledger(warehouse, key, run_id=row["run_id"], clock=lambda: now).settle(
        delivery,
        state="sent" if arrived else "pending",
        detail=f"a person found out that it has {'' if arrived else 'not '}arrived",
    )
    if not cleared:
        raise TerminalError(
            f"The mail with Message-ID {wanted} has changed in the ledger a moment ago, and was left as it "
            "is. Look at it again: python -m reclustering ledger all"
        )


def take_back(session: Session, as_of: date, *, now: datetime) -> int:
    """Note that a day was taken back, so that no later list is compared with its; give how many rows.

    What was sent stays on record.
    """
    return session.execute("delivery/take_back", {"as_of": as_of, "now": now.replace(tzinfo=None)})


def _deliveries(session: Session, key: ListKey) -> list[Delivery]:
    rows = session.query("delivery/deliveries", {"as_of": key.as_of, "label": key.label})
    return [
        Delivery(
            row["list_sha256"].strip(),
            row["recipient"],
            row["state"],
            int(row["attempts"]),
            row["message_id"],
            row["detail"],
            row["changed_at"],
        )
        for row in rows
    ]
