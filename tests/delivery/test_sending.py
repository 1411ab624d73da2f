"""What the task says when somebody does not have the list."""

from __future__ import annotations

from datetime import date

import pytest

from reclustering.core.errors import TerminalError, TransientError
from reclustering.delivery.ledger import ListKey
from reclustering.delivery.sending import Result, raise_for, summarise


def results(*outcomes):
    return [Result(f"{i}@example.com", one, "<id>", "why") for i, one in enumerate(outcomes)]


def test_everybody_has_it():
    raise_for(results("sent", "already_sent", "held"))


def test_who_has_it_is_counted():
    with pytest.raises(TransientError, match=r"^2 of 4 recipients have the target list"):
        raise_for(results("sent", "already_sent", "failed", "refused"))
    with pytest.raises(TerminalError, match=r"^1 of 3 recipients have the target list"):
        raise_for(results("in_doubt", "sent", "refused"))


@pytest.mark.parametrize(
    ("outcome", "error"),
    [("failed", TransientError), ("refused", TerminalError), ("in_doubt", TerminalError)],
)
def test_only_what_may_pass_is_tried_again(outcome, error):
    with pytest.raises(error, match=r"^0 of 1 recipients have .*0@example\.com"):
        raise_for(results(outcome))


LIST = {"customers": 4, "preview": False, "findings": []}


def test_the_outcomes_are_counted_and_said():
    key = ListKey(date(2024, 1, 1), 0, "ab")
    said = summarise(results("sent", "sent", "already_sent", "refused"), key, LIST)
    assert said["outcomes"] == {
        "sent": 2,
        "left": 0,
        "already_sent": 1,
        "unchanged": 0,
        "held": 0,
        "in_doubt": 0,
        "unrecorded": 0,
        "refused": 1,
        "failed": 0,
    }
    assert said["summary"] == (
        "The list was mailed to 2 recipients. The list was mailed before to 1 recipient, who did not "
        "get it again. The mail to 1 recipient was refused."
    )
