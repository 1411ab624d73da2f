"""The two kinds of failure: worth a retry, or not.

Airflow's retry policy (`orchestration.failure`) looks at the type alone: a `TransientError` is retried,
a `TerminalError` fails the task at once. Messages are for the person who is paged: the offending
value, what was expected, what to do.
"""

from __future__ import annotations

import re


class TransientError(Exception):
    """The same attempt may succeed later: a lock, a timeout, a lost connection."""


class TerminalError(Exception):
    """No retry will help until a person changes the data, the configuration or a parameter."""


class BadInputError(TerminalError):
    """The data or a parameter breaks the contract of the step that read it."""


def without_addresses(text: str) -> str:
    """Hide e-mail addresses in what others say: a server or a driver may quote customers' data."""
    return re.sub(r"[^\s<>,;:\"']+@[^\s<>,;:\"']+", "(address)", " ".join(text.split()))
