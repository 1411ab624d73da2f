"""What `make run` shows at its end."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from upath import UPath

from quickstart.environment import PROJECT
from quickstart.sample_store import TUTORIAL
from reclustering.core.contracts import (
    FEATURES,
    REPORT,
    TARGET_LIST,
    TARGET_LIST_SPREADSHEET,
)
from reclustering.core.run import folder_name
from reclustering.report.view import RunView, read_run
from reclustering.report.words import count


def print_report(
    console: Console,
    artifacts: UPath,
    run_id: str,
    *,
    compare_with_tutorial: bool,
    outbox: Path | None,
) -> None:
    """Print the clusters, the k, the list and where everything is."""
    folders = (day / folder_name(run_id) for day in artifacts.iterdir())
    folder = next(one for one in folders if one.exists())
    view = read_run(folder)
    if view is None or view.elbow is None:
        raise RuntimeError(f"A run that has succeeded has left no files in {folder}.")
    console.print()
    if view.preview:
        console.print("PREVIEW: nothing was published, and nobody was mailed.\n", style="bold")
    for one in view.findings:
        found = f"A guard found: {one['problem']}. {one['became']}\n"
        console.print(found, highlight=False, markup=False)
    console.print(_cluster_table(view, compare_with_tutorial=compare_with_tutorial))
    descriptions = Table.grid(padding=(0, 2))
    for one in view.table:
        descriptions.add_row(str(one["label"]), one["description"])
    console.print(descriptions)
    console.print(f"\n{view.elbow['reason']} {view.elbow['disagreement']}", highlight=False)
    console.print(f"{view.list_size} {view.left_out}", highlight=False)
    console.print(f"{view.delivery_sentence}\n", highlight=False, markup=False)
    spreadsheet = folder / TARGET_LIST_SPREADSHEET
    places: dict[str, Path | UPath] = {
        "Report": folder / REPORT,
        "Target list": spreadsheet if spreadsheet.exists() else folder / TARGET_LIST,
    }
    if outbox is not None:
        places["Mails"] = outbox
    for label, path in places.items():
        console.print(f"{label:<13} {_shown(path)}", highlight=False, soft_wrap=True)


def _cluster_table(view: RunView, *, compare_with_tutorial: bool) -> Table:
    customers = sum(one["size"] for one in view.table)
    table = Table(
        title=f"{count(customers)} as of {view.as_of}", box=box.SIMPLE_HEAD, padding=(0, 1)
    )
    for column in ("label", "customers", *FEATURES):
        table.add_column(column, justify="right", no_wrap=True)
    tutorial = dict(enumerate(map(asdict, TUTORIAL))) if compare_with_tutorial else {}
    for one in view.table:
        table.add_row(str(one["label"]), *_formatted(one))
        if one["label"] in tutorial:
            table.add_row("tutorial", *_formatted(tutorial[one["label"]]), style="dim")
    return table


def _formatted(cluster: dict[str, Any]) -> list[str]:
    return [f"{cluster['size']:,}", *(f"{cluster[name]:.6f}" for name in FEATURES)]


def _shown(path: Path | UPath) -> str:
    return str(path).removeprefix(f"{PROJECT}/")
