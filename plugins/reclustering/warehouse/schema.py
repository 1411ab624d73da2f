"""What must be in `dbo`: the store's tables, which are only read, and the pipeline's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reclustering.core.errors import BadInputError, TerminalError
from reclustering.core.protocols import Session, Warehouse

_WHOLE = {"tinyint", "smallint", "int", "integer", "bigint", "hugeint"}
_EXACT = {"decimal", "numeric"}

KINDS: Mapping[str, tuple[str, set[str]]] = {
    "key": ("a whole number, such as bigint", _WHOLE),
    # A sum of int overflows at two thousand million.
    "money": (
        "decimal, money or float",
        _EXACT | {"money", "smallmoney", "float", "real", "double", "bigint", "hugeint"},
    ),
    "day": ("date", {"date", "datetime", "datetime2", "smalldatetime", "timestamp"}),
    "text": ("varchar or nvarchar", {"char", "varchar", "nchar", "nvarchar", "text", "ntext"}),
}
"""What a column of each kind is to be, and the types of both dialects that are."""


@dataclass(frozen=True)
class Migration:
    """A statement that brings the pipeline's own tables one step forward.

    Attributes
    ----------
    name : str
        The file under `include/sql/schema`, which starts with the number of the step.
    makes : str
        The table, view or column that is there afterwards: `table`, or `table.column`.
    sets : bool
        Whether the table is there before, and the statement only sets how it is kept.
    """

    name: str
    makes: str
    sets: bool = False

    @property
    def version(self) -> int:
        """The number of the step."""
        return int(self.name[:4])

    @property
    def table(self) -> str:
        """The table or view that it is about."""
        return self.makes.partition(".")[0]

    @property
    def column(self) -> str:
        """The column that it makes; empty if it makes none."""
        return self.makes.partition(".")[2]


MIGRATIONS = (
    Migration("0001_customer_clusters", "customer_clusters"),
    Migration("0002_customer_clusters_staging", "customer_clusters_staging"),
    Migration("0003_clustering_runs", "clustering_runs"),
    Migration("0004_email_suppressions", "email_suppressions"),
    Migration("0005_target_list_deliveries", "target_list_deliveries"),
    Migration("0006_py_customer_clusters", "py_customer_clusters"),
    Migration("0007_clustering_runs_k_groups", "clustering_runs.k_groups"),
    Migration("0008_clustering_runs_k_clear", "clustering_runs.k_clear"),
    Migration("0009_clustering_runs_outliers", "clustering_runs.outliers"),
    Migration("0010_clustering_runs_baseline", "clustering_runs.baseline"),
    Migration("0011_target_list_deliveries_taken_back_at", "target_list_deliveries.taken_back_at"),
    Migration("0012_clustering_decisions", "clustering_decisions"),
    Migration("0013_customer_clusters_staging_row_locks", "customer_clusters_staging", sets=True),
    Migration("0014_target_list_members", "target_list_members"),
)
"""All of them, in their order. One that has been released is never changed: another one follows."""

VERSIONS = "reclustering_migrations"
"""The table that says which of them have been run."""

OWN_OBJECTS: Mapping[str, str] = {
    one.makes: "VIEW" if one.makes == "py_customer_clusters" else "BASE TABLE"
    for one in MIGRATIONS
    if "." not in one.makes
} | {VERSIONS: "BASE TABLE"}
"""The pipeline's own tables and view, and the type of each."""


def require_source(warehouse: Warehouse) -> None:
    """Check that the store's four tables can be read as the statements read them.

    Raises
    ------
    BadInputError
        Names every table and column that is missing, or of a type that will not do, and keys that are there
        twice.
    """
    with warehouse.read() as session:
        columns = session.query("warehouse/source_columns")
        _require_columns(columns)
        repeated = session.query("warehouse/repeated_keys")
    if repeated:
        named = "; ".join(
            f"dbo.{row['key_name']} has {row['lowest']} twice"
            + (f" ({row['n']:,} keys are repeated)" if row["n"] > 1 else "")
            for row in repeated
        )
        raise BadInputError(
            f"The store cannot be read: {named}; expected every key once. Mend it, and clear this task."
        )


def _require_columns(columns: list[dict[str, Any]]) -> None:
    found = {row["table_name"] for row in columns if row["data_type"] is not None}
    missing = [
        f"column dbo.{row['table_name']}.{row['column_name']}"
        if row["table_name"] in found
        else f"table dbo.{row['table_name']}"
        for row in columns
        if row["data_type"] is None
    ]
    if missing:
        raise BadInputError(
            f"The store lacks {', '.join(dict.fromkeys(missing))}, or this login may not read it. "
            "Check the database that the connection 'warehouse' names, and the login's rights."
        )
    wrong = [
        f"dbo.{row['table_name']}.{row['column_name']} is {row['data_type'].lower()}; expected "
        f"{KINDS[row['kind']][0]}"
        for row in columns
        if row["kind"] != "any" and not _is_of_kind(row)
    ]
    if wrong:
        raise BadInputError(
            f"The store cannot be read: {', and '.join(wrong)}. Change the type, or put a view in the "
            "table's place that casts it."
        )


def _is_of_kind(column: dict[str, Any]) -> bool:
    # DuckDB says DECIMAL(7,2).
    data_type = column["data_type"].partition("(")[0].lower()
    if column["kind"] == "key" and data_type in _EXACT:
        return column["numeric_scale"] == 0
    return data_type in KINDS[column["kind"]][1]


def create_own_objects(warehouse: Warehouse) -> list[str]:
    """Bring the pipeline's own tables and view up to date; touch nothing else.

    A table that is there before its migration is written down (the tables are older than the migrations, and
    the sample store brings one) is left as it is.

    Returns
    -------
    list of str
        The migrations that were run.

    Raises
    ------
    TerminalError
        When one of the names is taken by an object of another type, such as the table
        `py_customer_clusters` that the tutorial's script leaves behind; when the tables are those of a
        later version of the pipeline; or when the login may not create them.
    """
    with warehouse.read() as session:
        current = not _pending(session)
    if current:
        return []
    run: list[Migration] = []
    with warehouse.transaction(lock="schema") as session:
        if not _there(session, VERSIONS):
            session.execute("schema/migrations")
        # Looked up again: another run may have been at it while this one waited.
        pending, applied = _pending(session), _applied(session)
        for one in pending:
            if _is_needed(session, one, applied, run):
                session.execute(f"schema/{one.name}")
                run.append(one)
            if one.version not in applied:
                session.execute(
                    "schema/insert_migration",
                    {"version": one.version, "name": one.name, "now": _now()},
                )
    return [one.name for one in run]


def _is_needed(session: Session, one: Migration, applied: set[int], run: list[Migration]) -> bool:
    if one.sets:
        # A table that has just been made anew is not kept so yet.
        return one.version not in applied or one.table in {other.table for other in run}
    return not _there(session, one.table, one.column)


def _pending(session: Session) -> list[Migration]:
    """Give the migrations that are not written down, or whose object somebody has dropped."""
    applied = _applied(session)
    known = {one.version for one in MIGRATIONS}
    if later := sorted(applied - known):
        raise TerminalError(
            f"dbo.{VERSIONS} has version {later[-1]}; this pipeline knows those up to {max(known)}. A later "
            "one has run here: deploy that. There is no way back but the backup."
        )
    return [
        one
        for one in MIGRATIONS
        if not _there(session, one.table, one.column) or one.version not in applied
    ]


def _applied(session: Session) -> set[int]:
    if not _there(session, VERSIONS):
        return set()
    return {int(row["version"]) for row in session.query("schema/applied_migrations")}


def _there(session: Session, name: str, column: str = "") -> bool:
    found = session.query("warehouse/object", {"table_name": name, "column_name": column})
    if found and found[0]["table_type"] != OWN_OBJECTS.get(name, found[0]["table_type"]):
        raise TerminalError(
            f"dbo.{name} exists as {found[0]['table_type']}; expected {OWN_OBJECTS[name]}. It is left as it "
            f"is: keep it under another name (EXEC sp_rename 'dbo.{name}', '{name}_old') and rerun."
        )
    return bool(found) and (not column or found[0]["column_name"] is not None)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
