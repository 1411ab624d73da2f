"""How numbers and days are written for people, the same in mail, page and terminal."""

from __future__ import annotations

from datetime import date, datetime

from reclustering.core.decision import Decision


def number(value: float) -> str:
    """Give a count with commas, and anything else with one decimal."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def count(n: int, one: str = "customer") -> str:
    """Give `1 customer` or `2,000 customers`."""
    return f"{n:,} {one}" if n == 1 else f"{n:,} {one}s"


def percent(share: float) -> str:
    """Give a share in percent; what is small and not nothing is never 0%."""
    if share == 0 or share >= 0.0995:
        return f"{share:,.0%}"
    return "<0.1%" if share < 0.001 else f"{share:.1%}"


def day(value: date) -> str:
    """Give a day such as 5 January 2026."""
    return f"{value.day} {value:%B %Y}"


def decided(decision: Decision) -> str:
    """Say who decided what, and when."""
    at = datetime.fromisoformat(decision.at)
    when = f"{day(at.date())}, {at:%H:%M} UTC"
    if decision.how == "no_answer":
        return f"Rejected, for nobody had answered by {when}."
    who = decision.by or "somebody whom Airflow does not name"
    if decision.how == "accept_change":
        return f"Let pass by {who}, who had started the run with accept_change."
    verb = "Released" if decision.how == "release" else decision.verdict.capitalize()
    return f"{verb} by {who}, {when}."
