"""Who must not be written to: marketing's opt-outs, by customer and by address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from reclustering.core.errors import BadInputError, TerminalError, TransientError
from reclustering.core.protocols import Warehouse
from reclustering.target_list.addresses import address_key, find_addresses, is_valid

MOST_NAMED = 20
"""Rows that a message names."""


@dataclass(frozen=True)
class OptOuts:
    """Who must not be written to.

    Attributes
    ----------
    rows : int
        Number of opt-outs, as they were entered.
    customers : frozenset of int
        Customers who are named by key.
    addresses : frozenset of str
        Keys (see `address_key`) of the addresses that are named, and of the named customers' own:
        a mailbox that two customers share belongs to the one who opted out, too.
    unknown : int
        Opt-outs by a key that no customer has.
    """

    rows: int
    customers: frozenset[int]
    addresses: frozenset[str]
    unknown: int = 0

    def cover_each(self, customers: pa.Int64Array, mailboxes: pa.StringArray) -> pa.BooleanArray:
        """Tell for each customer, and the key of the address, whether one or the other has opted out."""
        named = pc.is_in(customers, value_set=self._customers)
        return pc.or_(named, pc.is_in(mailboxes, value_set=self._addresses))

    @cached_property
    def _customers(self) -> pa.Int64Array:
        return pa.array(self.customers, pa.int64())

    @cached_property
    def _addresses(self) -> pa.StringArray:
        return pa.array(self.addresses, pa.string())


def load_opt_outs(warehouse: Warehouse) -> OptOuts:
    """Read who must not be written to.

    Raises
    ------
    TransientError, TerminalError
        When that cannot be read: without it there is no list.
    BadInputError
        When an opt-out names nobody who could be recognised.
    """
    try:
        with warehouse.read() as session:
            return read_opt_outs(session.stream("target_list/opt_outs"))
    except BadInputError:
        raise
    except (TransientError, TerminalError) as error:
        raise type(error)(
            f"No list is built or mailed, for dbo.email_suppressions could not be read: {error} "
            "No parameter overrides this. Make the table readable to the pipeline's login; if "
            "nobody has opted out, an empty table says so."
        ) from error


def read_opt_outs(batches: Iterable[pa.RecordBatch]) -> OptOuts:
    """Collect the rows of `opt_outs.sql`.

    Raises
    ------
    BadInputError
        When an opt-out names no customer, and what it has for an address is none; by its row.
    """
    rows = unknown = 0
    customers: set[int] = set()
    addresses: set[str] = set()
    unreadable: list[int] = []
    for batch in batches:
        rows += batch.num_rows
        for row in batch.to_pylist():
            customer, text, own = row["customer"], row["email"] or "", row["own_email"] or ""
            named = find_addresses(text)
            # Written as it is in the store, an address is that one, whatever else it could be read as.
            if named is None and is_valid(text.strip()):
                named = frozenset()
            addresses |= {address_key(text), address_key(own)}
            addresses |= (named or frozenset()) | (find_addresses(own) or frozenset())
            if customer is not None:
                customers.add(customer)
                unknown += row["known"] is None
            # Beside a customer's key, words such as "unknown" do no harm.
            if named is None and ("@" in text or customer is None):
                unreadable.append(row["row_number"])
    if unreadable:
        _refuse(unreadable)
    return OptOuts(rows, frozenset(customers), frozenset(addresses - {""}), unknown)


def _refuse(rows: list[int]) -> None:
    named = ", ".join(str(row) for row in sorted(rows)[:MOST_NAMED])
    more = f" and {len(rows) - MOST_NAMED:,} more" if len(rows) > MOST_NAMED else ""
    raise BadInputError(
        f"No list is built or mailed, for {len(rows):,} opt-outs name neither a customer nor a readable "
        f"address; expected one such as ann@store.example. They are rows {named}{more} of "
        "dbo.email_suppressions, sorted by since, customer and email. Correct them, or delete what is no "
        "opt-out. No parameter overrides this."
    )
