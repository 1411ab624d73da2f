"""The two pictures of a run, for people who decide and for those who cannot see them.

What a picture shows is also told in words: `alt_text` in elbow.json and in clusters.json.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from reclustering.clustering.profile import cluster_table
from reclustering.core.contracts import FEATURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6E6E6E"
"""From the palette of M. Okabe and K. Ito, which any colour vision tells apart."""

TUTORIAL_K = 4

DWARFED = 20
"""Bars are drawn to a logarithmic scale if the longest is this many times the median one."""


def write_elbow_plot(elbow: dict[str, Any], out: Path) -> None:
    """Draw inertia and mean distance over k as a PNG, with the chosen k and the tutorial's.

    Parameters
    ----------
    elbow : dict
        The content of elbow.json.
    out : Path
        Where to write the PNG.
    """
    unit = "" if elbow["scaling"] == "none" else f", {elbow['scaling']} scaling"
    figure = _figure(8, 6.5)
    figure.suptitle(
        "\n".join(textwrap.wrap(f"How many clusters? {elbow['reason']}", 100)),
        x=0.01,
        ha="left",
        fontsize=11,
    )
    above, below = figure.subplots(2, 1, sharex=True)
    _curve(above, elbow, "inertia", f"inertia (sum of squared\ndistances to the centroid{unit})")
    _curve(below, elbow, "mean_distance", f"mean distance\nto the centroid{unit}")
    above.legend(frameon=False)
    below.set_xlabel("number of clusters k")
    below.set_xticks([point["k"] for point in elbow["curve"]])
    figure.savefig(out, format="png")


def write_clusters_plot(clusters: dict[str, Any], out: Path) -> None:
    """Draw the size and the mean features of each cluster as a PNG.

    Parameters
    ----------
    clusters : dict
        The content of clusters.json.
    out : Path
        Where to write the PNG.
    """
    table = cluster_table(clusters)
    figure = _figure(12, 1.9 + 0.55 * len(table))
    title = (
        f"{clusters['rows']:,} customers in {clusters['k']} clusters; resampled, "
        f"{clusters['stability']['keep']:.1%} keep theirs"
    )
    warning = textwrap.wrap(clusters["quality"]["warning"] or "", 150)
    figure.suptitle("\n".join([title, *warning]), x=0.01, ha="left", fontsize=12)
    size, *features = figure.subplots(
        1, 1 + len(FEATURES), sharey=True, width_ratios=[1.5, 1, 1, 1, 1]
    )
    size.set_xscale("log")
    # A bar from 1 would hide a cluster of one customer.
    _bars(size, table["size"], map(_size, table["size"], table["share"]), BLUE)
    size.set_xlim(0.5, 30 * table["size"].max())
    size.set_xlabel("customers (log scale)")
    size.set_ylabel("cluster")
    size.set_yticks(range(len(table)), table.index.astype(str))
    size.invert_yaxis()
    for axes, name in zip(features, FEATURES, strict=True):
        _bars(axes, table[name], map("{:.3g}".format, table[name]), GREEN)
        axes.set_xlabel(f"mean {name}")
        _limit(axes, table[name])
    figure.savefig(out, format="png")


def _curve(axes: Axes, elbow: dict[str, Any], name: str, label: str) -> None:
    ks = [point["k"] for point in elbow["curve"]]
    axes.plot(ks, [point[name] for point in elbow["curve"]], color=BLUE, marker="o", markersize=4)
    chosen = f"chosen: k = {elbow['k']} ({elbow['method']})"
    if elbow["k"] == TUTORIAL_K:
        chosen += ", as in the tutorial"
    else:
        axes.axvline(
            TUTORIAL_K, color=GREY, linestyle="dotted", label=f"tutorial: k = {TUTORIAL_K}"
        )
    axes.axvline(elbow["k"], color=ORANGE, linewidth=2, label=chosen)
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0.5, max(ks[-1], elbow["k"], TUTORIAL_K) + 0.5)
    axes.yaxis.set_major_formatter("{x:,.6g}")
    axes.spines[["top", "right"]].set_visible(False)


def _limit(axes: Axes, values: pd.Series) -> None:
    """Leave room for the figures; beside an outlier bars are drawn to a logarithmic scale."""
    largest, middle = values.max(), values[values > 0].median()
    if largest > DWARFED * middle:
        least = values[values > 0].min()
        axes.set_xscale("symlog", linthresh=least, linscale=0.5)
        axes.set_xlim(0, 30 * largest)
        axes.set_xticks([0, largest], ["0", f"{largest:.3g}"])
        axes.set_xlabel(f"{axes.get_xlabel()} (log scale)")
    else:
        axes.set_xlim(0, 1.35 * largest or 1)


def _size(size: int, share: float) -> str:
    return f"{size:,} ({f'{share:.1%}' if share >= 0.001 else '<0.1%'})"


def _bars(axes: Axes, values: pd.Series, labels: Iterable[str], color: str) -> None:
    bars = axes.barh(range(len(values)), values, color=color, height=0.7)
    axes.bar_label(bars, list(labels), padding=3, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _figure(width: float, height: float) -> Figure:
    # matplotlib is slow to import, and only tasks that plot need it.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout="constrained")
