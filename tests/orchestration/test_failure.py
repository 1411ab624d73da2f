"""Nothing but the two kinds of failure leaves a task, each with what to do."""

from __future__ import annotations

import errno
import os

import pytest

from reclustering.core.errors import BadInputError, TerminalError, TransientError

pytestmark = pytest.mark.usefixtures("airflow_database")


def leaves(error):
    """Give what leaves a task in which an error is raised."""
    from reclustering.orchestration import step

    def body(**context):
        raise error

    try:
        step(body).function()
    except Exception as left:  # noqa: BLE001
        return left


def os_error(number):
    return OSError(number, os.strerror(number), "/srv/artifacts/x")


@pytest.mark.parametrize(
    ("error", "kind", "advice"),
    [
        (os_error(errno.ENOSPC), TransientError, "Make room on that disk"),
        (os_error(errno.EDQUOT), TransientError, "Make room on that disk"),
        (os_error(errno.EIO), TransientError, "The next attempt may succeed"),
        (os_error(errno.ENOTDIR), TerminalError, "Correct the path, or its rights"),
        (os_error(errno.EACCES), TerminalError, "Correct the path, or its rights"),
        (os_error(errno.EROFS), TerminalError, "Correct the path, or its rights"),
        (os_error(errno.ENAMETOOLONG), TerminalError, "Correct the path, or its rights"),
        (ConnectionResetError("gone"), TransientError, "The next attempt may succeed"),
        (TimeoutError("late"), TransientError, "The next attempt may succeed"),
        (MemoryError(), TransientError, "out of memory"),
        (KeyError("label"), TerminalError, "report it with the log"),
        (
            UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no"),
            TerminalError,
            "Correct the data|correct",
        ),
        (ZeroDivisionError("division by zero"), TerminalError, "clear this task"),
    ],
)
def test_other_errors_become_one_of_the_two(error, kind, advice):
    left = leaves(error)
    assert type(left) is kind
    assert pytest.importorskip("re").search(advice, str(left))
    assert str(left).startswith(type(error).__name__)
    assert left.__cause__ is error


@pytest.mark.parametrize("error", [TransientError("a"), TerminalError("b"), BadInputError("c")])
def test_the_two_kinds_pass_as_they_are(error):
    assert leaves(error) is error


def test_a_customers_address_is_not_repeated():
    assert "jane" not in str(leaves(ValueError("cannot parse <jane@example.com>")))
