"""Extraction refuses rows that would make a wrong list."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reclustering.core.contracts import FEATURES_SCHEMA
from reclustering.core.errors import BadInputError, TransientError
from reclustering.features.table import write_features

ROWS = [
    {"customer": 3, "orderRatio": 0.0, "itemsRatio": 0.0, "monetaryRatio": 0.0, "frequency": 0},
    {
        "customer": 5,
        "orderRatio": 0.5,
        "itemsRatio": 2.0,
        "monetaryRatio": 108.719154,
        "frequency": 1,
    },
    {"customer": 9, "orderRatio": 1.0, "itemsRatio": 1.0, "monetaryRatio": 0.25, "frequency": 4},
]


def batches(rows, size=2):
    # What a driver gives: nullable columns, whatever the statement promises.
    schema = pa.schema([field.with_nullable(True) for field in FEATURES_SCHEMA])
    return [
        pa.RecordBatch.from_pylist(rows[start : start + size], schema=schema)
        for start in range(0, len(rows), size)
    ]


def test_good_rows_are_written_as_they_are(tmp_path):
    out = tmp_path / "features.parquet"
    write_features(batches(ROWS), out, expected_rows=3)
    assert pq.read_table(out).to_pylist() == ROWS
    assert pq.read_schema(out).equals(FEATURES_SCHEMA)


def test_the_hash_tells_values_apart_and_not_batches(tmp_path):
    def sha256(rows, size):
        return write_features(batches(rows, size), tmp_path / "f.parquet", expected_rows=len(rows))

    assert sha256(ROWS, 1) == sha256(ROWS, 3)
    changed = [*ROWS[:2], ROWS[2] | {"monetaryRatio": 0.2500001}]
    assert sha256(changed, 3) != sha256(ROWS, 3)


@pytest.mark.parametrize("value", [-0.5, float("nan"), float("inf")])
def test_impossible_ratios_name_the_customer(tmp_path, value):
    rows = [*ROWS[:2], ROWS[2] | {"itemsRatio": value}]
    with pytest.raises(
        BadInputError, match=rf"Customer 9 has itemsRatio = {value}; expected a finite"
    ):
        write_features(batches(rows), tmp_path / "f.parquet", expected_rows=3)


def test_a_missing_value_is_refused(tmp_path):
    rows = [*ROWS[:2], ROWS[2] | {"frequency": None}]
    with pytest.raises(BadInputError, match="1 rows have no frequency"):
        write_features(batches(rows), tmp_path / "f.parquet", expected_rows=3)


@pytest.mark.parametrize("customer", [5, 4])
@pytest.mark.parametrize("size", [2, 3])
def test_a_customer_twice_or_out_of_order_is_refused(tmp_path, customer, size):
    rows = [*ROWS[:2], ROWS[2] | {"customer": customer}]
    with pytest.raises(BadInputError, match=f"Customer {customer} comes twice or out of order"):
        write_features(batches(rows, size), tmp_path / "f.parquet", expected_rows=3)


def test_no_customers_at_all(tmp_path):
    with pytest.raises(BadInputError, match="No customer has bought anything before this as_of"):
        write_features([], tmp_path / "f.parquet", expected_rows=0)


def test_a_short_stream_is_retried(tmp_path):
    with pytest.raises(TransientError, match="counted 4 customers and sent 3"):
        write_features(batches(ROWS), tmp_path / "f.parquet", expected_rows=4)
