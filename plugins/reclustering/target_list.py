"""Who is on the target list, who is not and why, and the file that marketing gets."""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from email_validator import EmailNotValidError, validate_email

from reclustering.errors import BadInputError, TerminalError, TransientError
from reclustering.run import Run

if TYPE_CHECKING:
    from warehouse.verbs import Warehouse

COLUMNS = (
    "customer",
    "email",
    "salutation",
    "first_name",
    "last_name",
    "last_purchase",
    "orders",
)
"""The columns of `target_list.csv`."""

CSV_HEADER = codecs.BOM_UTF8 + ",".join(COLUMNS).encode() + b"\r\n"
"""How every `target_list.csv` starts."""

REASONS = ("no_address", "malformed", "suppressed", "duplicate_address")
"""Why a customer is not on the list; the first that applies is the one that counts."""

KEYS = pa.schema([pa.field("customer", pa.int64(), nullable=False)])
"""Schema of `target_list.parquet`: who is on the list, and nothing about them."""

# Spreadsheets read the wide forms of these characters as well.
_FORMULA_STARTS = (*"=+-@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CONTROL_CHARACTERS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)])


class Candidate(NamedTuple):
    """A customer of the cluster, as `target_list.sql` gives it."""

    customer: int
    email: str | None
    salutation: str | None
    first_name: str | None
    last_name: str | None
    last_purchase: date | None
    orders: int
    frequency: int


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


@dataclass
class TargetList:
    """The outcome for every customer of a cluster.

    Attributes
    ----------
    entries : list of Candidate
        Who is on the list, sorted by customer, one per address; `email` is normalised.
    excluded : dict
        Number of customers who are not, by reason.
    customers : list of int
        Everybody in the cluster, in the order in which they came.
    """

    entries: list[Candidate] = field(default_factory=list)
    excluded: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    customers: list[int] = field(default_factory=list)

    @property
    def returned(self) -> int:
        """How many on the list have returned something."""
        return sum(entry.frequency > 0 for entry in self.entries)


def find_cluster(clusters: dict[str, Any], label: int) -> dict[str, Any]:
    """Give the cluster with a label from `clusters.json`.

    Raises
    ------
    BadInputError
        When there is none.
    """
    found = {one["label"]: one for one in clusters["clusters"]}
    if label not in found:
        raise BadInputError(
            f"target_label is {label}; expected one of this run's labels, 0 to {max(found)}."
        )
    cluster: dict[str, Any] = found[label]
    return cluster


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


def load_candidates(warehouse: Warehouse, run: Run, label: int, opt_outs: OptOuts) -> TargetList:
    """Read the customers of a cluster, and decide about each."""
    day_and_label = {"as_of": run.as_of, "label": label}
    with warehouse.read() as session:
        batches = session.stream("target_list/target_list", day_and_label)
        return choose_customers(read_candidates(batches), opt_outs)


def read_candidates(batches: Iterable[pa.RecordBatch]) -> Iterator[Candidate]:
    """Give the rows of `target_list.sql` one by one."""
    for batch in batches:
        columns = [batch[name].to_pylist() for name in Candidate._fields]
        yield from map(Candidate._make, zip(*columns, strict=True))


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


def address_key(address: str) -> str:
    """Give the form in which two spellings of one address are equal: no case, no blanks around it.

    What is no valid address is a key of its own, so that an opt-out with a slip in it does no harm.
    """
    stripped = address.strip()
    # Validation changes nothing else about such an address, and it takes a hundred times as long.
    if stripped.isascii() and "xn--" not in stripped.lower():
        return stripped.lower()
    return (_normalised(stripped) or stripped).lower()


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
        raw = (candidate.email or "").strip()
        address = _normalised(raw) if raw else None
        if not raw:
            result.excluded["no_address"] += 1
        elif address is None:
            result.excluded["malformed"] += 1
        elif candidate.customer in opt_outs.customers or address.lower() in opt_outs.addresses:
            result.excluded["suppressed"] += 1
        else:
            entry = candidate._replace(email=address)
            other = kept.get(address.lower())
            result.excluded["duplicate_address"] += other is not None
            kept[address.lower()] = entry if other is None else max(entry, other, key=_precedence)
    result.entries = sorted(kept.values(), key=lambda entry: entry.customer)
    return result


def check_whole(chosen: TargetList, labels: Path, *, label: int, size: int) -> None:
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
        When the published labels are not those of this run, or a customer is not accounted for.
    """
    members = pq.read_table(labels, columns=["customer"], filters=[("cluster", "=", label)])
    expected = members["customer"].combine_chunks()
    found = pa.array(chosen.customers, pa.int64())
    if not found.sort().equals(expected.cast(pa.int64()).sort()):
        strangers = len(found) - pc.sum(pc.is_in(found, value_set=expected)).as_py() if found else 0
        raise BadInputError(
            f"The warehouse has {len(found)} customers in cluster {label}, of whom {strangers} are not "
            f"among the {len(expected)} of this run's labels.parquet. Either another run has published "
            "its labels for the same as_of since, or dbo.customer has a c_customer_sk twice. Clear "
            "write_labels of the run that should count, and the tasks after it."
        )
    accounted = len(chosen.entries) + sum(chosen.excluded.values())
    if accounted != size:
        raise BadInputError(
            f"{len(chosen.entries)} customers on the list and {chosen.excluded} make {accounted}; "
            f"cluster {label} has {size} customers in clusters.json. Clear fit_clusters and the tasks "
            "after it."
        )


def write_csv(entries: Iterable[Candidate], out: Path) -> str:
    """Write `target_list.csv`: RFC 4180, UTF-8 with a byte order mark, safe in a spreadsheet.

    Returns
    -------
    str
        SHA-256 (hexadecimal) of the file: the identity of the list.
    """
    with out.open("wb") as file:
        file.write(CSV_HEADER)
    with out.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(_row(entry) for entry in entries)
    with out.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_keys(entries: Iterable[Candidate], out: Path) -> None:
    """Write `target_list.parquet`, which outlives the addresses for the next run to compare with."""
    table = pa.table([pa.array([entry.customer for entry in entries], pa.int64())], schema=KEYS)
    pq.write_table(table, out, compression="zstd")


def _normalised(address: str) -> str | None:
    try:
        return validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def _precedence(entry: Candidate) -> tuple[date, int]:
    return entry.last_purchase or date.min, -entry.customer


def _row(entry: Candidate) -> tuple[object, ...]:
    return (
        entry.customer,
        _cell(entry.email),
        _cell(entry.salutation),
        _cell(entry.first_name),
        _cell(entry.last_name),
        entry.last_purchase.isoformat() if entry.last_purchase else "",
        entry.orders,
    )


def _cell(text: str | None) -> str:
    # SQL Server pads char(n) with blanks; a line break or a NUL is no part of a name.
    clean = " ".join((text or "").split()).translate(_CONTROL_CHARACTERS)
    return f"'{clean}" if clean.startswith(_FORMULA_STARTS) else clean
