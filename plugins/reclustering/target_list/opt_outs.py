"""Who must not be written to: marketing's opt-outs, by customer and by address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from reclustering.core.errors import TerminalError, TransientError
from reclustering.core.protocols import Warehouse
from reclustering.target_list.addresses import address_key


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
    """

    rows: int
    customers: frozenset[int]
    addresses: frozenset[str]


def load_opt_outs(warehouse: Warehouse) -> OptOuts:
    """Read who must not be written to.

    Raises
    ------
    TransientError, TerminalError
        When that cannot be read: without it there is no list.
    """
    try:
        with warehouse.read() as session:
            return read_opt_outs(session.stream("target_list/opt_outs"))
    except (TransientError, TerminalError) as error:
        raise type(error)(
            f"The target list was not built, for dbo.email_suppressions could not be read: {error} "
            "No parameter overrides this. Make the table readable to the pipeline's login; if "
            "nobody has opted out, an empty table says so."
        ) from error


def read_opt_outs(batches: Iterable[pa.RecordBatch]) -> OptOuts:
    """Collect the rows of `opt_outs.sql`."""
    rows = 0
    customers: set[int] = set()
    addresses: set[str] = set()
    for batch in batches:
        rows += batch.num_rows
        customers.update(batch["customer"].drop_null().to_pylist())
        for name in ("email", "own_email"):
            addresses.update(map(address_key, batch[name].drop_null().to_pylist()))
    return OptOuts(rows, frozenset(customers), frozenset(addresses - {""}))
