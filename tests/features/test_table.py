"""Extraction refuses rows that would make a wrong list."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reclustering.core.contracts import FEATURES_SCHEMA, PURCHASES_SCHEMA
from reclustering.core.errors import BadInputError, TransientError
from reclustering.features.table import write_features

FOUND = [
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
BOUGHT = [
    {"customer": 3, "orders": 1, "last_purchase": date(2024, 1, 2)},
    {"customer": 5, "orders": 2, "last_purchase": None},
    {"customer": 9, "orders": 4, "last_purchase": date(2023, 6, 1)},
]
ROWS = [found | bought for found, bought in zip(FOUND, BOUGHT, strict=True)]

# What a driver gives: nullable columns, whatever the statement promises.
SCHEMA = pa.schema(
    [
        *(field.with_nullable(True) for field in FEATURES_SCHEMA),
        *list(PURCHASES_SCHEMA)[1:],
        pa.field("customers", pa.int64()),
    ]
)


def batches(rows, size=2, counted=None):
    counted = len(rows) if counted is None else counted
    given = [row | {"customers": counted} for row in rows]
    return [
        pa.RecordBatch.from_pylist(given[start : start + size], schema=SCHEMA)
        for start in range(0, len(given), size)
    ]


@pytest.fixture
def files(tmp_path):
    return tmp_path / "features.parquet", tmp_path / "purchases.parquet"


def test_good_rows_are_written_as_they_are(files):
    assert write_features(batches(ROWS), *files)[0] == 3
    assert [pq.read_table(file).to_pylist() for file in files] == [FOUND, BOUGHT]
    assert [pq.read_schema(file) for file in files] == [FEATURES_SCHEMA, PURCHASES_SCHEMA]


def test_the_hash_tells_features_apart_and_not_batches(files):
    def sha256(rows, size):
        return write_features(batches(rows, size), *files)[1]

    assert sha256(ROWS, 1) == sha256(ROWS, 3)
    changed = [*ROWS[:2], ROWS[2] | {"monetaryRatio": 0.2500001}]
    assert sha256(changed, 3) != sha256(ROWS, 3)


@pytest.mark.parametrize(
    ("feature", "value", "said"),
    [
        ("itemsRatio", -0.5, "-0.5"),
        ("itemsRatio", float("nan"), "nan"),
        ("monetaryRatio", float("inf"), "inf"),
        ("monetaryRatio", 2.0**31, "2147483648.0"),
        ("frequency", -1, "-1"),
    ],
)
def test_a_customer_with_an_impossible_feature_is_left_out_and_named(files, feature, value, said):
    rows = [ROWS[0], ROWS[1] | {feature: value}, ROWS[2]]
    customers, _, quarantine = write_features(batches(rows), *files, max_quarantined=0.34)
    assert (customers, quarantine.customers) == (2, 1)
    assert quarantine.named == [{"customer": 5, "feature": feature, "value": said}]
    assert [pq.read_table(file).to_pylist() for file in files] == [FOUND[::2], BOUGHT[::2]]


def test_the_largest_possible_feature_is_kept(files):
    rows = [*ROWS[:2], ROWS[2] | {"monetaryRatio": 2.0**31 - 1}]
    assert write_features(batches(rows), *files)[0] == 3


@pytest.mark.parametrize(("wrong", "stops"), [(1, False), (2, True)])
def test_more_impossible_customers_than_the_share_stop_the_run(files, wrong, stops):
    rows = [
        ROWS[0] | {"customer": i, "monetaryRatio": -1.5 if i < wrong else 0.0} for i in range(1000)
    ]
    if stops:
        with pytest.raises(
            BadInputError,
            match=r"2 of 1,000 customers .* at most 0.10%. The first is customer 0 with "
            r"monetaryRatio = -1.5.*max_quarantined in the Variable reclustering_bounds",
        ):
            write_features(batches(rows, 300), *files, max_quarantined=0.001)
    else:
        assert write_features(batches(rows, 300), *files, max_quarantined=0.001)[0] == 999


def test_a_hundred_are_named_and_all_are_counted(files):
    rows = [ROWS[0] | {"customer": i, "itemsRatio": -1.0} for i in range(150)] + [
        ROWS[0] | {"customer": 150}
    ]
    _, _, quarantine = write_features(batches(rows), *files, max_quarantined=1.0)
    assert (quarantine.customers, len(quarantine.named)) == (150, 100)


def test_a_missing_value_is_refused(files):
    rows = [*ROWS[:2], ROWS[2] | {"frequency": None}]
    with pytest.raises(BadInputError, match="1 rows have no frequency"):
        write_features(batches(rows), *files)


@pytest.mark.parametrize("customer", [5, 4])
@pytest.mark.parametrize("size", [2, 3])
def test_a_customer_twice_or_out_of_order_is_refused(files, customer, size):
    rows = [*ROWS[:2], ROWS[2] | {"customer": customer}]
    with pytest.raises(BadInputError, match=f"Customer {customer} comes twice or out of order"):
        write_features(batches(rows, size), *files)


@pytest.mark.parametrize("given", [[], [pa.RecordBatch.from_pylist([], schema=SCHEMA)]])
def test_no_customers_at_all(files, given):
    with pytest.raises(BadInputError, match="No customer has bought anything before this as_of"):
        write_features(given, *files)


@pytest.mark.parametrize("counted", [2, 4])
def test_a_stream_that_did_not_come_whole_is_retried(files, counted):
    with pytest.raises(TransientError, match=f"counted {counted} customers and sent 3"):
        write_features(batches(ROWS, counted=counted), *files)
