"""A pytest plugin that writes docs/sql-server-tested.md: which behaviour was seen on which server.

`make mssql-report` runs the tests marked `mssql` with it. What was seen on the other kind of server stays.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.stores import MsSqlStore

PAGE = Path(__file__).parents[1] / "docs" / "sql-server-tested.md"

SERVERS = ("SQL Server", "T-SQL test server")

NEVER = (
    "a replica that only reads, by `application_intent`; a failover of an availability group",
    "dynamic data masking, and the right `UNMASK`",
    "the server's option NOCOUNT; lock escalation; page compression",
    "Microsoft Entra; Kerberos; `encrypt=strict`; Azure SQL",
    "a case-sensitive database",
)
"""What no test can show on a server that is to be had."""

HEAD = """# What was seen on which server

Written by `make mssql-report`, from the tests marked `mssql` and the server that `TEST_MSSQL_CONN` names:
*SQL Server* is Microsoft's, *T-SQL test server* is Babelfish for PostgreSQL, with its bulk load mended. Each
line is a test, by its name. *seen*: it passed there, last on the day at the head of the column. *not there*:
it did not. *never*: it has not been run there.

"""


class Report:
    """What became of each test, by file and name."""

    def __init__(self) -> None:
        self.outcomes: dict[tuple[str, str], list[str]] = defaultdict(list)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep those that need a server."""
        items[:] = [item for item in items if item.get_closest_marker("mssql")]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[behaviour(report.nodeid)].append(report.outcome)

    def pytest_sessionfinish(self) -> None:
        """Write the page."""
        if not self.outcomes:
            return
        [[version]] = MsSqlStore().run("SELECT @@VERSION")
        server = SERVERS["Babelfish" in version]
        seen = read_page()
        ran = {path for path, _ in self.outcomes}
        # What another file's tests have shown stays, if only some were run.
        tests = {
            test: row for test, row in seen.items() if test[0] not in ran and Path(test[0]).exists()
        }
        tests |= {
            test: {**seen.get(test, {}), server: "seen" if {*found} == {"passed"} else "not there"}
            for test, found in self.outcomes.items()
        }
        days = read_days() | {server: f"{datetime.now(UTC):%Y-%m-%d}"}
        PAGE.write_text(HEAD + as_tables(tests, days), encoding="utf-8")


def behaviour(node_id: str) -> tuple[str, str]:
    """Give the file and the name of a test, in words."""
    path, _, name = node_id.partition("::")
    return path, name.partition("[")[0].removeprefix("test_").replace("_", " ")


def as_tables(tests: dict[tuple[str, str], dict[str, str]], days: dict[str, str]) -> str:
    """Give a table for each file, and one of what was never seen."""
    pieces = []
    heads = [f"{server} ({days[server]})" if server in days else server for server in SERVERS]
    for path in sorted({path for path, _ in tests}):
        rows = [
            f"| {name} | {' | '.join(found.get(server, 'never') for server in SERVERS)} |"
            for (where, name), found in tests.items()
            if where == path
        ]
        head = f"## [{path}](../{path})\n\n| | {' | '.join(heads)} |\n|---|---|---|\n"
        pieces.append(head + "\n".join(rows) + "\n")
    never = "\n".join(f"- {one}" for one in NEVER)
    return "\n".join([*pieces, f"## Seen nowhere\n\n{never}\n"])


def read_page() -> dict[tuple[str, str], dict[str, str]]:
    """Read what the page says of each test."""
    seen, path = {}, ""
    for line in PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else ():
        if match := re.match(r"## \[(.+?)\]", line):
            path = match[1]
        elif match := re.match(r"\| (\w.*?) \| (.+?) \| (.+?) \|$", line):
            seen[path, match[1]] = dict(zip(SERVERS, match.groups()[1:], strict=True))
    return seen


def read_days() -> dict[str, str]:
    """Read when each server was last looked at."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return dict(re.findall(r"(SQL Server|T-SQL test server) \((\d{4}-\d\d-\d\d)\)", text))


def pytest_configure(config: pytest.Config) -> None:
    """Register it."""
    config.pluginmanager.register(Report(), "mssql-report")
