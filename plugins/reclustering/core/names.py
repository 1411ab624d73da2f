"""Names that people write: which are not known, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def unknown_names(given: Iterable[str], known: Iterable[str]) -> str:
    """Name those of `given` that are not known, each with the nearest that is; empty if all are."""
    expected = sorted(known)
    return ", ".join(
        f"'{name}'{_meant(name, expected)}" for name in sorted(set(given) - set(expected))
    )


def _meant(name: str, expected: list[str]) -> str:
    lower = {one.lower(): one for one in expected}
    near = get_close_matches(name.lower(), lower, n=1)
    return f" (did you mean {lower[near[0]]}?)" if near else ""
