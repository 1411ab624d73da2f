"""What whoever operates the pipeline is told: that a run has failed, and that a list is held.

These are callbacks of the DAG, not of its tasks: Airflow's DAG processor calls them when a run has ended,
however its tasks ended. A task that is killed calls nothing (apache/airflow#60858).
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import Context

from reclustering.orchestration.alert_channels import send_alert
from reclustering.orchestration.failure import FAILURE

log = logging.getLogger(__name__)

RUNBOOK = "What to do: docs/operations.md, or the DAG's own documentation at the top of its page."

KILLED = (
    "It ended without a word: its process was killed (out of memory, or its machine was lost), or it never "
    "started. See the end of its log, and the worker's and the scheduler's."
)


def alert_on_failure(context: Context) -> None:
    """Tell that a run has failed, where, and why.

    An `on_failure_callback` of a DAG.
    """
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    task_instance = context.get("ti")
    if task_instance is None:
        send_alert(
            f"{dag_id} failed: {run_id}",
            f"The run failed, and Airflow does not say at which task ({context['reason']}).\n\n{RUNBOOK}\n",
        )
        return
    task_id = task_instance.task_id
    send_alert(
        f"{dag_id} failed at {task_id}: {run_id}",
        f"{_reason(task_instance)}\n\nThe log: {task_instance.log_url}\n{RUNBOOK}\n",
    )


def _reason(task_instance: Any) -> str:
    try:
        said: str | None = task_instance.xcom_pull(task_ids=task_instance.task_id, key=FAILURE)
    except Exception as error:  # noqa: BLE001 (an alert without its reason is better than none)
        return f"Its reason cannot be read from here ({type(error).__name__}); see the log."
    return said or KILLED


def alert_when_held(context: Context) -> None:
    """Tell that a list was built and not mailed, unless nobody could expect it: a backfill, a preview.

    An `on_success_callback` of a DAG.
    """
    task_instance = context.get("ti")
    if task_instance is None or context["dag_run"].run_type == "backfill":
        return
    try:
        delivery: dict[str, Any] | None = task_instance.xcom_pull(task_ids="email_target_list")
    except Exception:  # noqa: BLE001 (whoever tests a DAG by hand sees it himself)
        log.warning("Whether the list is held cannot be read from here; see the run's last task.")
        return
    if delivery and delivery["held"]:
        send_alert(
            f"{context['dag'].dag_id} holds a list: {context['run_id']}",
            f"{delivery['summary']}\n\nIts files lie beside {delivery['path']}\n"
            f"The run: {task_instance.log_url.partition('/tasks/')[0]}\n{RUNBOOK}\n",
        )
