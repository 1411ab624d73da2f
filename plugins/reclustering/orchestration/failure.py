"""What happens when a task fails: a retry where one can help, else an alert."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, task
from airflow.sdk.exceptions import AirflowException

from reclustering.core.errors import TerminalError, TransientError, without_addresses
from reclustering.mail import alert_on_failure

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception="reclustering.core.errors.TerminalError", action=RetryAction.FAIL),
        RetryRule(exception="reclustering.core.errors.TransientError", action=RetryAction.RETRY),
    ]
)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "marketing-analytics",
    "retries": 3,
    "retry_delay": timedelta(minutes=5),
    "retry_exponential_backoff": 2,
    "retry_policy": RETRY_POLICY,
    "execution_timeout": timedelta(hours=2),
    "on_failure_callback": alert_on_failure,
}
"""The `default_args` of every DAG."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_PASSING = {
    *(errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    *(errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ESTALE),
}


def step(body: Callable[..., dict[str, Any]]) -> Any:
    """Make a task of a function whose every failure is one of the two kinds.

    It has one XCom: `multiple_outputs` would push every key of its dict apart.
    """

    @wraps(body)
    def explained(*args: Any, **context: Any) -> dict[str, Any]:
        try:
            return body(*args, **context)
        except (TransientError, TerminalError):
            raise
        except Exception as error:
            raise explain(error) from error

    return task(multiple_outputs=False)(explained)


def explain(error: Exception) -> TransientError | TerminalError:
    """Say of any other error whether a retry can help, and what to do."""
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
    return TerminalError(
        f"{text} The pipeline does not expect this, so no retry is made. The traceback says where it came "
        "from: correct the data or the setting that it names, or report it with the log. Then clear this "
        "task."
    )
