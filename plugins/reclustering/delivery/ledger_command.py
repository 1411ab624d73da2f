"""The send ledger on the command line: what was sent, what is in doubt, clear the doubt."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from reclustering.core.protocols import Warehouse
from reclustering.delivery.ledger import clear_doubt, read_ledger

COLUMNS = ("as_of", "label", "state", "recipient", "customers", "attempts", "changed_at")

Command = Callable[[Warehouse, argparse.Namespace], str]
"""Does what the command line asks for; gives what to print."""


def add_ledger_command(parser: argparse.ArgumentParser) -> None:
    """Add the ledger's commands to a parser; each sets `command`, a `Command`."""
    commands = parser.add_subparsers(required=True)
    for name, states, text in (
        ("all", ("pending", "sending", "sent"), "every mail"),
        ("sent", ("sent",), "what was sent"),
        ("doubt", ("sending",), "what is in doubt, with the reason and the Message-ID"),
    ):
        show = commands.add_parser(name, help=text)
        show.set_defaults(command=_show, states=states)
    clear = commands.add_parser("clear", help="write down whether a mail in doubt has arrived")
    clear.add_argument("message_id")
    answer = clear.add_mutually_exclusive_group(required=True)
    answer.add_argument("--arrived", dest="arrived", action="store_true")
    answer.add_argument("--not-arrived", dest="arrived", action="store_false")
    clear.set_defaults(command=_clear)


def _show(warehouse: Warehouse, options: argparse.Namespace) -> str:
    rows = [row for row in read_ledger(warehouse) if row["state"] in options.states]
    return "\n".join(_table(rows)) if rows else "Nothing."


def _clear(warehouse: Warehouse, options: argparse.Namespace) -> str:
    clear_doubt(warehouse, options.message_id, arrived=options.arrived, now=datetime.now(UTC))
    if options.arrived:
        return "Written down as sent."
    return "Written down as pending. Clear email_target_list of the run to send it."


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
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
