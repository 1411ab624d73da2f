"""Tell whoever operates the pipeline that a task has failed for good."""

from __future__ import annotations

from html import escape

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import Context, Variable


def alert_on_failure(context: Context) -> None:
    """Mail the reason of a failure to the Airflow Variable `alert_recipients`, if it is set.

    An `on_failure_callback`: Airflow calls it when no retry is left, and logs what goes wrong here.
    """
    recipients = Variable.get("alert_recipients", default=None)
    if not recipients:
        return
    task_instance = context["task_instance"]
    subject = f"{task_instance.dag_id}.{task_instance.task_id} failed in {task_instance.run_id}"
    reason = escape(str(context.get("exception") or "No reason is known; see the log."))
    link = escape(task_instance.log_url)
    SmtpNotifier(
        to=recipients,
        subject=subject,
        html_content=f'<p>{reason}</p><p><a href="{link}">The log</a></p>',
        smtp_conn_id="smtp_default",
    ).notify(context)
