"""What must hold before one run's labels take the place of another's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reclustering.core.guards import Finding
from reclustering.core.run import Run


def judge_replacement(
    run: Run, published: dict[str, Any] | None, clusters: dict[str, Any], features_sha256: str
) -> Iterator[Finding]:
    """Say that another run has published this day with another outcome.

    Parameters
    ----------
    run : Run
        The run that would publish.
    published : dict or None
        What `published_run` gave.
    clusters : dict
        The content of clusters.json.
    features_sha256 : str
        The features that it was fitted on.
    """
    if published is None or published["run_id"] == run.run_id:
        return
    ours = {
        "k": clusters["k"],
        "scaling": clusters["scaling"]["method"],
        "outliers": clusters["outliers"]["mode"],
        "clusters": clusters["clusters"],
    }
    before, after = _outcome(published), _outcome(ours)
    if (before, published["features_sha256"]) != (after, features_sha256):
        same_data = published["features_sha256"] == features_sha256
        yield Finding(
            "replacement",
            f"run {published['run_id']} has published the labels of {run.as_of} with {before}; this run "
            f"would put {after} in their place, from {'the same' if same_data else 'other'} data (to look "
            "without publishing, trigger with preview)",
        )


def _outcome(run: dict[str, Any]) -> str:
    sizes = " + ".join(f"{one['size']:,}" for one in run["clusters"])
    return (
        f"k = {run['k']} ({sizes} customers), scaling {run['scaling']}, outliers {run['outliers']}"
    )
