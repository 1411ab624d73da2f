"""The send ledger on the command line: what was sent, what is in doubt, clear the doubt.

Run it where Airflow runs, with `plugins` on the path: `python -m mail.ledger doubt`. It reads the
warehouse that the Airflow connection `warehouse` names.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from reclustering.errors import TerminalError, TransientError
from reclustering.ledger import clear_doubt, read_ledger
from warehouse import connect

COLUMNS = ("as_of", "label", "state", "recipient", "customers", "attempts", "changed_at")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (TerminalError, TransientError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mail.ledger", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, states, text in (
        ("all", ("pending", "sending", "sent"), "every mail"),
        ("sent", ("sent",), "what was sent"),
        ("doubt", ("sending",), "what is in doubt, with the reason and the Message-ID"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=_show, states=states)
    clear = commands.add_parser("clear", help="write down whether a mail in doubt has arrived")
    clear.add_argument("message_id")
    answer = clear.add_mutually_exclusive_group(required=True)
    answer.add_argument("--arrived", dest="arrived", action="store_true")
    answer.add_argument("--not-arrived", dest="arrived", action="store_false")
    clear.set_defaults(run=_clear)
    return parser


def _show(options: argparse.Namespace) -> int:
    rows = [row for row in read_ledger(connect()) if row["state"] in options.states]
    sys.stdout.write("\n".join(_table(rows)) + "\n" if rows else "Nothing.\n")
    return 0


def _clear(options: argparse.Namespace) -> int:
    clear_doubt(connect(), options.message_id, arrived=options.arrived, now=datetime.now(UTC))
    sys.stdout.write(
        "Written down as sent.\n"
        if options.arrived
        else "Written down as pending. Clear email_target_list of the run to send it.\n"
    )
    return 0


def _table(rows: Sequence[dict[str, Any]]) -> Iterable[str]:
    cells = [list(COLUMNS), *([str(row[name]) for name in COLUMNS] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    head, *body = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )
    yield head
    for line, row in zip(body, rows, strict=True):
        yield line
        yield f"    list {row['list_sha256'].strip()}, run {row['run_id']}"
        yield f"    Message-ID {row['message_id']}"
        if row["detail"]:
            yield f"    {row['detail']}"


if __name__ == "__main__":
    # Outside a task, Airflow looks for connections in its database only if it is told to be a server.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    sys.exit(main())
