"""Check what the warehouse sends, and keep it as `features.parquet` and `purchases.parquet`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reclustering.core.contracts import (
    FEATURES,
    FEATURES_SCHEMA,
    LARGEST_FEATURE,
    PURCHASES_SCHEMA,
)
from reclustering.core.errors import BadInputError, TransientError
from reclustering.core.guards import Bounds

log = logging.getLogger(__name__)

MOST_NAMED = 100
"""Quarantined customers that are named."""


@dataclass
class Quarantine:
    """The customers left out because a feature cannot be one.

    Attributes
    ----------
    customers : int
        How many.
    named : list of dict
        The first `MOST_NAMED`: key as `customer`, the `feature`, and its `value` as text.
    """

    customers: int = 0
    named: list[dict[str, Any]] = field(default_factory=list)


def write_features(
    batches: Iterable[pa.RecordBatch],
    features: Path,
    purchases: Path,
    *,
    max_quarantined: float = Bounds.max_quarantined,
) -> tuple[int, str, Quarantine]:
    """Check the extracted rows and write them to two Parquet files, batch by batch.

    A customer with a feature that is negative, not finite or beyond `LARGEST_FEATURE` is left out of
    both.

    Parameters
    ----------
    batches : iterable of RecordBatch
        What `features/return_features.sql` gives: the columns of `FEATURES_SCHEMA` and of
        `PURCHASES_SCHEMA`, and the number of rows as `customers`; sorted by customer.
    features, purchases : Path
        The files to write.
    max_quarantined : float
        The most customers left out, as a share of all (0 to 1).

    Returns
    -------
    customers : int
        How many rows were written.
    sha256 : str
        SHA-256 (hexadecimal) of the features, whatever the batches they came in.
    quarantine : Quarantine
        Who was left out.

    Raises
    ------
    BadInputError
        When there is no row, too many are left out, a value is NULL, or a customer comes twice or out
        of order.
    TransientError
        When the rows are not as many as the warehouse counted: the stream was cut short.
    """
    rows = expected = 0
    quarantine = Quarantine()
    digests = {name: hashlib.sha256() for name in FEATURES_SCHEMA.names}
    with (
        pq.ParquetWriter(features, FEATURES_SCHEMA, compression="zstd") as feature_sink,
        pq.ParquetWriter(purchases, PURCHASES_SCHEMA, compression="zstd") as purchase_sink,
    ):
        for batch in _checked(batches):
            expected = batch["customers"][0].as_py()
            good = _sift(batch, quarantine)
            found = good.select(FEATURES_SCHEMA.names).cast(FEATURES_SCHEMA)
            for name, digest in digests.items():
                digest.update(found[name].to_numpy())
            feature_sink.write_batch(found)
            purchase_sink.write_batch(good.select(PURCHASES_SCHEMA.names).cast(PURCHASES_SCHEMA))
            rows += good.num_rows
    if expected == 0:
        raise BadInputError(
            "No customer has bought anything before this as_of, so there is nothing to cluster. "
            "Check as_of, and that dbo.store_sales has been loaded."
        )
    sent = rows + quarantine.customers
    if sent != expected:
        raise TransientError(
            f"The warehouse counted {expected} customers and sent {sent}. "
            "The connection was cut; the next attempt reads it again."
        )
    _require_few(quarantine, sent, max_quarantined)
    if quarantine.customers:
        log.warning(
            "%d customers are left out for impossible features; features.json names them.",
            quarantine.customers,
        )
    sha256 = hashlib.sha256(b"".join(one.digest() for one in digests.values())).hexdigest()
    return rows, sha256, quarantine


def _checked(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    last_customer: int | None = None
    for batch in batches:
        if batch.num_rows:
            _require_values(batch)
            last_customer = _require_order(batch["customer"].cast(pa.int64()), last_customer)
            yield batch


def _require_values(batch: pa.RecordBatch) -> None:
    for name in FEATURES_SCHEMA.names:
        missing = batch[name].null_count
        if missing:
            raise BadInputError(f"{missing} rows have no {name}; expected a value in each.")


def _sift(batch: pa.RecordBatch, quarantine: Quarantine) -> pa.RecordBatch:
    """Return the rows whose features can be such; note the others."""
    wrong = {
        name: pc.invert(
            # NaN is in no range.
            pc.and_(pc.greater_equal(batch[name], 0), pc.less_equal(batch[name], LARGEST_FEATURE))
        )
        for name in FEATURES
    }
    any_wrong = reduce(pc.or_, wrong.values())
    for row in np.flatnonzero(any_wrong.to_numpy(zero_copy_only=False)).tolist():
        quarantine.customers += 1
        if len(quarantine.named) < MOST_NAMED:
            name = next(name for name in FEATURES if wrong[name][row].as_py())
            quarantine.named.append(
                {
                    "customer": batch["customer"][row].as_py(),
                    "feature": name,
                    "value": str(batch[name][row].as_py()),
                }
            )
    return batch.filter(pc.invert(any_wrong))


def _require_few(quarantine: Quarantine, customers: int, most: float) -> None:
    if quarantine.customers > most * customers:
        first = quarantine.named[0]
        raise BadInputError(
            f"{quarantine.customers:,} of {customers:,} customers have features that cannot be; expected "
            f"at most {most:.2%}. The first is customer {first['customer']} with {first['feature']} = "
            f"{first['value']}; expected 0 to {LARGEST_FEATURE:,}. Look at their rows in dbo.store_sales "
            "and dbo.store_returns (a negative ss_net_paid or sr_return_amt, as a rule). If this is "
            "ordinary in this store, raise max_quarantined in the Variable reclustering_bounds."
        )


def _require_order(customers: pa.Array, last: int | None) -> int:
    known = (
        customers if last is None else pa.concat_arrays([pa.array([last], pa.int64()), customers])
    )
    steps = pc.less_equal(known.slice(1), known.slice(0, len(known) - 1))
    if pc.any(steps).as_py():
        customer = known.slice(1).filter(steps)[0].as_py()
        raise BadInputError(
            f"Customer {customer} comes twice or out of order; expected one row per customer, sorted. "
            "The feature query must group and sort by customer."
        )
    return int(customers[-1].as_py())
