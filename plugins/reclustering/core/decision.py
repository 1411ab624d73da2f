"""What a person decides: whether a fit may be published, or a list mailed, that a guard speaks against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Subject = Literal["fit", "list"]

Verdict = Literal["approved", "rejected"]

How = Literal["answer", "no_answer", "accept_change", "release"]
"""How it came about: a person answered the run's question; nobody did in time; the run was started with
`accept_change`; a person released a list that was held."""

CHECKED: Mapping[Subject, str] = {"fit": "fit_check", "list": "target_list"}
"""The JSON file, without its ending, that says what was found about each."""


@dataclass(frozen=True)
class Matter:
    """What exactly is decided on; if any of this is another, it is another question.

    Attributes
    ----------
    subject : Subject
        What kind of thing.
    as_of : str
        Its day, ISO.
    label : int
        The label whose customers are to be listed.
    sha256 : str
        Hash of the fit's `clusters.json`, or of the list.
    """

    subject: Subject
    as_of: str
    label: int
    sha256: str


@dataclass(frozen=True)
class Decision:
    """What was decided, by whom, and when.

    Attributes
    ----------
    matter : Matter
        On what.
    verdict : Verdict
        The decision.
    how : How
        How it came about.
    by : str or None
        The name of who decided, as Airflow has it; None if nobody did, or Airflow does not know.
    at : str
        The time, ISO, UTC.
    """

    matter: Matter
    verdict: Verdict
    how: How
    by: str | None
    at: str

    @property
    def approved(self) -> bool:
        """Whether it may go on."""
        return self.verdict == "approved"

    @property
    def releases(self) -> bool:
        """Whether somebody has said of this very list that it may go out, though it be held."""
        return self.approved and self.how in {"answer", "release"}


def matter_of(subject: Subject, found: Mapping[str, Any]) -> Matter:
    """Give the matter from the content of the file that `CHECKED` names."""
    return Matter(subject, found["as_of"], found["label"], found["sha256"])


def decision_name(subject: Subject) -> str:
    """Give the name of the JSON file, without its ending, in which a decision is left."""
    return f"{subject}_decision"


def to_json(decision: Decision) -> dict[str, Any]:
    """Give a decision as it is left in its file."""
    said = {"verdict": decision.verdict, "how": decision.how, "by": decision.by, "at": decision.at}
    return asdict(decision.matter) | said


def from_json(content: Mapping[str, Any]) -> Decision:
    """Read what `to_json` gave."""
    return Decision(
        matter_of(content["subject"], content),
        content["verdict"],
        content["how"],
        content["by"],
        content["at"],
    )
