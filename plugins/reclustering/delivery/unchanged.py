"""A list that says nothing new to those who have the last one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from reclustering.delivery.ledger import Delivery, Ledger
from reclustering.report.words import day


@dataclass(frozen=True)
class Unchanged:
    """Why there is nothing new, and for whom.

    Attributes
    ----------
    because : str
        A sentence without its capital and its full stop.
    recipients : frozenset of str or None
        For whom; None means everybody.
    """

    because: str
    recipients: frozenset[str] | None = None

    def tells(self, delivery: Delivery) -> bool:
        """Tell whether this is all that there is to say to somebody who waits for a list."""
        waits = delivery.state == "pending"
        return waits and (self.recipients is None or delivery.recipient in self.recipients)


def find_unchanged(ledger: Ledger, built: dict[str, Any], *, again: bool) -> Unchanged:
    """Compare a list with what people have.

    Parameters
    ----------
    ledger : Ledger
        Of the list.
    built : dict
        The content of `target_list.json`.
    again : bool
        Whether those who have the same list are to get it once more: a person has released this one, or
        they have had a rest and are to be written to anew.
    """
    resting = built["customers"] == 0 and built["excluded"]["cool_off"]
    if resting and not ledger.corrects():
        return Unchanged("everybody who could be on the list was mailed a short while ago")
    if (same := built["same_as"]) and not again:
        as_of = date.fromisoformat(same["as_of"])
        return Unchanged(
            f"the list has the same customers, names and addresses as that of {day(as_of)}",
            frozenset(ledger.who_has_last(as_of, same["sha256"])),
        )
    return Unchanged("", frozenset())
