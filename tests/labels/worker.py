"""A process of its own that works on the connection `warehouse`, and can be stopped on the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from datetime import date
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from reclustering.warehouse import connect
from reclustering.warehouse.schema import create_own_objects
from tests.stores import publish

POINTS = ("loaded", "deleted", "before commit", "after commit")
"""Where a publication can be stopped."""

# The statement before, or after, which each point lies.
_BEFORE = {
    "loaded": "labels/staging_checksum",
    "deleted": "labels/insert_labels",
    "after commit": "labels/delete_staging",
}
_AFTER = {"before commit": "labels/insert_run"}

# Children of a server that has imported everything start at once, and share no open file or thread.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


# Of the worker that this process is.
_EVENTS: list[Event] = []


class Worker:
    """A process at work, with the environment of its parent."""

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        self._held, self._released = _CONTEXT.Event(), _CONTEXT.Event()
        self._process = _CONTEXT.Process(
            target=_start, args=(dict(os.environ), self._held, self._released, work, arguments)
        )
        self._process.start()

    def wait_until_held(self) -> None:
        """Wait until it has come to the point where it holds."""
        assert self._held.wait(timeout=60)

    def release(self) -> None:
        """Let it go on."""
        self._released.set()

    def is_working(self, seconds: float = 0) -> bool:
        """Tell whether it is still at work after so many seconds."""
        self._process.join(timeout=seconds)
        return self._process.exitcode is None

    def finish(self) -> int | None:
        """Wait for its end; give its exit code."""
        self._process.join(timeout=120)
        return self._process.exitcode


def create() -> None:
    """Create the pipeline's own objects."""
    create_own_objects(connect())


def publish_file(
    labels: Path, as_of: date, run_id: str, point: str | None = None, then: str = "kill"
) -> None:
    """Publish labels; at `point`, `kill` ends the process as a lost machine would, `hold` waits."""
    if point:
        _stop_at(point, then)
    publish(connect(), labels, as_of, run_id)


def _start(
    environment: Mapping[str, str],
    held: Event,
    released: Event,
    work: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    _EVENTS.extend([held, released])
    os.environ.clear()
    os.environ.update(environment)
    work(*arguments)


def _stop_at(point: str, then: str) -> None:
    with connect().read() as session:
        kind: Any = type(session)
    stop = _hold if then == "hold" else _kill

    def stopping(method: Any) -> Any:
        def run(self: Any, name: str, parameters: Any = None) -> Any:
            if name == _BEFORE.get(point):
                stop()
            result = method(self, name, parameters)
            if name == _AFTER.get(point):
                stop()
            return result

        return run

    kind.execute, kind.query = stopping(kind.execute), stopping(kind.query)


def _hold() -> None:
    held, released = _EVENTS
    held.set()
    assert released.wait(timeout=60)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
