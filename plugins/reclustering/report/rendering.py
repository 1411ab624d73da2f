"""A run as HTML: the body that the page in Airflow and the report among the run's files share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from reclustering.core.contracts import FEATURES
from reclustering.report import words
from reclustering.report.view import CRITERIA, RunView

STATIC = Path(__file__).parent / "static"

ASSETS: Mapping[str, str] = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "chart.umd.min.js": "text/javascript; charset=utf-8",
}
"""The files that a page needs, and their types."""


def render(template: str, **context: Any) -> str:
    """Render one of the templates."""
    return _templates().get_template(template).render(context)


def render_report(view: RunView) -> str:
    """Render a run as one HTML file that needs no other, and names no customer's address."""
    assets = {name: Markup(asset(name)) for name in ASSETS}  # noqa: S704 (our own files)
    return render("report.html.j2", view=view, assets=assets)


@cache
def asset(name: str) -> str:
    """Give the text of one of `ASSETS`."""
    return (STATIC / name).read_text(encoding="utf-8")


def chart_data(view: RunView) -> dict[str, Any]:
    """Give what the elbow chart draws."""
    elbow = view.elbow or {}
    return {
        "curve": view.curve,
        "k": elbow.get("k"),
        "previous": elbow.get("previous_k"),
        "criteria": CRITERIA,
    }


def as_json(value: Any) -> Markup:
    """Give JSON that can stand in a script element, whatever is in its strings."""
    text = json.dumps(value, allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 (no sign is left that HTML would read)


def environment(folder: Path) -> Environment:
    """Give what renders the templates of a folder, with numbers and days as they are written everywhere."""
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "count": words.count,
        "day": words.day,
        "number": words.number,
        "percent": words.percent,
    }
    return made


@cache
def _templates() -> Environment:
    made = environment(Path(__file__).parent / "templates")
    made.filters |= {"as_json": as_json, "figures": _figures}
    made.globals |= {"CRITERIA": CRITERIA, "FEATURES": FEATURES, "chart_data": chart_data}
    return made


def _figures(value: float | None) -> str:
    """Give four significant figures, with commas; a dash for none."""
    if value is None:
        return "–"  # noqa: RUF001
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.4g}"
