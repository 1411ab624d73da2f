"""Erase one customer, who asked for it, from what the pipeline has written: tables and files."""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from reclustering.core.artifacts import (
    explained,
    fetch,
    publish,
    read_json,
    remove_table,
    write_json,
)
from reclustering.core.contracts import KEYED_FILES, REPORT, TARGET_LIST
from reclustering.core.protocols import Warehouse
from reclustering.core.tables import PARTS
from reclustering.labels.history import erase_labels
from reclustering.retention import ADDRESS_FILES, is_scratch, run_folders
from reclustering.target_list.membership import erase_member

NAMING_FILES = (
    "features.json",
    "elbow.json",
    "clusters.json",
    "fit_check.json",
    "target_list.json",
)
"""The files that name some customers by key: those left out, and those far from all others."""

TELLING_FILES = (REPORT, "mail.html")
"""The files that repeat what is said of them."""


def add_erase_command(parser: argparse.ArgumentParser, artifacts: Callable[[], UPath]) -> None:
    """Add the command's arguments to a parser; `artifacts` gives the root folder of all runs' files."""
    parser.add_argument("customer", type=int, help="the key, c_customer_sk")
    parser.set_defaults(
        command=lambda warehouse, options: _said(
            erase_customer(warehouse, artifacts(), options.customer), options.customer
        )
    )


def erase_customer(warehouse: Warehouse, artifacts: UPath, customer: int) -> dict[str, int]:
    """Erase a customer from the published labels and from the files of every run. It can be repeated.

    A list, CSV or spreadsheet, with the customer on it is deleted whole. The customer's opt-out stays, for it
    is to be heeded; so do the store's own tables, which are not the pipeline's to change.

    Parameters
    ----------
    warehouse : Warehouse
        Where the labels are.
    artifacts : UPath
        The root folder of all runs' files. No run should be under way.
    customer : int
        The key.

    Returns
    -------
    dict
        How many `labels`, and rows of who was on a list (`members`), were deleted, `files` written without
        the customer, and `lists` deleted.
    """
    files, lists = 0, 0
    with explained(artifacts):
        folders = list(run_folders(artifacts))
    for folder in folders:
        with explained(folder):
            there = {path.name: path for path in folder.iterdir()}
        _remove(
            [path for path in there.values() if is_scratch(path, (*KEYED_FILES, *ADDRESS_FILES))]
        )
        for table in (there[name] for name in KEYED_FILES if name in there):
            files += sum(_without_rows(part, customer) for part in _parts(table))
        files += sum(_unnamed(there[name], customer) for name in NAMING_FILES if name in there)
        files += sum(_unsaid(there[name], customer) for name in TELLING_FILES if name in there)
        if TARGET_LIST in there and _is_listed(there[TARGET_LIST], customer):
            lists += _remove([there[name] for name in ADDRESS_FILES if name in there])
    return {
        "labels": erase_labels(warehouse, customer),
        "members": erase_member(warehouse, customer),
        "files": files,
        "lists": lists,
    }


def _remove(paths: list[UPath]) -> int:
    for path in paths:
        with explained(path):
            remove_table(path)
    return len(paths)


def _parts(table: UPath) -> list[UPath]:
    with explained(table):
        return [*table.glob(PARTS)] if table.is_dir() else [table]


def _without_rows(path: UPath, customer: int) -> bool:
    """Write a Parquet file without the rows of a customer; tell whether there were any."""
    with fetch(path) as local:
        if not _has_rows(local, customer):
            return False
        with (
            publish(path) as scratch,
            pq.ParquetFile(local) as file,
            pq.ParquetWriter(scratch, file.schema_arrow) as writer,
        ):
            for batch in file.iter_batches():
                writer.write_batch(batch.filter(pc.not_equal(batch["customer"], customer)))
    return True


def _has_rows(file: Path, customer: int) -> bool:
    keys = pq.read_table(file, columns=["customer"], filters=[("customer", "==", customer)])
    return bool(keys.num_rows)


def _unnamed(path: UPath, customer: int) -> bool:
    """Write a JSON file without what names a customer; tell whether anything did."""
    content = read_json(path)
    left = _without(content, customer)
    if left == content:
        return False
    write_json(path, left)
    return True


def _unsaid(path: UPath, customer: int) -> bool:
    """Write a text without what it says of a customer; tell whether it said anything."""
    with fetch(path) as local:
        text = local.read_text(encoding="utf-8")
    left = _without(text, customer)
    if left == text:
        return False
    with publish(path) as scratch:
        scratch.write_text(left, encoding="utf-8")
    return True


def _without(content: Any, customer: int) -> Any:
    if isinstance(content, dict):
        return {name: _without(value, customer) for name, value in content.items()}
    if isinstance(content, list):
        return [
            _without(value, customer)
            for value in content
            if not (isinstance(value, dict) and value.get("customer") == customer)
        ]
    if isinstance(content, str):
        # As a guard names somebody: with the features, up to the next one.
        return re.sub(rf"customer {customer} with [^;)]*", "an erased customer", content)
    return content


def _is_listed(path: UPath, customer: int) -> bool:
    with fetch(path) as local, local.open(encoding="utf-8-sig", newline="") as file:
        return any(row["customer"] == str(customer) for row in csv.DictReader(file))


def _said(done: dict[str, int], customer: int) -> str:
    return (
        f"Erased customer {customer}: {done['labels']:,} published labels, and from "
        f"{done['members']:,} lists in dbo.target_list_members; {done['files']:,} files were "
        f"written without the customer, and {done['lists']:,} files of lists deleted. What stays: the "
        "opt-out in dbo.email_suppressions, mails that went out, lists in the folder of target_list_drop, "
        "backups, and the store's own tables. As long as those have the customer's sales, the next run reads "
        "them again."
    )
