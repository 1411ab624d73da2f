"""What the queries of the clustering share. Their rules are those of `core.protocols.Customers`."""

from __future__ import annotations

import numpy as np

from reclustering.core.contracts import FEATURES
from reclustering.core.protocols import Customers

COLUMNS = [f'"{name}"' for name in FEATURES]

NONZERO = "(" + " OR ".join(f"{column} <> 0" for column in COLUMNS) + ")"
"""Who has returned anything. All others, most of all, share one row."""


def register_rows(customers: Customers, name: str, X: np.ndarray) -> None:
    """Make the rows of X, of shape (m, 4), known to queries as the relation `name`."""
    customers.register(name, {feature: X[:, j].copy() for j, feature in enumerate(FEATURES)})
