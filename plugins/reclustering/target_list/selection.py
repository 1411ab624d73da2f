"""Who of the cluster is on the list, and why the others are not.

Addresses are looked at a batch at a time; who shares one, who was on the list before and who is held out is
found by DuckDB, which gets hashes of addresses, and spills to disk what it cannot hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import ipc

from reclustering.core.contracts import AUDIENCE, EXCLUSIONS, LISTED, OUTCOMES_SCHEMA
from reclustering.core.errors import BadInputError, TerminalError
from reclustering.core.scratch import scratch_file, spill_folder
from reclustering.target_list.addresses import (
    FORMULA_STARTS,
    address_key,
    are_plain,
    is_valid,
)
from reclustering.target_list.list_file import COLUMNS
from reclustering.target_list.members import MEMBERS_SCHEMA
from reclustering.target_list.opt_outs import OptOuts
from reclustering.target_list.settings import ListSettings

MEMORY = "192MB"
"""What DuckDB may use; beyond it, it spills."""

BATCH = 100_000
"""Customers of the list in memory at a time."""

_COMPRESSED = ipc.IpcWriteOptions(compression="lz4")

LIST_SCHEMA = pa.schema(
    [*(MEMBERS_SCHEMA.field(name) for name in COLUMNS[:-1]), (COLUMNS[-1], pa.date32())]
)
"""What is known of a customer on the list; `since` is the first as_of of a stay that has not ended."""

_MASKED = "XXX@XXXX.com"
"""What the masking function `email()` makes of an address, after its first character."""

_CANDIDATES = """
CREATE TABLE candidates (
    customer BIGINT, reason VARCHAR, mailbox UHUGEINT, day INTEGER, returned BOOLEAN
)
"""
"""`day` is that of the last purchase, in days since 1970."""

_SHARED = """
CREATE TABLE shared AS
SELECT
    mailbox,
    max(struct_pack(day := coalesce(day, -2147483648), last := -customer::HUGEINT)).last * -1 AS owner,
    bool_or(recent.customer IS NOT NULL) AS recently
FROM candidates
LEFT JOIN recent USING (customer)
WHERE reason IS NULL AND mailbox IN (
    SELECT mailbox FROM candidates WHERE reason IS NULL GROUP BY mailbox HAVING count(*) > 1
)
GROUP BY mailbox
"""
"""Mailboxes of several customers, few as a rule, and who counts for each. One waits with whoever of them was
mailed."""

_OUTCOMES = f"""
CREATE TABLE outcomes AS
SELECT
    candidates.customer,
    CASE
        WHEN reason IS NOT NULL THEN reason
        WHEN shared.owner != candidates.customer THEN 'duplicate_address'
        WHEN coalesce(shared.recently, recent.customer IS NOT NULL) THEN 'cool_off'
        WHEN $held_out > 0
            AND ('0x' || left(md5($salt || ':' || candidates.customer), 15))::BIGINT < $held_out
            THEN 'holdout'
        ELSE '{LISTED}'
    END AS outcome,
    CASE WHEN outcome IN {AUDIENCE} THEN coalesce(since, CAST($as_of AS DATE)) END AS since,
    returned,
    outcome IN {AUDIENCE} AND before.customer IS NULL AS added,
    outcome IN {AUDIENCE} AND coalesce(listed, false) AS stays
FROM candidates
LEFT JOIN shared ON reason IS NULL AND candidates.mailbox = shared.mailbox
LEFT JOIN recent USING (customer)
LEFT JOIN before USING (customer)
ORDER BY candidates.customer
"""  # noqa: S608
"""Held out is whose hash, the first 15 hexadecimal digits of the MD5 of `salt:customer`, lies in the lowest
share of its range: whoever is stays so when the share grows."""


class Before(NamedTuple):
    """The list before: its `target_list.parquet`, and its day."""

    outcomes: Path
    as_of: date


@dataclass(frozen=True)
class Totals:
    """What became of the customers of a cluster.

    Attributes
    ----------
    outcomes : dict
        Number of customers by `LISTED` or the reason of `EXCLUSIONS`.
    returned : int
        How many on the list have returned something.
    new : int
        How many on the list could not have been before this as_of.
    audience : int
        How many are on the list, or off it only for now or for comparison.
    added : int
        How many of the audience were not of the one before.
    gone : int
        How many were on the list before and are of the audience no more.
    before : int
        How many that had.
    masked : int
        Whose address looks like what SQL Server shows in place of a masked one.
    """

    outcomes: dict[str, int]
    returned: int
    new: int
    audience: int
    added: int
    gone: int
    before: int
    masked: int

    @property
    def customers(self) -> int:
        """How many are on the list."""
        return self.outcomes[LISTED]

    @property
    def excluded(self) -> dict[str, int]:
        """How many are not, by reason."""
        return {reason: self.outcomes[reason] for reason in EXCLUSIONS}


@contextmanager
def selection() -> Iterator[Selection]:
    """Give a selection of customers, which is forgotten when the block ends."""
    with (
        spill_folder() as folder,
        scratch_file() as rows,
        duckdb.connect(str(folder / "selection")) as connection,
    ):
        connection.execute(f"SET temp_directory = '{folder}'")
        connection.execute(f"SET memory_limit = '{MEMORY}'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(_CANDIDATES)
        yield Selection(connection, rows)


class Selection:
    """The customers of a cluster, first collected, then decided on, then given out."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, rows: Path) -> None:
        self._connection = connection
        self._rows = rows
        self._masked = 0

    def collect(self, members: Iterable[pa.Table], opt_outs: OptOuts) -> None:
        """Take in the customers of the cluster, once, in their order.

        Parameters
        ----------
        members : iterable of Table
            With the columns of `MEMBERS_SCHEMA`.
        opt_outs : OptOuts
            Who must not be written to.
        """
        schema = pa.schema(list(LIST_SCHEMA)[:-1])
        with ipc.new_file(self._rows, schema, options=_COMPRESSED) as sink:
            for part in members:
                judged = _judge(part, opt_outs)
                self._masked += judged.masked
                self._connection.register("part", judged.candidates)
                self._connection.execute(
                    "INSERT INTO candidates SELECT customer, reason, md5_number(mailbox),"
                    " last_purchase - DATE '1970-01-01', frequency > 0 FROM part"
                )
                self._connection.unregister("part")
                sink.write_table(judged.open_rows.select(schema.names).cast(schema))

    def decide(
        self,
        settings: ListSettings,
        *,
        as_of: date,
        before: Before | None,
        recent: Iterable[pa.RecordBatch],
    ) -> Totals:
        """Decide about everybody.

        Of several customers with one address the one with the latest purchase counts; of several with the
        same day, the one with the lowest key.

        Parameters
        ----------
        settings : ListSettings
            Who is kept off.
        as_of : date
            The day of the list.
        before : Before or None
            The list before.
        recent : iterable of RecordBatch
            Column `customer`: who was mailed so lately that they are not to be again, each once.
        """
        query = self._connection.execute
        query("CREATE TABLE recent (customer BIGINT)")
        for batch in recent:
            self._connection.register("part", batch)
            query("INSERT INTO recent SELECT customer FROM part")
        query("CREATE TABLE before (customer BIGINT, since DATE, listed BOOLEAN)")
        if before is not None:
            self._read_before(before)
        query(_SHARED)
        query(
            _OUTCOMES,
            {
                "as_of": as_of,
                "salt": settings.salt,
                "held_out": int(settings.holdout * 16**15),
            },
        )
        return self._totals(as_of)

    def _read_before(self, before: Before) -> None:
        # A file that is older than these columns names who was on the list, and nothing else.
        rows = self._connection.read_parquet(str(before.outcomes))
        if "outcome" in rows.columns:
            rows = rows.filter(f"outcome IN {AUDIENCE}").select(
                f"customer, since, outcome = '{LISTED}' AS listed"
            )
        else:
            rows = rows.select(f"customer, DATE '{before.as_of}' AS since, true AS listed")
        rows.insert_into("before")

    def _totals(self, as_of: date) -> Totals:
        found = self._connection.execute(
            "SELECT outcome, count(*), count(*) FILTER (returned), count(*) FILTER (added),"
            " count(*) FILTER (since = CAST($as_of AS DATE)), count(*) FILTER (stays)"
            " FROM outcomes GROUP BY outcome",
            {"as_of": as_of},
        ).fetchall()
        counted = {outcome: numbers for outcome, *numbers in found}
        nobody = [0] * 5
        return Totals(
            outcomes={one: counted.get(one, nobody)[0] for one in (LISTED, *EXCLUSIONS)},
            returned=counted.get(LISTED, nobody)[1],
            new=counted.get(LISTED, nobody)[3],
            audience=sum(counted.get(one, nobody)[0] for one in AUDIENCE),
            added=sum(counted.get(one, nobody)[2] for one in AUDIENCE),
            gone=self._count("before WHERE listed") - sum(one[4] for one in counted.values()),
            before=self._count("before"),
            masked=self._masked,
        )

    def _count(self, rows: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {rows}").fetchall()[0][0])  # noqa: S608

    def write_outcomes(self, out: Path) -> None:
        """Write `target_list.parquet`, which outlives the addresses: what became of each customer, by key."""
        with pq.ParquetWriter(out, OUTCOMES_SCHEMA, compression="zstd") as sink:
            for batch in self._outcomes("true"):
                sink.write_batch(batch.select(OUTCOMES_SCHEMA.names).cast(OUTCOMES_SCHEMA))

    def listed(self) -> Iterator[pa.Table]:
        """Give who is on the list, sorted by customer, with the columns of `LIST_SCHEMA`."""
        known = _Slices(self._outcomes(f"outcome NOT IN {_BY_ADDRESS}"))
        with ipc.open_file(self._rows) as rows:
            for batch in map(rows.get_batch, range(rows.num_record_batches)):
                beside = known.take(batch.num_rows)
                _require_same(beside["customer"], batch["customer"])
                table = pa.Table.from_batches([batch]).append_column("since", beside["since"])
                yield table.filter(pc.equal(beside["outcome"], LISTED)).cast(LIST_SCHEMA)

    def _outcomes(self, where: str) -> Iterator[pa.RecordBatch]:
        relation = self._connection.sql(f"FROM outcomes WHERE {where}")
        with relation.to_arrow_reader(BATCH) as reader:
            yield from reader


_BY_ADDRESS = ("no_address", "malformed", "suppressed", "formula_address")
"""Reasons that need no other customer."""


class _Slices:
    """Batches, taken so many rows at a time."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._rest: list[pa.RecordBatch] = []

    def take(self, rows: int) -> pa.Table:
        """Give the next so many rows."""
        while sum(batch.num_rows for batch in self._rest) < rows:
            self._rest.append(next(self._batches))
        table = pa.Table.from_batches(self._rest)
        self._rest = table.slice(rows).to_batches()
        return table.slice(0, rows)


def _require_same(decided: pa.ChunkedArray, collected: pa.Array) -> None:
    if not decided.combine_chunks().equals(collected):
        raise TerminalError(
            "The list's customers came back from DuckDB in another order; nobody is listed. Clear this task; "
            "if it happens again, it is a fault of this pipeline's."
        )


@dataclass(frozen=True)
class _Judged:
    """What was found out about some customers from their own rows: `open_rows` may be on the list."""

    candidates: pa.Table
    open_rows: pa.Table
    masked: int


def _judge(part: pa.Table, opt_outs: OptOuts) -> _Judged:
    part = part.combine_chunks()
    address, mailbox, valid = _read_addresses(_column(part, "email"))
    masked = pc.and_(
        pc.ends_with(address, _MASKED),
        pc.less_equal(pc.utf8_length(address), len(_MASKED) + 1),
    )
    reason = pc.case_when(
        pc.make_struct(
            pc.equal(address, ""),
            pc.or_(masked, pc.invert(valid)),
            opt_outs.cover_each(_column(part, "customer"), mailbox),
            pc.is_in(pc.utf8_slice_codeunits(address, 0, 1), pa.array(FORMULA_STARTS)),
        ),
        *map(pa.scalar, _BY_ADDRESS),
    )
    part = part.set_column(part.column_names.index("email"), "email", address)
    candidates = part.append_column("reason", reason).append_column("mailbox", mailbox)
    return _Judged(candidates, part.filter(reason.is_null()), masked.true_count)


def _read_addresses(
    emails: pa.StringArray,
) -> tuple[pa.StringArray, pa.StringArray, pa.BooleanArray]:
    """Give addresses without the blanks around them, their keys, and whether they are valid."""
    address = pc.ascii_trim_whitespace(pc.fill_null(emails, ""))
    plain = are_plain(address)
    # What has no such sign is none; beyond ASCII it may be blank.
    open_question = pc.or_(pc.match_substring(address, "@"), pc.invert(pc.string_is_ascii(address)))
    rest = pc.and_not(open_question, plain)
    others = [one.strip() for one in address.filter(rest).to_pylist()]
    keys = pa.array([address_key(one) for one in others], pa.string())
    mailbox = pc.replace_with_mask(pc.ascii_lower(address), rest, keys)
    valid = pc.replace_with_mask(plain, rest, pa.array(map(is_valid, others), pa.bool_()))
    return pc.replace_with_mask(address, rest, pa.array(others, pa.string())), mailbox, valid


def _column(table: pa.Table, name: str) -> pa.Array:
    return table[name].combine_chunks()


def require_unmasked(totals: Totals) -> None:
    """Refuse addresses that the database does not show to this login.

    Raises
    ------
    BadInputError
        When they look masked for more than one customer in a hundred; fewer are malformed, and left out.
    """
    size = sum(totals.outcomes.values())
    if totals.masked * 100 > size:
        raise BadInputError(
            f"The addresses of {totals.masked:,} of {size:,} customers are like "
            "aXXX@XXXX.com: dbo.customer.c_email_address is masked (dynamic data masking), perhaps behind a "
            "view. Grant UNMASK to the login of the connection 'warehouse', and clear this task."
        )


def require_whole_cluster(totals: Totals, *, label: int, size: int) -> None:
    """Check that the list accounts for the cluster.

    Raises
    ------
    BadInputError
        When its customers are not as many as `size`, of `clusters.json`.
    """
    accounted = sum(totals.outcomes.values())
    if accounted != size:
        raise BadInputError(
            f"{totals.customers} customers on the list and {totals.excluded} make {accounted}; "
            f"cluster {label} has {size} customers in clusters.json. Clear fit_clusters and the tasks "
            "after it."
        )
