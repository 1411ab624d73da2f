"""Guards: what must hold before something is published, how far it may differ, and who lets it pass.

A guard looks and says what it found; nothing is published while one has something to say, unless a
person has looked too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What a guard has to say: its name, and a sentence with what was found and what was expected."""

    guard: str
    problem: str


@dataclass(frozen=True)
class Bounds:
    """How far a run may differ from what is expected of it. Shares go from 0 to 1.

    docs/guards.md says what each is for, and on which stores the defaults were tried.

    Attributes
    ----------
    max_sales_age, max_returns_age : int
        Days from the newest sale, and from the newest return, to as_of.
    min_recent : float
        Rows of the last day, and of the last week, as a share of what is usual.
    max_history_change : float
        Rows, and money, of earlier days that have come or gone since the last published run.
    max_undated : float
        Rows without a date that is known.
    max_quarantined : float
        Customers left out for impossible features.
    max_returners : float
        Customers of label 0 who have returned something. 1 where label 0 means "returned least".
    max_returners_change : float
        By how much that share may differ from the last published run's.
    max_groups_change : int
        By how much the number of groups may differ from the last published run's by itself.
    max_changed_cluster : float
        Customers who have changed cluster since the last published run.
    max_influence : float
        What one customer, or a few far from all others, may make up of the variance of all.
    max_list_change : float
        Customers added to and gone from the list, of those on the last one.
    max_opt_outs_lost : float
        Opt-outs lost, of those there were. People opt out; few opt in.
    """

    max_sales_age: int = 1
    max_returns_age: int = 7
    min_recent: float = 0.6
    max_history_change: float = 0.01
    max_undated: float = 0.05
    max_quarantined: float = 0.001
    max_returners: float = 0.05
    max_returners_change: float = 0.01
    max_groups_change: int = 0
    max_changed_cluster: float = 0.1
    max_influence: float = 0.7
    max_list_change: float = 0.25
    max_opt_outs_lost: float = 0.25


def as_said(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Give what guards have said as it is left in JSON, each as `guard` and `problem`."""
    return [{"guard": one.guard, "problem": one.problem} for one in findings]


def problems(said: Iterable[Mapping[str, str]]) -> str:
    """Give what guards have said, as `as_said` gives it, in one text without its full stop."""
    return "; ".join(one["problem"] for one in said)


def allowed(n: float, share: float) -> float:
    """Give how many of n a share is, and what chance adds to it where n is small."""
    return share * n + math.sqrt(n)
