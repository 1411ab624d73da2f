"""What must be in `dbo`: the store's tables, which are only read, and the pipeline's own."""

from __future__ import annotations

from collections.abc import Mapping

from reclustering.core.errors import BadInputError, TerminalError
from reclustering.core.protocols import Session, Warehouse

SOURCE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "store_sales": (
        "ss_customer_sk",
        "ss_sold_date_sk",
        "ss_ticket_number",
        "ss_item_sk",
        "ss_net_paid",
    ),
    "store_returns": (
        "sr_customer_sk",
        "sr_returned_date_sk",
        "sr_ticket_number",
        "sr_item_sk",
        "sr_return_amt",
    ),
    "customer": (
        "c_customer_sk",
        "c_salutation",
        "c_first_name",
        "c_last_name",
        "c_email_address",
    ),
    "date_dim": ("d_date_sk", "d_date"),
}
"""The columns that the statements read, by table."""

OWN_OBJECTS: Mapping[str, str] = {
    "customer_clusters": "BASE TABLE",
    "customer_clusters_staging": "BASE TABLE",
    "clustering_runs": "BASE TABLE",
    "email_suppressions": "BASE TABLE",
    "target_list_deliveries": "BASE TABLE",
    "py_customer_clusters": "VIEW",
}
"""What `include/sql/schema` creates, in the order of creation, and the type of each."""

ADDED_COLUMNS: Mapping[str, tuple[str, str]] = {
    "clustering_runs_k_groups": ("clustering_runs", "k_groups"),
    "clustering_runs_k_clear": ("clustering_runs", "k_clear"),
    "clustering_runs_outliers": ("clustering_runs", "outliers"),
    "clustering_runs_baseline": ("clustering_runs", "baseline"),
    "target_list_deliveries_taken_back_at": ("target_list_deliveries", "taken_back_at"),
}
"""Statements that bring an older table up to date, each with the table and the column it adds."""


def require_source(warehouse: Warehouse) -> None:
    """Check that the store's four tables are there with the columns that the statements read.

    Raises
    ------
    BadInputError
        Names every table and column that is missing.
    """
    with warehouse.read() as session:
        found = _columns(session)
    tables = {table for table, _ in found}
    missing = [
        f"table dbo.{table}" if table not in tables else f"column dbo.{table}.{column}"
        for table, columns in SOURCE_COLUMNS.items()
        for column in columns
        if (table, column) not in found
    ]
    if missing:
        raise BadInputError(
            f"The store lacks {', '.join(dict.fromkeys(missing))}, or this login may not read it. "
            "Check the database that the connection 'warehouse' names, and the login's rights."
        )


def create_own_objects(warehouse: Warehouse) -> None:
    """Create the pipeline's own tables, columns and view where they are missing; touch nothing else.

    Raises
    ------
    TerminalError
        When one of the names is taken by an object of another type, such as the table
        `py_customer_clusters` that the tutorial's script leaves behind.
    """
    with warehouse.read() as session:
        missing = _missing_objects(session) or _missing_columns(session)
    if missing:
        with warehouse.transaction(lock="schema") as session:
            # Looked up again: another run may have created them while this one waited.
            for name in _missing_objects(session):
                session.execute(f"schema/{name}")
            for name in _missing_columns(session):
                session.execute(f"schema/{name}")


def _missing_objects(session: Session) -> list[str]:
    existing = {
        row["table_name"].lower(): row["table_type"] for row in session.query("warehouse/objects")
    }
    for name, expected in OWN_OBJECTS.items():
        if existing.get(name, expected) != expected:
            raise TerminalError(
                f"dbo.{name} exists as {existing[name]}; expected {expected}. It is left as it is: "
                f"keep it under another name (EXEC sp_rename 'dbo.{name}', '{name}_old') and rerun."
            )
    return [name for name in OWN_OBJECTS if name not in existing]


def _missing_columns(session: Session) -> list[str]:
    found = _columns(session)
    return [name for name, column in ADDED_COLUMNS.items() if column not in found]


def _columns(session: Session) -> set[tuple[str, str]]:
    rows = session.query("warehouse/columns")
    return {(row["table_name"].lower(), row["column_name"].lower()) for row in rows}
