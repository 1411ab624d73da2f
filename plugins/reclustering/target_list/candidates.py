"""The customers of the cluster: who of them is on the list, and why the others are not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reclustering.core.contracts import EXCLUSIONS
from reclustering.core.errors import BadInputError
from reclustering.core.protocols import Warehouse
from reclustering.target_list.addresses import FORMULA_STARTS, address_key, is_valid
from reclustering.target_list.opt_outs import OptOuts

CUSTOMERS_SCHEMA = pa.schema(
    [
        ("customer", pa.int64()),
        *((name, pa.string()) for name in ("email", "salutation", "first_name", "last_name")),
    ]
)
"""What `customers.sql` gives."""


_MASKED = re.compile(r".?XXX@XXXX\.com")
"""What the masking function `email()` makes of an address."""


class Candidate(NamedTuple):
    """A customer of the cluster, as `customers.sql` and the run's files give it."""

    customer: int
    email: str | None
    salutation: str | None
    first_name: str | None
    last_name: str | None
    last_purchase: date | None
    orders: int
    frequency: int


@dataclass
class TargetList:
    """The outcome for every customer of a cluster.

    Attributes
    ----------
    entries : list of Candidate
        Who is on the list, sorted by customer, one per address; `email` is as the store has it, but for
        blanks around it.
    excluded : dict
        Number of customers who are not, by reason.
    customers : list of int
        Everybody in the cluster, in the order in which they came.
    masked : int
        Whose address looks like what SQL Server shows in place of a masked one.
    """

    entries: list[Candidate] = field(default_factory=list)
    excluded: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EXCLUSIONS, 0))
    customers: list[int] = field(default_factory=list)
    masked: int = 0

    @property
    def returned(self) -> int:
        """How many on the list have returned something."""
        return sum(entry.frequency > 0 for entry in self.entries)


def load_candidates(
    warehouse: Warehouse, label: int, *, opt_outs: OptOuts, labels: Path, purchases: Path
) -> TargetList:
    """Read what is known of the customers of a cluster, and decide about each.

    Parameters
    ----------
    warehouse : Warehouse
        Where names and addresses are.
    label : int
        The cluster.
    opt_outs : OptOuts
        Who must not be written to.
    labels, purchases : Path
        `labels.parquet` and `purchases.parquet` of this run.
    """
    with warehouse.read(late=True) as session:
        batches = session.stream("target_list/customers")
        return choose_customers(read_candidates(batches, label, labels, purchases), opt_outs)


def read_candidates(
    batches: Iterable[pa.RecordBatch], label: int, labels: Path, purchases: Path
) -> Iterator[Candidate]:
    """Give the customers of a cluster one by one, with their row of `customers.sql` if they have one."""
    last: int | None = None
    for batch in batches:
        if batch.num_rows:
            end = batch["customer"][-1].as_py()
            yield from _members(batch, label, labels, purchases, after=last, until=end)
            last = end
    nobody = pa.RecordBatch.from_pylist([], CUSTOMERS_SCHEMA)
    yield from _members(nobody, label, labels, purchases, after=last, until=None)


def _members(
    batch: pa.RecordBatch,
    label: int,
    labels: Path,
    purchases: Path,
    *,
    after: int | None,
    until: int | None,
) -> Iterator[Candidate]:
    # All are sorted by customer, so a batch needs no more than its range of the files.
    customer = pc.field("customer")
    within = pc.scalar(True)
    if after is not None:
        within &= customer > after
    if until is not None:
        within &= customer <= until
    columns = ["customer", "frequency"]
    table = pq.read_table(labels, columns=columns, filters=within & (pc.field("label") == label))
    known = pq.read_table(purchases, filters=within)
    rows = pa.Table.from_batches([batch])
    table = table.join(known, "customer").join(rows, "customer").sort_by("customer")
    values = [table[name].to_pylist() for name in Candidate._fields]
    yield from map(Candidate._make, zip(*values, strict=True))


def choose_customers(candidates: Iterable[Candidate], opt_outs: OptOuts) -> TargetList:
    """Decide for every customer of the cluster whether they are on the list.

    Of several customers with one address the one with the latest purchase stays; of several with
    the same day, the one with the lowest key.

    Parameters
    ----------
    candidates : iterable of Candidate
        The customers of the cluster.
    opt_outs : OptOuts
        Who must not be written to.
    """
    result = TargetList()
    kept: dict[str, Candidate] = {}
    for candidate in candidates:
        result.customers.append(candidate.customer)
        address = (candidate.email or "").strip()
        masked = bool(_MASKED.fullmatch(address))
        result.masked += masked
        if not address:
            result.excluded["no_address"] += 1
        elif masked or not is_valid(address):
            result.excluded["malformed"] += 1
        elif opt_outs.cover(candidate.customer, address):
            result.excluded["suppressed"] += 1
        elif address.startswith(FORMULA_STARTS):
            result.excluded["formula_address"] += 1
        else:
            entry, key = candidate._replace(email=address), address_key(address)
            other = kept.get(key)
            result.excluded["duplicate_address"] += other is not None
            kept[key] = entry if other is None else max(entry, other, key=_precedence)
    result.entries = sorted(kept.values(), key=lambda entry: entry.customer)
    return result


def require_unmasked(chosen: TargetList) -> None:
    """Refuse addresses that the database does not show to this login.

    Raises
    ------
    BadInputError
        When they look masked for more than one customer in a hundred; fewer are malformed, and left out.
    """
    if chosen.masked * 100 > len(chosen.customers):
        raise BadInputError(
            f"The addresses of {chosen.masked:,} of {len(chosen.customers):,} customers are like "
            "aXXX@XXXX.com: dbo.customer.c_email_address is masked (dynamic data masking), perhaps behind a "
            "view. Grant UNMASK to the login of the connection 'warehouse', and clear this task."
        )


def require_whole_cluster(chosen: TargetList, labels: Path, *, label: int, size: int) -> None:
    """Check that the list accounts for this run's cluster, customer by customer.

    Parameters
    ----------
    chosen : TargetList
        What `choose_customers` gave.
    labels : Path
        `labels.parquet` of this run.
    label, size : int
        The cluster, and its size in `clusters.json`.

    Raises
    ------
    BadInputError
        When a customer of the cluster is missing or there twice, or is not accounted for.
    """
    members = pq.read_table(labels, columns=["customer"], filters=[("label", "=", label)])
    expected = members["customer"].combine_chunks()
    found = pa.array(chosen.customers, pa.int64())
    if not found.sort().equals(expected.cast(pa.int64()).sort()):
        raise BadInputError(
            f"dbo.customer gives {len(found)} rows for the {len(expected)} customers of cluster {label}; "
            "expected one for each. It has a c_customer_sk twice: mend it, and clear this task."
        )
    accounted = len(chosen.entries) + sum(chosen.excluded.values())
    if accounted != size:
        raise BadInputError(
            f"{len(chosen.entries)} customers on the list and {chosen.excluded} make {accounted}; "
            f"cluster {label} has {size} customers in clusters.json. Clear fit_clusters and the tasks "
            "after it."
        )


def _precedence(entry: Candidate) -> tuple[date, int]:
    return entry.last_purchase or date.min, -entry.customer
