"""Room for what does not outlive a task, even one that is killed."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory, TemporaryFile, gettempdir

_DESCRIPTORS = Path("/proc/self/fd")
_SPILL = "reclustering-spill-"


@contextmanager
def scratch_file() -> Iterator[Path]:
    """Give an empty file for this process alone.

    On Linux it has no name in any folder, so that nothing is left of it even after a SIGKILL; its path is
    that of the open descriptor.
    """
    if _DESCRIPTORS.is_dir():
        with TemporaryFile() as file:
            yield _DESCRIPTORS / str(file.fileno())
    else:
        with NamedTemporaryFile() as file:
            yield Path(file.name)


@contextmanager
def spill_folder() -> Iterator[Path]:
    """Give a folder for what a database engine does not keep in memory.

    What killed processes have left of theirs is removed first.
    """
    for left in Path(gettempdir()).glob(f"{_SPILL}*"):
        _remove_if_left(left)
    with TemporaryDirectory(prefix=_SPILL) as folder, Path(folder, "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(folder)


def _remove_if_left(folder: Path) -> None:
    # Who has only just made one may not have locked it yet. Another user's is not ours to judge.
    with suppress(OSError):
        if time.time() - folder.stat().st_mtime > 60:
            with (folder / "lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
