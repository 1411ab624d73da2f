"""Check what the warehouse sends, and keep it as `features.parquet` and `purchases.parquet`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reclustering.core.contracts import FEATURES, FEATURES_SCHEMA, PURCHASES_SCHEMA
from reclustering.core.errors import BadInputError, TransientError


def write_features(
    batches: Iterable[pa.RecordBatch], features: Path, purchases: Path
) -> tuple[int, str]:
    """Check the extracted rows and write them to two Parquet files, batch by batch.

    Parameters
    ----------
    batches : iterable of RecordBatch
        What `features/return_features.sql` gives: the columns of `FEATURES_SCHEMA` and of
        `PURCHASES_SCHEMA`, and the number of rows as `customers`; sorted by customer.
    features, purchases : Path
        The files to write.

    Returns
    -------
    customers : int
        How many rows were written.
    sha256 : str
        SHA-256 (hexadecimal) of the features, whatever the batches they came in.

    Raises
    ------
    BadInputError
        When there is no row, a value is NULL, not finite or negative, or a customer comes twice
        or out of order.
    TransientError
        When the rows are not as many as the warehouse counted: the stream was cut short.
    """
    rows = expected = 0
    digests = {name: hashlib.sha256() for name in FEATURES_SCHEMA.names}
    with (
        pq.ParquetWriter(features, FEATURES_SCHEMA, compression="zstd") as feature_sink,
        pq.ParquetWriter(purchases, PURCHASES_SCHEMA, compression="zstd") as purchase_sink,
    ):
        for batch in _checked(batches):
            found = batch.select(FEATURES_SCHEMA.names).cast(FEATURES_SCHEMA)
            for name, digest in digests.items():
                digest.update(found[name].to_numpy())
            feature_sink.write_batch(found)
            purchase_sink.write_batch(batch.select(PURCHASES_SCHEMA.names).cast(PURCHASES_SCHEMA))
            rows += batch.num_rows
            expected = batch["customers"][0].as_py()
    if rows == 0:
        raise BadInputError(
            "No customer has bought anything before this as_of, so there is nothing to cluster. "
            "Check as_of, and that dbo.store_sales has been loaded."
        )
    if rows != expected:
        raise TransientError(
            f"The warehouse counted {expected} customers and sent {rows}. "
            "The connection was cut; the next attempt reads it again."
        )
    return rows, hashlib.sha256(b"".join(one.digest() for one in digests.values())).hexdigest()


def _checked(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    last_customer: int | None = None
    for batch in batches:
        if batch.num_rows:
            _require_values(batch)
            last_customer = _require_order(batch["customer"].cast(pa.int64()), last_customer)
            yield batch


def _require_values(batch: pa.RecordBatch) -> None:
    for name in FEATURES_SCHEMA.names:
        values = batch[name]
        if values.null_count:
            raise BadInputError(
                f"{values.null_count} rows have no {name}; expected a value in each."
            )
    for name in FEATURES:
        values = batch[name]
        bad = pc.invert(pc.and_(pc.is_finite(values), pc.greater_equal(values, 0)))
        if pc.any(bad).as_py():
            row = batch.filter(bad).slice(0, 1).to_pylist()[0]
            raise BadInputError(
                f"Customer {row['customer']} has {name} = {row[name]}; expected a finite number of "
                "at least 0. Look at this customer's rows in dbo.store_sales and dbo.store_returns "
                "(a negative ss_net_paid or sr_return_amt, as a rule)."
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
