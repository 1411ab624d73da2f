"""What a task has read and written, for Airflow's lineage: OpenLineage listens, where it is installed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import quote

from airflow.sdk import Asset, BaseHook, Connection
from airflow.sdk.lineage import NoOpCollector, get_hook_lineage_collector
from upath import UPath

from reclustering.core.artifacts import Use, watched

log = logging.getLogger(__name__)

DEFAULT_PORT = 1433

_READER = BaseHook()
"""Who Airflow is told has used them; it counts what one and the same has used twice as one."""


@contextmanager
def reported(inlets: Iterable[Asset]) -> Iterator[None]:
    """Report the tables that a task says it reads, and the files that the block did read and write."""
    with watched() as files:
        yield
    _report(tables_read=inlets, files=files)


def report_written(table: Asset) -> None:
    """Report a table that the task has written."""
    _report(tables_written=[table])


def _report(
    *,
    tables_read: Iterable[Asset] = (),
    tables_written: Iterable[Asset] = (),
    files: Iterable[tuple[UPath, Use]] = (),
) -> None:
    collector = get_hook_lineage_collector()
    if isinstance(collector, NoOpCollector):
        return
    uses: list[tuple[Use, Callable[[], str]]] = [
        *(("read", partial(_table, table.name)) for table in tables_read),
        *(("written", partial(_table, table.name)) for table in tables_written),
        *((use, partial(_file, path)) for path, use in files),
    ]
    for use, uri in uses:
        add = collector.add_input_asset if use == "read" else collector.add_output_asset
        try:
            add(_READER, uri=uri())
        except Exception as error:  # noqa: BLE001 (the task itself has done its work)
            log.warning("Something read or written could not be reported as lineage: %s", error)


def _table(name: str) -> str:
    """Give the URI of a table; that of the whole file where the warehouse is one."""
    warehouse = BaseHook.get_connection("warehouse")
    database = (warehouse.schema or "").lstrip("/")
    if warehouse.conn_type == "duckdb":
        return _uri("file", f"/{database}")
    schema, _, table = name.partition(".")
    return f"mssql://{_server(warehouse)}/{database}/{schema}/{table}"


def _server(warehouse: Connection) -> str:
    """Give host, port and instance from the forms in which SQL Server's drivers take them."""
    host = (warehouse.host or "").strip().lower().removeprefix("tcp:")
    host, _, port = host.partition(",")
    host, _, instance = host.partition("\\")
    if ":" in host:
        host = f"[{host.strip('[]')}]"
    server = f"{host}:{port or warehouse.port or DEFAULT_PORT}"
    return f"{server}/{instance}" if instance else server


def _file(path: UPath) -> str:
    # Without the name of the connection, which `str` has.
    return _uri("file" if path.protocol in {"", "file", "local"} else path.protocol, path.path)


def _uri(scheme: str, path: str) -> str:
    return f"{scheme}://{quote(path, safe='/=+~')}"
