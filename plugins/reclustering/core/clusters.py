"""One cluster of clusters.json, by its label."""

from __future__ import annotations

from typing import Any

from reclustering.core.errors import BadInputError


def find_cluster(clusters: dict[str, Any], label: int) -> dict[str, Any]:
    """Give the cluster with a label.

    Parameters
    ----------
    clusters : dict
        The content of clusters.json.
    label : int
        Its label.

    Raises
    ------
    BadInputError
        When there is none.
    """
    found = {one["label"]: one for one in clusters["clusters"]}
    if label not in found:
        raise BadInputError(
            f"target_label is {label}; expected one of this run's labels, 0 to {max(found)}."
        )
    cluster: dict[str, Any] = found[label]
    return cluster
