"""What SQL Server and its driver say is worth a retry or not, by what they really say.

sys_messages.tsv has texts as Microsoft publishes them, and whether each may pass by itself.
"""

from __future__ import annotations

import csv
import inspect
import re
from pathlib import Path

import mssql_python
import pytest
from mssql_python import exceptions
from mssql_python.exceptions import sqlstate_to_exception

from reclustering.core.errors import TerminalError, TransientError
from reclustering.warehouse.mssql_errors import translated_errors

WHERE = "SQL Server db, database shop, include/sql/x.sql"

DATA, SYNTAX, LOGIN = "22018", "42000", "28000"

PHRASES = (
    "x' was deadlocked on lock resources with another process",
    "Lock request time out period exceeded.",
    "fk_certificate",
    "certificate verify failed",
    "The service is currently busy",
)
"""What a name or a value may say, and only a message of the server's own may mean."""


def published() -> list[tuple[int, str, str]]:
    """The messages: number, kind, text."""
    with (Path(__file__).parent / "sys_messages.tsv").open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(int(row["number"]), row["kind"], row["text"]) for row in rows]


def filled(text: str, name: str) -> str:
    """A message as the server gives it, with a name in place of each placeholder for one."""
    text = re.sub(r"^%ls", "CREATE TABLE", text)
    text = re.sub(r"%(\.\*)?ls", lambda _: name, text)
    return re.sub(r"%(I64d|S_\w+|[ld]*d|x)", "7", text)


def error_of(state: str, text: str) -> Exception:
    """What the driver makes of an answer of the server."""
    error = sqlstate_to_exception(
        state, f"[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]{text}"
    )
    assert error
    return error


def judged(error: Exception, *, connecting: bool = False) -> TransientError | TerminalError:
    with (
        pytest.raises((TransientError, TerminalError)) as raised,
        translated_errors(WHERE, connecting=connecting),
    ):
        raise error
    assert str(raised.value).startswith(f"{WHERE}:")
    return raised.value


@pytest.mark.parametrize(("number", "kind", "text"), published())
def test_each_published_message_is_what_it_is(number: int, kind: str, text: str) -> None:
    state = LOGIN if text.startswith("Login failed") else SYNTAX
    for name in ("shop", *PHRASES):
        found = judged(error_of(state, filled(text, name)))
        assert isinstance(found, TransientError) is (kind == "transient"), name
        assert filled(text, name).rstrip(".") in str(found)


def test_a_message_is_named_by_its_number() -> None:
    texts: dict[str, set[int]] = {}
    for number, _, text in published():
        texts.setdefault(filled(text, "shop"), set()).add(number)
    for text, numbers in texts.items():
        state = LOGIN if text.startswith("Login failed") else SYNTAX
        named = re.search(r" error (\d+):", str(judged(error_of(state, text))))
        assert named is None or int(named[1]) in numbers, text


@pytest.mark.parametrize("state", ["22001", "22003", DATA, "23000", "21S01", "40002"])
@pytest.mark.parametrize("phrase", PHRASES)
def test_what_is_wrong_with_data_does_not_pass(state: str, phrase: str) -> None:
    assert isinstance(judged(error_of(state, phrase)), TerminalError)
    text = f"Conversion failed when converting the varchar value '{phrase}' to data type int."
    found = judged(error_of(state, text))
    assert isinstance(found, TerminalError)
    assert "trust_server_certificate" not in str(found)


@pytest.mark.parametrize(
    ("state", "text", "kind", "advice"),
    [
        (LOGIN, "Fehler bei der Anmeldung für den Benutzer 'etl'.", TerminalError, "password"),
        ("42S02", "Ungültiger Objektname 'dbo.store_sales'.", TerminalError, "right database"),
        ("42S22", "Ungültiger Spaltenname 'ss_net_paid'.", TerminalError, "right database"),
        (SYNTAX, "Falsche Syntax in der Nähe von 'SELEC'.", TerminalError, ""),
        (
            "40001",
            "Die Transaktion (Prozess-ID 61) befand sich auf …",
            TransientError,
            "next attempt",
        ),
        ("HYT00", "Das Abfragezeitlimit ist abgelaufen", TransientError, "next attempt"),
        ("08S01", "TCP-Anbieter: Fehlercode 0x2746", TransientError, "next attempt"),
        ("08001", "TCP Provider: Error code 0x2749", TransientError, "host and port"),
        ("HYT01", "Login timeout expired", TransientError, "host and port"),
        (
            "08001",
            "SSL Provider: [error:0A000086:SSL routines::certificate verify failed:self-signed]",
            TerminalError,
            "trust_server_certificate",
        ),
    ],
)
def test_the_sqlstate_says_it_in_every_language(
    state: str, text: str, kind: type[Exception], advice: str
) -> None:
    found = judged(error_of(state, text))
    assert isinstance(found, kind)
    assert advice in str(found)


def test_a_database_that_is_refused_at_the_door_may_be_starting_whatever_the_language() -> None:
    text = 'Die von der Anmeldung angeforderte "shop"-Datenbank kann nicht geöffnet werden.'
    assert isinstance(judged(error_of(SYNTAX, text), connecting=True), TransientError)
    assert isinstance(judged(error_of(SYNTAX, text)), TerminalError)
    found = judged(error_of("HYT00", "Login timeout expired"), connecting=True)
    assert "host and port" in str(found)


def test_every_sqlstate_of_the_driver_has_a_text_of_its_own_but_those_of_data() -> None:
    source = inspect.getsource(exceptions.sqlstate_to_exception)
    texts: dict[str, list[str]] = {}
    for state in re.findall(r'^        "(\w{5})"', source, re.MULTILINE):
        texts.setdefault(str(error_of(state, "").driver_error), []).append(state)
    assert sum(map(len, texts.values())) > 100
    shared = [states for states in texts.values() if len(states) > 1]
    assert shared == [["01004", "22001"], ["23000", "40002"]]


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            mssql_python.OperationalError(
                "Connection operation failed",
                "Failed to load the driver. Please read the documentation",
            ),
            TerminalError,
            "libltdl7",
        ),
        (RuntimeError("Bulk copy failed: Connection Error: reset by peer"), TransientError, "next"),
        (RuntimeError("Usage Error: no such column"), TerminalError, ""),
        (RuntimeError("Sql Error: 1205: Class 13: State 1: no"), TransientError, "error 1205:"),
        (RuntimeError("Sql Error: 229: Class 14: State 5: no"), TerminalError, "create_role.sql"),
        (RuntimeError("Sql Error: 2627: Class 14: State 1: busy"), TerminalError, "error 2627:"),
        (ValueError("String length (40 characters) exceeds schema size"), TerminalError, "exceeds"),
    ],
)
def test_what_has_no_sqlstate(error: Exception, kind: type[Exception], said: str) -> None:
    found = judged(error)
    assert isinstance(found, kind)
    assert said in str(found)
