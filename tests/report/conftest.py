"""A run's files as the pipeline leaves them."""

from __future__ import annotations

import copy
import json

import pytest
from upath import UPath

from tests.buckets import bucket, s3, s3_endpoint

__all__ = ["bucket", "s3", "s3_endpoint"]

RUN = {
    "as_of": "2026-01-15",
    "run_id": "scheduled__2026-01-15T04:00:00+00:00",
    "params": {"k": None, "preview": False, "recipients": ["ann@example.com"]},
}
ELBOW = {
    "k": 2,
    "previous_k": 3,
    "reason": "k = 2: two groups.",
    "disagreement": "",
    "change": "k changed from 3 in the last published run to 2.",
    "alt_text": "A curve.",
    "indices": {
        name: {"values": [None, 0.5, 0.25]}
        for name in ("silhouette", "calinski_harabasz", "davies_bouldin")
    },
    "curve": [
        {"k": k, "inertia": inertia, "mean_distance": inertia / 10}
        for k, inertia in ((1, 9.0), (2, 1.0), (3, 0.5))
    ],
}
CLUSTERS = {
    "k": 2,
    "rows": 10,
    "quality": {"warning": None},
    "stability": {"keep": 0.99},
    "clusters": [
        {
            "label": label,
            "size": size,
            "share": size / 10,
            "flags": flags,
            "description": description,
            "profile": {
                name: {"mean": mean}
                for name in ("orderRatio", "itemsRatio", "monetaryRatio", "frequency")
            },
        }
        for label, size, mean, flags, description in (
            (0, 8, 0.0, [], "Never returned anything."),
            (1, 2, 0.5, ["tiny"], "Returned half."),
        )
    ],
    "continuity": {
        "first_run": False,
        "previous": {
            "as_of": "2026-01-14",
            "run_id": "scheduled__2026-01-14T04:00:00+00:00",
            "k": 3,
        },
        "summary": "Against 2026-01-14: k changed from 3 to 2.",
        "migration": [[7, 0], [0, 1], [0, 1]],
        "left": [1, 0, 0],
        "joined": [1, 0],
        "pairs": [
            {
                "previous": 0,
                "label": 0,
                "shift": dict.fromkeys(
                    ("orderRatio", "itemsRatio", "monetaryRatio", "frequency"), 0.0
                ),
            },
            {
                "previous": 2,
                "label": 1,
                "shift": dict.fromkeys(
                    ("orderRatio", "itemsRatio", "monetaryRatio", "frequency"), -0.125
                ),
            },
        ],
    },
}
BUILT = {
    "as_of": "2026-01-15",
    "sha256": "b" * 64,
    "label": 0,
    "preview": False,
    "customers": 5,
    "new": 1,
    "audience": 5,
    "cluster_size": 8,
    "excluded": {
        "no_address": 2,
        "malformed": 0,
        "suppressed": 1,
        "formula_address": 0,
        "duplicate_address": 0,
        "cool_off": 0,
        "holdout": 0,
    },
    "previous": {"as_of": "2026-01-14", "added": 1, "gone": 2, "change": 0.5},
    "findings": [],
}
FILES = {
    "run": RUN,
    "features": {"overrides": []},
    "elbow": ELBOW,
    "clusters": CLUSTERS,
    "fit_check": {"as_of": "2026-01-15", "label": 0, "sha256": "a" * 64, "findings": []},
    "publication": {
        "table": "dbo.customer_clusters",
        "k": 2,
        "sizes": [8, 2],
        "changed": 0.125,
        "at": "2026-01-15T04:01:00+00:00",
    },
    "target_list": BUILT,
    "delivery": {
        "summary": "The list was mailed to 1 recipient.",
        "outcomes": {"sent": 1, "held": 0},
        "recipients": [{"recipient": "ann@example.com"}],
    },
}


@pytest.fixture
def files():
    """The content of each file, for a test to change."""
    return copy.deepcopy(FILES)


@pytest.fixture
def write(tmp_path):
    """Write a run's files into the folder of a day; give the folder of all runs."""

    def write(files, as_of="2026-01-15", run="run"):
        folder = tmp_path / f"as_of={as_of}" / run
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / f"{name}.json").write_text(json.dumps(content))
        return UPath(tmp_path)

    return write
