"""What happens when a task fails: a retry where one can help, else an alert."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

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
