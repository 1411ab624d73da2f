"""The files a run leaves: written in one step, readable from a folder or a bucket.

Artifacts are addressed by `pathlib`-like paths (Airflow's `ObjectStoragePath`, or any `UPath`).
The functions that make and read them work on local files; these two context managers stand between.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from upath import UPath

from reclustering.core.errors import BadInputError

OWNER_ONLY = 0o600
"""Mode of the files that hold addresses."""


@contextmanager
def publish(target: UPath, *, mode: int = 0o644) -> Iterator[Path]:
    """Give a local file to write; when the block ends without an error it becomes `target`.

    A reader, and a retry after a crash, sees the whole file or none: a local file is renamed, and
    an object store shows an object once its upload is complete.
    """
    local = _local_path(target)
    if local is not None:
        local.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(
        prefix=".", suffix=f".{target.name}", dir=local.parent if local is not None else None
    )
    os.close(descriptor)
    scratch = Path(name)
    try:
        yield scratch
        scratch.chmod(mode)
        if local is not None:
            scratch.replace(local)
        else:
            with scratch.open("rb") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def fetch(source: UPath) -> Iterator[Path]:
    """Give a local file with the content of `source`.

    Raises
    ------
    BadInputError
        When `source` does not exist: the task that writes it has not run.
    """
    if not source.exists():
        raise BadInputError(
            f"There is no {source}. Clear the task that writes it, and this one after it."
        )
    local = _local_path(source)
    if local is not None:
        yield local
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, source.name)
        with source.open("rb") as remote, copy.open("wb") as sink:
            shutil.copyfileobj(remote, sink)
        yield copy


def write_json(target: UPath, content: dict[str, Any]) -> None:
    """Publish a dict as JSON. NaN and infinity are refused: no other reader knows them."""
    with publish(target) as scratch:
        scratch.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(source: UPath) -> dict[str, Any]:
    """Read a dict that `write_json` published.

    Raises
    ------
    BadInputError
        When the file is missing or is not JSON.
    """
    with fetch(source) as local:
        try:
            content: dict[str, Any] = json.loads(local.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadInputError(
                f"{source} is not readable JSON ({error}). Clear the task that writes it."
            ) from error
    return content


def content_sha256(content: dict[str, Any]) -> str:
    """Give the SHA-256 (hexadecimal) of what is in a JSON file, however it is written."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _local_path(path: UPath) -> Path | None:
    return Path(path.path) if path.protocol in {"", "file", "local"} else None
