"""The customers of a cluster, with what the run and the store know of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reclustering.core.contracts import PURCHASES_SCHEMA
from reclustering.core.errors import BadInputError
from reclustering.core.protocols import Warehouse
from reclustering.core.tables import read_table_batches

CUSTOMERS_SCHEMA = pa.schema(
    [
        ("customer", pa.int64()),
        *((name, pa.string()) for name in ("email", "salutation", "first_name", "last_name")),
    ]
)
"""What `customers.sql` gives."""

MEMBERS_SCHEMA = pa.schema(
    [
        ("customer", pa.int64()),
        ("frequency", pa.int64()),
        ("orders", pa.int64()),
        ("last_purchase", pa.date32()),
        *list(CUSTOMERS_SCHEMA)[1:],
    ]
)
"""What is known of a customer of the cluster; who is not in `dbo.customer` has neither name nor address."""

BATCH = 100_000
"""Rows of `labels.parquet` in memory at a time."""


@contextmanager
def cluster_members(
    warehouse: Warehouse, labels: Path, purchases: Path, label: int
) -> Iterator[Iterator[pa.Table]]:
    """Give what `read_members` gives, of the customers whom a warehouse knows; see there."""
    with warehouse.read(late=True) as session:
        yield read_members(session.stream("target_list/customers"), labels, purchases, label)


def read_members(
    customers: Iterable[pa.RecordBatch], labels: Path, purchases: Path, label: int
) -> Iterator[pa.Table]:
    """Give the customers of a cluster in their order, a part at a time.

    Parameters
    ----------
    customers : iterable of RecordBatch
        What `customers.sql` gives, sorted by customer.
    labels, purchases : Path
        `labels.parquet` and `purchases.parquet` of the run, sorted by customer.
    label : int
        The cluster.

    Yields
    ------
    Table
        With the columns of `MEMBERS_SCHEMA`.

    Raises
    ------
    BadInputError
        When `dbo.customer` has somebody twice.
    """
    with pq.ParquetFile(purchases) as bought:
        people = _SortedRows(_each_once(customers), CUSTOMERS_SCHEMA)
        orders = _SortedRows(bought.iter_batches(), PURCHASES_SCHEMA)
        columns = ["customer", "frequency", "label"]
        for batch in read_table_batches(labels, BATCH, columns):
            until = batch["customer"][-1].as_py()
            known, ordered = people.until(until), orders.until(until)
            members = batch.filter(pc.equal(batch["label"], label))
            found = _beside(members, ordered) | _beside(members, known)
            found |= {name: members[name] for name in ("customer", "frequency")}
            yield pa.table({name: found[name] for name in MEMBERS_SCHEMA.names}).cast(
                MEMBERS_SCHEMA
            )


def _beside(members: pa.RecordBatch, rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Give the columns of the rows with the members' keys, in their order; null where there is none."""
    place = pc.index_in(members["customer"], value_set=rows["customer"])
    found = rows.take(place)
    return {name: found[name] for name in rows.column_names if name != "customer"}


def _each_once(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    last: int | None = None
    for batch in batches:
        keys = batch["customer"].drop_null()
        if last is not None:
            keys = pa.concat_arrays([pa.array([last], keys.type), keys])
        following = keys.slice(1)
        again = following.filter(pc.less_equal(following, keys.slice(0, len(following))))
        if len(again):
            raise BadInputError(
                f"dbo.customer has c_customer_sk {again[0]} twice, or the rows are not sorted by it; "
                "expected one row for each. Mend it, and clear this task."
            )
        last = keys[-1].as_py() if len(keys) else last
        yield batch


class _SortedRows:
    """Batches that are sorted by customer, taken up to one key after the other."""

    def __init__(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        self._batches = iter(batches)
        self._schema = schema
        self._rest = schema.empty_table()

    def until(self, customer: int) -> pa.Table:
        """Give the rows, from where the last call ended, with this key or a lower one."""
        parts = [self._rest]
        while not len(parts[-1]) or parts[-1]["customer"][-1].as_py() <= customer:
            batch = next(self._batches, None)
            if batch is None:
                break
            table = pa.Table.from_batches([batch]).select(self._schema.names).cast(self._schema)
            parts.append(table.filter(table["customer"].is_valid()))
        rows = pa.concat_tables(parts).combine_chunks()
        wanted = pc.less_equal(rows["customer"], customer)
        taken = pc.sum(wanted).as_py() or 0
        self._rest = rows.slice(taken)
        return rows.slice(0, taken)
