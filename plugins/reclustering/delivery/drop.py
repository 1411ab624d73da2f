"""The list as a file for machines: left in a folder or bucket, with a manifest that is written last."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from typing import Any

from upath import UPath

from reclustering.core.artifacts import OWNER_ONLY, fetch, publish, write_json
from reclustering.core.contracts import TARGET_LIST
from reclustering.core.run import Run, day_folder
from reclustering.delivery.attachment import require_content
from reclustering.delivery.ledger import Delivery, Ledger
from reclustering.delivery.sending import Result

SCHEMA_VERSION = 1
"""Of manifest and list; another one is another order or meaning of columns."""


def dropped_list(folder: UPath, built: dict[str, Any]) -> UPath:
    """Give where a list lies in the folder; no two lists lie in one place."""
    name = f"target_list_{built['label']}_{built['sha256'][:12]}.csv"
    return folder / day_folder(date.fromisoformat(built["as_of"])) / name


def drop_list(run: Run, built: dict[str, Any], folder: UPath) -> None:
    """Leave the list, and then its manifest, beside it and with the ending `.manifest.json`.

    Where the manifest is, the list is whole. It can be repeated: the same list gives the same files.

    Parameters
    ----------
    run : Run
        Whose list.
    built : dict
        The content of `target_list.json`.
    folder : UPath
        Where.

    Raises
    ------
    BadInputError
        When the run's file is not the list that `built` describes.
    TransientError, TerminalError
        When a bucket does not take it.
    """
    target = dropped_list(folder, built)
    with fetch(run.path(TARGET_LIST)) as csv, publish(target, mode=OWNER_ONLY) as scratch:
        require_content(csv, TARGET_LIST, built["sha256"])
        with csv.open("rb") as content, scratch.open("wb") as sink:
            columns = content.readline().decode("utf-8-sig").strip().split(",")
            content.seek(0)
            shutil.copyfileobj(content, sink)
            size = content.tell()
    told = ("as_of", "label", "customers", "new", "excluded", "sha256")
    manifest = {"schema_version": SCHEMA_VERSION, "run_id": run.run_id, "file": target.name}
    manifest |= {"bytes": size, "columns": columns} | {name: built[name] for name in told}
    write_json(target.with_suffix(".manifest.json"), manifest)


def deliver_drop(
    ledger: Ledger, delivery: Delivery, run: Run, built: dict[str, Any], folder: UPath
) -> Result:
    """Leave the list in the folder unless it is there; the folder has a row in the ledger as people have.

    An attempt that died is repeated: unlike a mail, a file that is written twice is there once.

    Raises
    ------
    BadInputError, TransientError, TerminalError, OSError
        As `drop_list` does; the folder is then still to get the list.
    """
    there = Result(
        delivery.recipient, "left", delivery.message_id, str(dropped_list(folder, built))
    )
    if delivery.state == "sent":
        return there
    if delivery.state == "sending":
        delivery = replace(delivery, attempts=delivery.attempts - 1)
    elif not ledger.claim(delivery):
        return replace(there, outcome="failed", detail="another attempt is at work on it")
    try:
        drop_list(run, built, folder)
    except Exception as error:
        ledger.settle(delivery, state="pending", detail=f"{type(error).__name__}: {error}")
        raise
    ledger.settle(delivery, state="sent", detail=there.detail)
    return there
