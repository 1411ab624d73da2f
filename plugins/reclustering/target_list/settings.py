"""Who of those who could be written to is not, for marketing's own reasons."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ListSettings:
    """What people have set about the list.

    Attributes
    ----------
    holdout : float
        Share, from 0 to below 1, of customers who are kept off every list, to see what the mails bring about.
    salt : str
        Another one draws another group of them.
    cool_off : int
        Days after a mailed list on which its customers are on none; 0 for no such days.
    """

    holdout: float = 0.0
    salt: str = ""
    cool_off: int = 0
