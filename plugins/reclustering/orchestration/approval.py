"""Ask a person in Airflow's UI, where a guard has something to say; otherwise go on.

The task waits without a worker. What it asks about, and no other, is what an answer counts for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from getpass import getuser
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context
from airflow.sdk.api.datamodels._generated import HITLUser
from airflow.sdk.exceptions import TaskAwaitingInput
from airflow.sdk.execution_time.comms import CreateHITLDetailPayload, HITLDetailRequestResult

from reclustering.core.decision import Decision, Matter, Subject
from reclustering.core.errors import BadInputError, TerminalError, TransientError
from reclustering.core.guards import problems
from reclustering.core.run import Run
from reclustering.decision.question import Question, ask_about
from reclustering.decision.record import (
    find_decision,
    leave_decision,
    read_findings,
    record_decision,
)
from reclustering.orchestration.alert_channels import alert_recipients, send_alert
from reclustering.orchestration.failure import explained
from reclustering.orchestration.params import run_params
from reclustering.orchestration.runs import current_run, why_held
from reclustering.orchestration.variables import answer_within, deciders
from reclustering.report.words import decided
from reclustering.warehouse import connect

log = logging.getLogger(__name__)

APPROVE, REJECT = "Approve", "Reject"

Findings = list[dict[str, str]]


class ApprovalOperator(HITLOperator):
    """Let the run go on if no guard speaks against it, or a person has approved.

    Parameters
    ----------
    about : Subject
        What is to be approved.
    limit : timedelta
        For asking, and for writing down the answer; not for waiting in between.
    **options
        Others of Airflow's task.
    """

    template_fields: Collection[str] = ()

    ask_here: Callable[[Question], str | None] | None = None
    """Where there is no Airflow that could ask: gives `APPROVE` or `REJECT`, or None if nobody is there."""

    def __init__(self, *, about: Subject, limit: timedelta, **options: Any) -> None:
        super().__init__(
            subject=f"Approve the {about}?",
            options=[APPROVE, REJECT],
            defaults=REJECT,
            execution_timeout=limit,
            # What counts is what the Variable says when it is asked.
            response_timeout=timedelta(days=1),
            # Airflow takes a task for killed that is answered before it has noticed that it waits. It then
            # asks again: soon, for somebody is there.
            retry_delay=timedelta(seconds=30),
            **options,
        )
        self._about = about
        self._limit = limit

    def execute(self, context: Context) -> dict[str, Any]:
        """Go on, or ask."""
        return explained(self._go_on_or_ask, self._limit)(context)

    def execute_complete(
        self, context: Context, event: dict[str, Any], matter: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Take the answer to the question about `matter`."""
        asked = Matter(**(matter or {}))
        return explained(self._take_answer, self._limit)(context, asked, event)

    def _go_on_or_ask(self, context: Context) -> dict[str, Any]:
        run, params = current_run(context), run_params(context)
        matter, findings = read_findings(run, self._about)
        earlier = find_decision(run, matter)
        if earlier and earlier.approved:
            # By an attempt that was killed, or by whoever released the list.
            return _keep(run, earlier, findings)
        if not findings:
            log.info("There is nothing to decide on.")
            return {"asked": False}
        if run.preview or (self._about == "list" and why_held(context, run)):
            log.info("Nothing comes of it, so nobody is asked: %s.", problems(findings))
            return {"asked": False}
        if params["accept_change"]:
            starter = getattr(context["dag_run"], "triggering_user_name", None)
            decision = Decision(matter, "approved", "accept_change", starter, _now())
            return _keep(run, decision, findings)
        question = ask_about(run, matter, findings, within=answer_within())
        if self.ask_here:
            return self._ask_here(context, question)
        return self._ask(context, question)

    def _ask(self, context: Context, question: Question) -> dict[str, Any]:
        """Put the question into Airflow's UI, tell those who may answer, and end until they have."""
        # Only where tasks run is there a supervisor to talk to.
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        may_answer, within = deciders(), answer_within()
        body = f"{question.body}\n\n{question.terms}"
        shown = SUPERVISOR_COMMS.send(
            CreateHITLDetailPayload(
                ti_id=context["ti"].id,
                options=self.options,
                subject=question.title,
                body=body,
                defaults=self.defaults,
                multiple=False,
                params={},
                assigned_users=[HITLUser(id=user, name=user) for user in may_answer],
            )
        )
        if not isinstance(shown, HITLDetailRequestResult) or shown.body != body:
            raise TerminalError(
                f"Airflow still shows an earlier question of this task, which was cleared while its run was "
                f"under way: '{shown.subject if isinstance(shown, HITLDetailRequestResult) else shown}'. "
                f"Clear {self.task_id} once more, now that the run has ended."
            )
        page = (
            f"{context['ti'].log_url.partition('/tasks/')[0]}/tasks/{self.task_id}/required_actions"
        )
        send_alert(
            f"{self.dag_id} asks: {context['run_id']}",
            f"{question.title} {question.problem}\n\nApprove or reject: {page}\n"
            f"The run: {current_run(context).url}\n"
            f"Without an answer by {datetime.now(UTC) + within:%d %B %Y, %H:%M} UTC it is rejected.\n",
            to=lambda: [*may_answer.values()] or alert_recipients(),
        )
        log.info("%s %s It waits for an answer.", question.title, question.problem)
        raise TaskAwaitingInput(
            method_name="execute_complete",
            kwargs={"matter": vars(question.matter)},
            timeout=within,
        )

    def _ask_here(self, context: Context, question: Question) -> dict[str, Any]:
        answer = self.ask_here(question) if self.ask_here else None
        if answer is None:
            raise TerminalError(
                f"{question.title} {question.problem} There is nobody here to ask. If this is right, run it "
                "with accept_change=true, or at a terminal."
            )
        event = {"chosen_options": [answer], "responded_by_user": {"name": getuser()}}
        return self._take_answer(context, question.matter, event)

    def _take_answer(
        self, context: Context, asked: Matter, event: dict[str, Any]
    ) -> dict[str, Any]:
        run = current_run(context)
        matter, findings = read_findings(run, self._about)
        user = event.get("responded_by_user") or {}
        approved = event["chosen_options"] == [APPROVE]
        at = event.get("responded_at")
        decision = Decision(
            asked,
            "approved" if approved else "rejected",
            "no_answer" if event.get("timedout") else "answer",
            user.get("name") or user.get("id"),
            at.astimezone(UTC).isoformat(timespec="seconds") if at else _now(),
        )
        if not approved:
            raise _rejected(run, decision, findings, task=self.task_id)
        kept = _keep(run, decision, findings)
        if matter != asked:
            raise BadInputError(
                f"What was approved ({asked.subject} {asked.sha256[:12]}, label {asked.label}) is not what "
                f"is there now ({matter.sha256[:12]}, label {matter.label}). Clear {self.task_id}, and the "
                "tasks after it, to be asked anew."
            )
        return kept


def _keep(run: Run, decision: Decision, findings: Findings) -> dict[str, Any]:
    """Put a decision on record, in the files first: an attempt that dies in between finds it there."""
    leave_decision(run, decision)
    record_decision(connect(), run, decision, findings)
    log.info("%s", decided(decision))
    return {"asked": True, "verdict": decision.verdict, "by": decision.by, "at": decision.at}


def _rejected(run: Run, decision: Decision, findings: Findings, *, task: str) -> TerminalError:
    said = f"{decided(decision).rstrip('.')}: {problems(findings)}. "
    said += (
        "Nothing was published." if decision.matter.subject == "fit" else "The list was not mailed."
    )
    said += f" To be asked once more, clear {task}, and the tasks after it."
    try:
        _keep(run, decision, findings)
    except TransientError as error:
        # A retry would ask what has been answered.
        said += f" The decision could not be written into the warehouse: {error}"
    return TerminalError(said)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
