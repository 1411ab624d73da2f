"""What people do by hand, where Airflow runs and with `plugins` on the path.

    python -m reclustering ledger doubt
    python -m reclustering take-back 2024-01-01
    python -m reclustering erase 4711
    python -m reclustering why 4711
    python -m reclustering migrate

It works on the warehouse that the Airflow connection `warehouse` names.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from reclustering.core.errors import TerminalError, TransientError
from reclustering.core.protocols import Warehouse
from reclustering.delivery.ledger_command import add_ledger_command
from reclustering.erasure import add_erase_command
from reclustering.explaining import add_why_command
from reclustering.orchestration import artifacts
from reclustering.taking_back import add_take_back_command
from reclustering.warehouse import connect
from reclustering.warehouse.schema import create_own_objects


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m reclustering", description=__doc__)
    rooms = parser.add_subparsers(required=True)
    add_ledger_command(
        rooms.add_parser("ledger", help="what was mailed, what is in doubt; clear the doubt")
    )
    add_take_back_command(
        rooms.add_parser("take-back", help="remove a published day: labels, run, files"), artifacts
    )
    add_erase_command(
        rooms.add_parser("erase", help="erase one customer from labels and files"), artifacts
    )
    add_why_command(rooms.add_parser("why", help="what became of one customer, and why"), artifacts)
    migrate = rooms.add_parser("migrate", help="bring the pipeline's own tables up to date")
    migrate.set_defaults(command=_migrate)
    options = parser.parse_args(arguments)
    try:
        print(options.command(connect(), options))  # noqa: T201
    except (TerminalError, TransientError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _migrate(warehouse: Warehouse, _: argparse.Namespace) -> str:
    run = create_own_objects(warehouse)
    return "\n".join(f"Ran {name}." for name in run) or "The tables are up to date."


if __name__ == "__main__":
    # Outside a task, Airflow looks for connections in its database only if it is told to be a server.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    sys.exit(main())
