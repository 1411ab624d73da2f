"""The role of include/sql/admin: enough for the pipeline, and for nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from upath import UPath

from reclustering.core.errors import TerminalError
from reclustering.core.protocols import Warehouse
from reclustering.core.run import Run
from reclustering.core.statements import SQL_FOLDER, read_statement
from reclustering.warehouse import connect
from reclustering.warehouse.mssql import MsSqlSession, MsSqlWarehouse
from reclustering.warehouse.schema import (
    OWN_OBJECTS,
    create_own_objects,
    require_source,
)
from tests.stores import (
    MsSqlStore,
    extract,
    publish,
    requires_mssql,
    rows_of,
    write_labels_file,
)

LOGIN, PASSWORD, ROLE = "reclustering_test_login", "Not-so-s3cret!", "customer_reclustering"


def granted() -> dict[str, set[str]]:
    """The rights that the script grants, by table."""
    text = (SQL_FOLDER / "admin" / "create_role.sql").read_text(encoding="utf-8")
    grants = re.findall(
        r"^GRANT ([A-Z, ]+) ON dbo\.(\w+) TO customer_reclustering;$", text, re.MULTILINE
    )
    return {table: set(rights.split(", ")) for rights, table in grants}


def source_columns() -> set[tuple[str, str]]:
    """The columns of the store that are read: table and name."""
    rows = re.findall(r"\('(\w+)', '(\w+)', '\w+'\)", read_statement("warehouse/source_columns"))
    return set(rows)


def test_the_role_covers_every_statement_and_no_more() -> None:
    tables = {*OWN_OBJECTS, *(table for table, _ in source_columns())}
    used: dict[str, set[str]] = {name: {"SELECT"} for name in tables}
    patterns = {
        "INSERT": r"INSERT INTO dbo\.(\w+)",
        "DELETE": r"DELETE FROM dbo\.(\w+)",
        "UPDATE": r"UPDATE dbo\.(\w+)",
        "SELECT": r"(?<!DELETE )(?:FROM|JOIN) dbo\.(\w+)",
    }
    for path in SQL_FOLDER.rglob("*.sql"):
        if path.parent.name in {"admin", "sample", "schema"}:
            continue
        for right, pattern in patterns.items():
            for table in re.findall(pattern, path.read_text(encoding="utf-8")):
                used[table].add(right)
    # What bulk loads need.
    for table in ("customer_clusters_staging", "target_list_members"):
        used[table].add("INSERT")
    assert granted() == used


def test_the_rights_that_are_asked_for_are_those_that_are_granted() -> None:
    asked: dict[str, set[str]] = {}
    columns = set()
    rows = re.findall(
        r"\('(\w+)', '(\w+)', (NULL|'\w+')\)", read_statement("warehouse/missing_rights")
    )
    for right, table, column in rows:
        if column == "NULL":
            asked.setdefault(table, set()).add(right)
        else:
            columns.add((table, column.strip("'")))
    assert asked == {name: granted()[name] for name in OWN_OBJECTS}
    assert columns == {one for one in source_columns() if one[0] == "customer"}


@pytest.fixture
def restricted(store: MsSqlStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """The warehouse as the pipeline's login sees it; `store` is the administrator's."""
    store.create_source()
    owner = store.hook()
    create_own_objects(owner)
    assert isinstance(owner, MsSqlWarehouse)

    def execute(name: str, **values: str) -> None:
        with closing(owner.get_conn()) as connection:
            MsSqlSession(connection, owner.target).execute(f"admin/{name}", values)

    execute("create_role")
    execute("create_role")
    execute("create_login", login=LOGIN, password=PASSWORD)
    execute("create_user", login=LOGIN, role=ROLE)
    uri = store.uri.replace(f"{store.login}:{store.password}@", f"{LOGIN}:{PASSWORD}@")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", uri)
    yield connect()
    monkeypatch.undo()
    for statement in (f"DROP USER {LOGIN}", f"DROP LOGIN {LOGIN}"):
        store.run(statement)


@pytest.mark.parametrize("store", [requires_mssql], indirect=True)
def test_the_role_is_enough_and_nothing_else_is_allowed(
    restricted: Warehouse, store: MsSqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = date(2024, 1, 1)
    store.insert("store_sales", [(1, None, 1, 1, 10.0)])
    require_source(restricted)
    create_own_objects(restricted)
    restricted.require_rights()
    for right, table in (("INSERT", "customer_clusters"), ("SELECT", "email_suppressions")):
        store.run(f"REVOKE {right} ON dbo.{table} FROM {ROLE}")
        with pytest.raises(TerminalError, match=f"the login may not {right} on dbo.{table}. Grant"):
            restricted.require_rights()
        store.run(f"GRANT {right} ON dbo.{table} TO {ROLE}")
    extract(restricted, Run(day, "run", UPath(tmp_path)))
    labels = write_labels_file(tmp_path / "labels.parquet", 100)
    publish(restricted, labels, day)
    publish(restricted, labels, day)
    assert store.published(day) == rows_of(labels)

    monkeypatch.setattr("reclustering.core.statements.SQL_FOLDER", tmp_path)
    for number, forbidden in enumerate(
        [
            "DELETE FROM dbo.store_sales",
            "INSERT INTO dbo.email_suppressions (customer) VALUES (1)",
            "UPDATE dbo.customer_clusters SET cluster = 0",
            "DELETE FROM dbo.target_list_deliveries",
            "CREATE TABLE dbo.another (a int)",
        ]
    ):
        (tmp_path / f"forbidden_{number}.sql").write_text(forbidden)
        with pytest.raises(TerminalError), restricted.transaction() as session:
            session.execute(f"forbidden_{number}")
    assert store.count("store_sales") == 1
