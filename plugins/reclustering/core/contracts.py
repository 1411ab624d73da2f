"""The files that pass from stage to stage: their names, their columns and the words in them."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

FEATURES = ("orderRatio", "itemsRatio", "monetaryRatio", "frequency")
"""The feature columns, in the order of every feature matrix of this project."""

LARGEST_FEATURE = 2**31 - 1
"""No feature may be larger: `frequency` is an int in the warehouse, and a ratio of this size says that
something is wrong."""

FEATURES_SCHEMA = pa.schema(
    [
        pa.field("customer", pa.int64(), nullable=False),
        pa.field("orderRatio", pa.float64(), nullable=False),
        pa.field("itemsRatio", pa.float64(), nullable=False),
        pa.field("monetaryRatio", pa.float64(), nullable=False),
        pa.field("frequency", pa.int64(), nullable=False),
    ]
)
"""Schema of `features.parquet`; rows are sorted by `customer`, which is unique."""

PURCHASES_SCHEMA = pa.schema(
    [
        pa.field("customer", pa.int64(), nullable=False),
        pa.field("orders", pa.int64(), nullable=False),
        pa.field("last_purchase", pa.date32()),
    ]
)
"""Schema of `purchases.parquet`: what the target list says of the customers of `features.parquet`, by
the same sales. Rows are sorted by `customer`; a customer without a dated order has no day."""

LABELS_SCHEMA = FEATURES_SCHEMA.append(pa.field("label", pa.uint8(), nullable=False))
"""Schema of `labels.parquet`: the rows of `features.parquet`, each with its label."""

PREVIOUS_LABELS_SCHEMA = pa.schema(
    [("customer", pa.int64()), ("label", pa.uint8()), ("returned", pa.uint8())]
)
"""The labels of a published run, as they are read back to see who changed cluster; `returned` is 1 for
customers who had returned anything."""

TARGET_LIST = "target_list.csv"
"""Name of the list, for machines: a file with names and addresses."""

TARGET_LIST_SPREADSHEET = "target_list.xlsx"
"""Name of the list for people. There is no third file with names and addresses."""

REPORT = "report.html"
"""Name of the file in which a run is told of."""

KEYED_FILES = ("features.parquet", "purchases.parquet", "labels.parquet", "target_list.parquet")
"""The files with a row for each customer, by key."""

SPREADSHEET_ROWS = 1_048_575
"""Customers that a spreadsheet can hold: Excel's rows, but for the header."""

EXCLUSIONS: Mapping[str, str] = {
    "no_address": "no e-mail address",
    "malformed": "the e-mail address is not valid",
    "suppressed": "opted out",
    "formula_address": "the e-mail address starts like a formula, which a spreadsheet would run",
    "duplicate_address": "another customer with the same address comes first",
    "cool_off": "mailed a short while ago",
    "holdout": "held out for comparison",
}
"""Why a customer of the cluster is not on the list (the first that applies), and how people read it."""

LISTED = "listed"
"""What becomes of a customer of the cluster, if not one of `EXCLUSIONS`."""

AUDIENCE = (LISTED, "cool_off", "holdout")
"""Outcomes of those who can be written to: on the list, or off it for marketing's own reasons."""

OUTCOMES_SCHEMA = pa.schema(
    [
        pa.field("customer", pa.int64(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("since", pa.date32()),
    ]
)
"""Schema of `target_list.parquet`: what became of each customer of the cluster, sorted by key. `since` is
the first as_of of an unbroken stay in the audience; null for who is not in it."""
