"""Decisions on record: in the run's files, which the tasks obey, and in the warehouse, for good."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from reclustering.core.artifacts import find_json, read_json, write_json
from reclustering.core.decision import (
    CHECKED,
    Decision,
    Matter,
    Subject,
    decision_name,
    from_json,
    matter_of,
    to_json,
)
from reclustering.core.errors import BadInputError
from reclustering.core.guards import problems
from reclustering.core.protocols import Warehouse
from reclustering.core.run import Run


def read_findings(run: Run, subject: Subject) -> tuple[Matter, list[dict[str, str]]]:
    """Read what there is to decide on, and what guards have said of it.

    Raises
    ------
    BadInputError
        When the task that judges it has not run.
    """
    found = read_json(run.path(f"{CHECKED[subject]}.json"))
    return matter_of(subject, found), found["findings"]


def leave_decision(run: Run, decision: Decision) -> None:
    """Leave a decision among the run's files, in place of an earlier one."""
    write_json(run.path(f"{decision_name(decision.matter.subject)}.json"), to_json(decision))


def find_decision(run: Run, matter: Matter) -> Decision | None:
    """Read what was decided on exactly this; what was decided on anything else does not count."""
    content = find_json(run.path(f"{decision_name(matter.subject)}.json"))
    decision = from_json(content) if content else None
    return decision if decision and decision.matter == matter else None


def record_decision(
    warehouse: Warehouse, run: Run, decision: Decision, findings: list[dict[str, str]]
) -> None:
    """Write a decision into `dbo.clustering_decisions`, once.

    Parameters
    ----------
    warehouse : Warehouse
        Where the table is.
    run : Run
        The run that it was made for.
    decision : Decision
        The decision.
    findings : list of dict
        What the guards had said. Their names are kept; their sentences may name customers.
    """
    matter = decision.matter
    at = datetime.fromisoformat(decision.at).replace(tzinfo=None, microsecond=0)
    row: dict[str, Any] = {
        "as_of": run.as_of,
        "run_id": run.run_id,
        "subject": matter.subject,
        "label": matter.label,
        "sha256": matter.sha256,
        "verdict": decision.verdict,
        "how": decision.how,
        "decided_by": (decision.by or "")[:250],
        "decided_at": at,
        "guards": ", ".join(dict.fromkeys(one["guard"] for one in findings))[:250],
    }
    with warehouse.transaction(lock=f"clustering_decisions/{run.as_of}") as session:
        session.execute("decision/insert_decision", row)


def require_approved(run: Run, subject: Subject, *, task: str) -> None:
    """Refuse what a guard speaks against, unless a person has approved exactly this.

    Parameters
    ----------
    run : Run
        The run.
    subject : Subject
        What is about to be published or mailed.
    task : str
        The task that asks.

    Raises
    ------
    BadInputError
        With every problem.
    """
    matter, findings = read_findings(run, subject)
    decision = find_decision(run, matter)
    if findings and not (decision and decision.approved):
        raise BadInputError(
            f"The {subject} of {run.as_of} is not approved, and guards speak against it: "
            f"{problems(findings)}. Clear {task}, and the tasks after it, to be asked."
        )
