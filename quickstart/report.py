"""What `make run` shows at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from upath import UPath

from quickstart.environment import PROJECT
from quickstart.sample_store import TUTORIAL
from reclustering.clustering.profile import cluster_table
from reclustering.core.artifacts import read_json
from reclustering.core.contracts import (
    EXCLUSIONS,
    FEATURES,
    TARGET_LIST,
    TARGET_LIST_SPREADSHEET,
)
from reclustering.core.run import folder_name


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
    features, elbow, clusters, target_list, delivery = (
        read_json(folder / f"{name}.json")
        for name in ("features", "elbow", "clusters", "target_list", "delivery")
    )
    console.print()
    if target_list["preview"]:
        console.print("PREVIEW: nothing was published, and nobody was mailed.\n", style="bold")
    for one in [*target_list["overrides"], *target_list["findings"]]:
        console.print(f"A guard found: {one['problem']}.\n", highlight=False, markup=False)
    console.print(_cluster_table(clusters, features, compare_with_tutorial=compare_with_tutorial))
    descriptions = Table.grid(padding=(0, 2))
    for one in clusters["clusters"]:
        descriptions.add_row(str(one["label"]), one["description"])
    console.print(descriptions)
    console.print(f"\n{elbow['reason']} {elbow['disagreement']}", highlight=False)
    console.print(_list_sentence(target_list), highlight=False)
    console.print(f"{delivery['summary']}\n", highlight=False, markup=False)
    spreadsheet = target_list["spreadsheet_sha256"]
    places: dict[str, Path | UPath] = {
        "Elbow plot": folder / "elbow.png",
        "Cluster plot": folder / "clusters.png",
        "Target list": folder / (TARGET_LIST_SPREADSHEET if spreadsheet else TARGET_LIST),
    }
    if outbox is not None:
        places["Mails"] = outbox
    for label, path in places.items():
        console.print(f"{label:<13} {_shown(path)}", highlight=False, soft_wrap=True)


def _cluster_table(
    clusters: dict[str, Any], features: dict[str, Any], *, compare_with_tutorial: bool
) -> Table:
    table = Table(
        title=f"{features['customers']:,} customers as of {features['as_of']}",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
    )
    for column in ("label", "customers", *FEATURES):
        table.add_column(column, justify="right", no_wrap=True)
    ours, tutorial = (_formatted(one) for one in (cluster_table(clusters), pd.DataFrame(TUTORIAL)))
    for label in range(len(ours)):
        table.add_row(str(label), *ours[label])
        if compare_with_tutorial and label < len(tutorial):
            table.add_row("tutorial", *tutorial[label], style="dim")
    return table


def _formatted(clusters: pd.DataFrame) -> list[list[str]]:
    sizes = clusters["size"].map("{:,}".format)
    return (
        pd.concat([sizes, clusters[[*FEATURES]].map("{:.6f}".format)], axis=1).to_numpy().tolist()
    )


def _list_sentence(target_list: dict[str, Any]) -> str:
    excluded = ", ".join(
        f"{count:,} ({EXCLUSIONS[reason]})"
        for reason, count in target_list["excluded"].items()
        if count
    )
    return (
        f"The target list has {target_list['customers']:,} of the {target_list['cluster_size']:,} "
        f"customers of label {target_list['label']}. Left out: {excluded or 'nobody'}."
    )


def _shown(path: Path | UPath) -> str:
    return str(path).removeprefix(f"{PROJECT}/")
