"""The question that a run asks: what guards have said, what was before and would be after, what follows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from reclustering.core.artifacts import read_json
from reclustering.core.decision import Matter
from reclustering.core.guards import problems
from reclustering.core.run import Run
from reclustering.report.words import count, day

Row = tuple[str, int | None, int | None]
"""What it is, how many before, how many after."""


@dataclass(frozen=True)
class Question:
    """What a person is asked.

    Attributes
    ----------
    matter : Matter
        What exactly is decided on.
    title : str
        The question in one line.
    problem : str
        What guards have said, in one sentence.
    body : str
        All that there is to know before answering, in Markdown.
    terms : str
        By when, and for what, the answer counts; and where there is more to see. Markdown.
    """

    matter: Matter
    title: str
    problem: str
    body: str
    terms: str


def ask_about(
    run: Run, matter: Matter, findings: Sequence[dict[str, str]], *, within: timedelta
) -> Question:
    """Put the question about a fit or a list into words.

    Parameters
    ----------
    run : Run
        Whose files say what was before and would be after.
    matter : Matter
        What is decided on.
    findings : sequence of dict
        What guards have said, each as `guard` and `problem`.
    within : timedelta
        How long there is to answer.
    """
    when = day(run.as_of)
    if matter.subject == "fit":
        title = f"Publish the clusters of {when}?"
        follows = (
            "**Approve**: they are published, and the list is built from them. **Reject**: nothing is "
            "published, and the run ends as failed."
        )
        before, rows = _of_fit(read_json(run.path("clusters.json")))
    else:
        title = f"Mail the target list of {when}?"
        follows = (
            "**Approve**: it is mailed to marketing. **Reject**: nobody is mailed, and the run ends as "
            "failed. The clusters are published already."
        )
        before, rows = _of_list(read_json(run.path("target_list.json")))
    said = "\n".join(f"- **{_plain(one['guard'])}**: {_plain(one['problem'])}" for one in findings)
    terms = [
        f"Without an answer within {_hours(within)} it is rejected.",
        f"The answer counts for this {matter.subject} alone: `{matter.sha256}`, label {matter.label}.",
    ]
    if run.url:
        terms.append(f"[The run with its plots and tables]({run.url})")
    return Question(
        matter,
        title,
        f"{problems(findings)}.",
        "\n\n".join([said, _table(before, run.as_of, rows), follows]),
        "\n\n".join(terms),
    )


def _of_fit(clusters: dict[str, Any]) -> tuple[str, list[Row]]:
    """Give the day before, and both days' figures, each cluster beside the one taken for the same."""
    changes, sizes = clusters["continuity"], [one["size"] for one in clusters["clusters"]]
    if changes["first_run"]:
        return "", [
            ("clusters", None, clusters["k"]),
            ("customers", None, clusters["rows"]),
            *((f"label {label}", None, size) for label, size in enumerate(sizes)),
        ]
    earlier = [
        sum(now) + left for now, left in zip(changes["migration"], changes["left"], strict=True)
    ]
    same = {pair["label"]: pair["previous"] for pair in changes["pairs"]}
    return changes["previous"]["as_of"], [
        ("clusters", changes["previous"]["k"], clusters["k"]),
        ("customers", sum(earlier), clusters["rows"]),
        *(
            (f"label {label}", earlier[same[label]] if label in same else None, size)
            for label, size in enumerate(sizes)
        ),
        *(
            (f"label {label} of before", earlier[label], None)
            for label in changes["unpaired_previous"]
        ),
    ]


def _of_list(built: dict[str, Any]) -> tuple[str, list[Row]]:
    change = built["previous"]
    listed, audience = built["customers"], built["audience"]
    if change is None:
        return "", [("on the list", None, listed)]
    kept_off = audience > listed
    return change["as_of"], [
        *([("on the list", None, listed)] if kept_off else []),
        (
            "on the list, resting or held out" if kept_off else "on the list",
            change["customers"],
            audience,
        ),
        ("added", None, change["added"]),
        ("gone", change["gone"], None),
    ]


def _table(before: str, as_of: date, rows: Iterable[Row]) -> str:
    return "\n".join(
        [
            f"| | {before or 'before'} | {as_of} |",
            "|---|---:|---:|",
            *(f"| {name} | {_number(one)} | {_number(other)} |" for name, one, other in rows),
        ]
    )


def _number(n: int | None) -> str:
    return "–" if n is None else f"{n:,}"  # noqa: RUF001


def _hours(within: timedelta) -> str:
    minutes = round(within.total_seconds() / 60)
    return count(minutes // 60, "hour") if minutes % 60 == 0 else count(minutes, "minute")


def _plain(text: str) -> str:
    """Give text that Markdown shows as it is: a name in it may come from anywhere."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", text)
