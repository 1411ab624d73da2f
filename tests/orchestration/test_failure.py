"""Nothing but the two kinds of failure leaves a task, each with what to do."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout

from reclustering.core.errors import BadInputError, TerminalError, TransientError
from reclustering.orchestration.failure import EndedForGood, EndedForNow, UnexpectedError

pytestmark = pytest.mark.usefixtures("airflow_database")


def leaves(error):
    """Give what leaves a task in which an error is raised."""
    from reclustering.orchestration import step

    def body(**context):
        raise error

    try:
        step(timedelta(minutes=1))(body).function()
    except (Exception, SystemExit) as left:  # noqa: BLE001
        return left


def os_error(number):
    return OSError(number, os.strerror(number), "/srv/artifacts/x")


@pytest.mark.parametrize(
    ("error", "kind", "advice"),
    [
        (os_error(errno.ENOSPC), EndedForNow, "Make room on that disk"),
        (os_error(errno.EDQUOT), EndedForNow, "Make room on that disk"),
        (os_error(errno.EIO), EndedForNow, "The next attempt may succeed"),
        (os_error(errno.ENOTDIR), EndedForGood, "Correct the path, or its rights"),
        (os_error(errno.EACCES), EndedForGood, "Correct the path, or its rights"),
        (os_error(errno.EROFS), EndedForGood, "Correct the path, or its rights"),
        (os_error(errno.ENAMETOOLONG), EndedForGood, "Correct the path, or its rights"),
        (ConnectionResetError("gone"), EndedForNow, "The next attempt may succeed"),
        (TimeoutError("late"), EndedForNow, "The next attempt may succeed"),
        (MemoryError(), EndedForNow, "out of memory"),
        (KeyError("label"), UnexpectedError, "report it with the log"),
        (
            UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no"),
            UnexpectedError,
            "Correct the data|correct",
        ),
        (ZeroDivisionError("division by zero"), UnexpectedError, "clear this task"),
    ],
)
def test_other_errors_become_one_of_the_two(error, kind, advice):
    left = leaves(error)
    assert type(left) is kind
    assert pytest.importorskip("re").search(advice, str(left))
    assert str(left).startswith(type(error).__name__)
    # Airflow logs the traceback of any exception but this.
    assert isinstance(left, SystemExit) is not isinstance(left, UnexpectedError)
    assert left.__cause__ is (error if isinstance(left, UnexpectedError) else None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TransientError("a"), EndedForNow),
        (TerminalError("a"), EndedForGood),
        (BadInputError("a"), EndedForGood),
    ],
)
def test_the_two_kinds_end_the_task_with_their_sentence(error, kind):
    left = leaves(error)
    assert type(left) is kind
    assert str(left) == "a"
    assert left.code == 1


def test_a_task_that_takes_too_long_says_so_and_is_not_tried_again(caplog):
    left = leaves(AirflowTaskTimeout("Timeout, PID: 1"))
    assert [record.getMessage() for record in caplog.records] == [str(left)]
    assert type(left) is UnexpectedError
    assert "body took longer than 0:01:00, which is its limit" in str(left)


def test_the_sentence_stands_in_the_log_by_itself(caplog):
    leaves(BadInputError("The store is empty."))
    assert [record.getMessage() for record in caplog.records] == ["The store is empty."]
    assert caplog.records[0].exc_info is None


def test_a_call_that_never_returns_is_ended_with_its_process():
    """It holds the interpreter, so that neither a signal nor a thread gets through."""
    script = """
        import ctypes
        from datetime import timedelta
        from reclustering.orchestration import failure
        failure.GRACE = timedelta(0)
        hang = ctypes.PyDLL(None).sleep
        failure.step(timedelta(seconds=1))(lambda: hang(60)).function()
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        check=False,
        capture_output=True,
        timeout=30,
    )
    assert ended.returncode == 1
    assert b"Timeout (0:00:01)!" in ended.stderr
    assert b"failure.py" in ended.stderr, "it says where it was"


def test_a_customers_address_is_not_repeated():
    assert "jane" not in str(leaves(ValueError("cannot parse <jane@example.com>")))
