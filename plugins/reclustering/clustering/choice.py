"""Which k to use: what was published is kept, until the evidence for another lasts, or a person says so.

People act on "cluster 0", so what it means must not change from night to night. Customers far from
all others come and go; what is kept is the number of groups that the rest form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

DEFAULT_GROUPS = 4
"""The tutorial's k: used when nothing was published before and no number of groups is clear."""


@dataclass(frozen=True)
class Published:
    """What an earlier run of the same settings published.

    Attributes
    ----------
    as_of : str
        Its day, ISO.
    k : int
        How many clusters it made.
    groups : int
        How many of them are groups; the others are customers far from all others.
    clear : int or None
        How many the evidence of that day spoke for.
    """

    as_of: str
    k: int
    groups: int
    clear: int | None


@dataclass(frozen=True)
class Choice:
    """A number of groups, and how it came about.

    Attributes
    ----------
    groups : int
    method : str
        "fixed" (by the parameter), "clear" (first run), "kept", "replaced" or "default".
    since : str or None
        The first of the days in a row, ending with this run's, whose evidence was this run's; None
        if it is this run's own day.
    in_a_row : int
        How many days those are.
    """

    groups: int
    method: str
    since: str | None
    in_a_row: int


def choose_groups(
    clear: int | None,
    history: Sequence[Published],
    *,
    fixed: int | None,
    patience: int,
) -> Choice:
    """Choose the number of groups.

    Parameters
    ----------
    clear : int or None
        For how many groups the evidence of this run speaks.
    history : sequence of Published
        Earlier runs, newest first.
    fixed : int or None
        What a person has asked for.
    patience : int
        How many days in a row the evidence must speak for another number, at least 1.
    """
    alike = list(takewhile(lambda one: one.clear == clear, history))
    since, in_a_row = (alike[-1].as_of if alike else None), len(alike) + 1
    if fixed is not None:
        groups, method = fixed, "fixed"
    elif not history:
        groups, method = (clear, "clear") if clear else (DEFAULT_GROUPS, "default")
    elif clear not in (None, history[0].groups) and in_a_row >= patience:
        groups, method = clear, "replaced"
    else:
        groups, method = history[0].groups, "kept"
    return Choice(groups, method, since, in_a_row)
