"""What happens when a task fails: a sentence in its log, and a retry where one can help."""

from __future__ import annotations

import errno
import faulthandler
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import wraps
from typing import Any

from airflow.sdk import (
    Asset,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowException, AirflowTaskTimeout

from reclustering.core.errors import TerminalError, TransientError, without_addresses
from reclustering.orchestration.lineage import reported

log = logging.getLogger(__name__)

FAILURE = "failure"
"""The XCom in which an attempt that fails says why."""


class _Ended(SystemExit):
    """Ends a task whose log has said everything: Airflow logs a traceback of every other exception."""

    def __init__(self, sentence: str) -> None:
        super().__init__(1)
        self._sentence = sentence

    def __str__(self) -> str:
        return self._sentence


class EndedForNow(_Ended):
    """A retry may help."""


class EndedForGood(_Ended):
    """No retry will."""


class UnexpectedError(TerminalError):
    """What is wrong can only be seen in the traceback."""


RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=[TerminalError, EndedForGood], action=RetryAction.FAIL),
        RetryRule(exception=[TransientError, EndedForNow], action=RetryAction.RETRY),
    ]
)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "marketing-analytics",
    "retries": 3,
    "retry_delay": timedelta(minutes=5),
    "retry_exponential_backoff": 2,
    "retry_policy": RETRY_POLICY,
}
"""The `default_args` of every DAG."""

GRACE = timedelta(minutes=1)
"""After its limit, before a task's process is ended."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_PASSING = {
    *(errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    *(errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ESTALE),
}


def step(
    limit: timedelta, *, inlets: Sequence[Asset] = (), **options: Any
) -> Callable[[Callable[..., dict[str, Any]]], Any]:
    """Make a task of a function whose every failure is one of the two kinds, and whose time has a bound.

    It has one XCom: `multiple_outputs` would push every key of its dict apart.

    Parameters
    ----------
    limit : timedelta
        After which it fails. What it waits for has shorter limits of its own, so no retry is made.
    inlets : sequence of Asset
        The tables that it reads.
    **options
        Others of Airflow's task, such as `outlets`.
    """

    def make(body: Callable[..., dict[str, Any]]) -> Any:
        bounded = explained(body, limit, inlets)
        return task(multiple_outputs=False, execution_timeout=limit, inlets=[*inlets], **options)(
            bounded
        )

    return make


def explained(
    body: Callable[..., dict[str, Any]], limit: timedelta, inlets: Sequence[Asset] = ()
) -> Callable[..., dict[str, Any]]:
    """Give a task's body whose every failure is one of the two kinds, and which ends at its limit."""

    @wraps(body)
    def bounded(*args: Any, **context: Any) -> dict[str, Any]:
        try:
            with _ended_after(limit + GRACE), reported(inlets):
                return body(*args, **context)
        except Exception as error:
            failure = explain(error)
            _say(failure)
            if isinstance(failure, UnexpectedError):
                raise failure from error
            ended = EndedForGood if isinstance(failure, TerminalError) else EndedForNow
            raise ended(str(failure)) from None
        except AirflowTaskTimeout as error:
            late = UnexpectedError(
                f"{body.__name__} took longer than {limit}, which is its limit. See in the log what it "
                "was at, and whether the warehouse or mail server is slow today; then clear it."
            )
            _say(late)
            raise late from error

    return bounded


def _say(failure: TransientError | TerminalError) -> None:
    """Write why this attempt failed into the log, and where the alert looks for it."""
    log.error("%s", failure)
    # Without Airflow, as a person at a prompt runs a task, there is nowhere else to say it.
    with suppress(Exception):
        get_current_context()["ti"].xcom_push(FAILURE, str(failure))


@contextmanager
def _ended_after(limit: timedelta) -> Iterator[None]:
    """End this process at the limit: Airflow's own time-out never comes to a call that does not return."""
    faulthandler.dump_traceback_later(limit.total_seconds(), exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def explain(error: Exception) -> TransientError | TerminalError:
    """Say of any error whether a retry can help, and what to do; the two kinds are left as they are."""
    if isinstance(error, (TransientError, TerminalError)):
        return error
    text = f"{type(error).__name__}: {without_addresses(str(error)).rstrip('.')}."
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL or "No space left on device" in text:
        return TransientError(
            f"{text} Make room on that disk; nothing that was published is lost, and the next attempt begins "
            "this task anew."
        )
    if isinstance(error, MemoryError):
        return TransientError(
            f"{text} This machine was out of memory. The next attempt may find more; otherwise give the "
            "worker more."
        )
    if number in _PASSING or isinstance(error, (ConnectionError, TimeoutError, AirflowException)):
        return TransientError(f"{text} The next attempt may succeed.")
    if isinstance(error, OSError):
        return TerminalError(
            f"{text} Correct the path, or its rights, then clear this task and those after it."
        )
    return UnexpectedError(
        f"{text} The pipeline does not expect this, so no retry is made. The traceback says where it came "
        "from: correct the data or the setting that it names, or report it with the log. Then clear this "
        "task."
    )
