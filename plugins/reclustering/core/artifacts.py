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
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from upath import UPath

from reclustering.core.contracts import KEYED_FILES
from reclustering.core.errors import BadInputError, TerminalError, TransientError
from reclustering.core.scratch import scratch_file, spill_folder

OWNER_ONLY = 0o600
"""Mode of the files that hold addresses."""

HADOOP_CHECKSUM = ".*.crc"
"""What Hadoop, and so Spark, puts beside each file in a folder."""

Use = Literal["read", "written"]

_used: ContextVar[list[tuple[UPath, Use]] | None] = ContextVar("_used", default=None)


@contextmanager
def watched() -> Iterator[list[tuple[UPath, Use]]]:
    """Give a list in which every file stands that the block has published or fetched."""
    files: list[tuple[UPath, Use]] = []
    token = _used.set(files)
    try:
        yield files
    finally:
        _used.reset(token)


@contextmanager
def publish(target: UPath, *, mode: int = 0o644) -> Iterator[Path]:
    """Give a local file to write; when the block ends without an error it becomes `target`.

    A reader, and a retry after a crash, sees the whole file or none: a local file is renamed, and an
    object store shows an object once its upload is complete.

    Raises
    ------
    TransientError, TerminalError
        When a bucket does not take it.
    """
    local = _local_path(target)
    if local is None:
        with scratch_file() as scratch:
            yield scratch
            _remove_parts(target)
            with explained(target):
                _put(scratch, target)
        _note(target, "written")
        return
    _remove_left(local)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=f".{target.name}", dir=local.parent)
    os.close(descriptor)
    scratch = Path(name)
    try:
        yield scratch
        scratch.chmod(mode)
        _remove_parts(target)
        scratch.replace(local)
    finally:
        scratch.unlink(missing_ok=True)
    _note(target, "written")


def _remove_parts(target: UPath) -> None:
    """Remove the folder of part files that another engine has left in place of a table's file."""
    if _is_in_parts(target):
        remove_folder(target)


def _is_in_parts(path: UPath) -> bool:
    # Of a bucket that is a question more, which other files need not wait for.
    return path.name in KEYED_FILES and path.is_dir()


def _remove_left(local: Path) -> None:
    """Remove what an attempt that was killed has left; no other one writes a file of this run."""
    local.parent.mkdir(parents=True, exist_ok=True)
    for left in local.parent.glob(f".*.{local.name}"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)


def _put(local: Path, target: UPath) -> None:
    if target.protocol not in {"sftp", "ssh"}:
        target.fs.put_file(str(local), target.path)
        return
    # A file grows there under everybody's eyes; and of a file without a name put_file leaves the link alone.
    growing = f"{target.path}.part"
    target.fs.makedirs(str(PurePosixPath(target.path).parent), exist_ok=True)
    with local.open("rb") as content, target.fs.open(growing, "wb") as sink:
        shutil.copyfileobj(content, sink)
    target.fs.mv(growing, target.path)


@contextmanager
def publish_parts(target: UPath) -> Iterator[UPath]:
    """Give a folder for an engine to write its part files in; when the block ends it becomes `target`.

    In a bucket it is `target` at once, and complete when it holds `tables.COMPLETE`.
    """
    local = _local_path(target)
    if local is None:
        remove_table(target)
        yield target
        _note(target, "written")
        return
    _remove_left(local)
    scratch = Path(tempfile.mkdtemp(prefix=".", suffix=f".{target.name}", dir=local.parent))
    try:
        # An engine's workers may be other users; the folder of the run says who may come this far.
        scratch.chmod(0o777)
        yield UPath(scratch)
        for checksum in scratch.glob(HADOOP_CHECKSUM):
            # Which would not let a customer be erased from a part.
            checksum.unlink()
        scratch.chmod(0o755)
        remove_table(target)
        scratch.replace(local)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _note(target, "written")


def remove_table(table: UPath) -> None:
    """Remove a table, be it a file, a folder of part files or not there."""
    with explained(table):
        if table.is_dir():
            remove_folder(table)
        elif table.exists():
            # Not unlink(), which in a bucket takes the path for a pattern.
            table.fs.rm_file(table.path)


@contextmanager
def fetch(source: UPath) -> Iterator[Path]:
    """Give a local file, or folder of part files, with the content of `source`.

    Raises
    ------
    BadInputError
        When `source` does not exist: the task that writes it has not run.
    TransientError, TerminalError
        When a bucket does not give it.
    """
    local = _local_path(source)
    with explained(source):
        there = source.exists()
    if not there:
        raise BadInputError(
            f"There is no {source}. Clear the task that writes it, and this one after it."
        )
    note_read(source)
    if local is not None:
        yield local
        return
    with _copied(source) as copy:
        try:
            yield copy
        except BadInputError as error:
            raise BadInputError(str(error).replace(str(copy), str(source))) from error


@contextmanager
def _copied(source: UPath) -> Iterator[Path]:
    with explained(source):
        in_parts = _is_in_parts(source)
    if in_parts:
        with spill_folder() as folder:
            copy = folder / source.name
            with explained(source):
                source.fs.get(source.path, str(copy), recursive=True)
            yield copy
        return
    with scratch_file() as copy:
        with explained(source), source.open("rb") as remote, copy.open("wb") as sink:
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


def find_json(source: UPath) -> dict[str, Any] | None:
    """Read a dict that `write_json` published, in one request; None where there is none.

    Raises
    ------
    BadInputError
        When the file is not JSON.
    TransientError, TerminalError
        When a bucket does not give it.
    """
    with explained(source):
        try:
            text = source.fs.cat_file(source.path)
        except (FileNotFoundError, NotADirectoryError):
            return None
    try:
        content: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise BadInputError(f"{source} is not readable JSON ({error}).") from error
    return content


def file_sha256(file: Path) -> str:
    """Give the SHA-256 (hexadecimal) of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def content_sha256(content: dict[str, Any]) -> str:
    """Give the SHA-256 (hexadecimal) of what is in a JSON file, however it is written."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def remove_folder(folder: UPath) -> None:
    """Delete a folder and all that is in it. Its name is no pattern, whatever signs it has."""
    local = _local_path(folder)
    if local is not None:
        shutil.rmtree(local)
        return
    with explained(folder):
        for path in folder.fs.find(folder.path):
            folder.fs.rm_file(path)


@contextmanager
def explained(path: UPath) -> Iterator[None]:
    """Turn the errors of an object store into the two kinds; those of a folder pass."""
    try:
        yield
    except (PermissionError, FileNotFoundError) as error:
        if _local_path(path) is not None:
            raise
        raise TerminalError(
            f"{path}: the object store refuses ({_reason(error)}). See that the bucket exists, and what its "
            "connection may do there: read, write, list and delete."
        ) from error
    except Exception as error:
        if _local_path(path) is not None:
            raise
        raise TransientError(
            f"{path}: the object store failed ({_reason(error)}). The next attempt may succeed; otherwise "
            "see its connection, and the network."
        ) from error


def note_read(source: UPath) -> None:
    """Note a file that is read where it lies, for `watched`."""
    _note(source, "read")


def _note(path: UPath, use: Use) -> None:
    if (files := _used.get()) is not None:
        files.append((path, use))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": .")


def _local_path(path: UPath) -> Path | None:
    return Path(path.path) if path.protocol in {"", "file", "local"} else None
