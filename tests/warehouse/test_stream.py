"""Extraction: one state of the store, bounded memory, and never a short file."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reclustering.core.errors import TransientError
from reclustering.core.protocols import Session
from reclustering.core.run import Run
from reclustering.features import table as feature_table
from reclustering.warehouse import connect
from reclustering.warehouse.schema import create_own_objects
from tests.stores import MsSqlStore, Store, extract, requires_mssql

ON_MSSQL = pytest.mark.parametrize("store", [requires_mssql], indirect=True)
AS_OF = date(2024, 1, 1)


def load_shop(store: Store, customers: int) -> None:
    """One sale for each customer, and a return for each second one."""
    store.create_source()
    create_own_objects(store.hook())
    store.insert("date_dim", [(1, date(2023, 1, 1))])
    keys = pa.array(range(1, customers + 1), pa.int64())
    for table, prefix, step in (("store_sales", "ss", 1), ("store_returns", "sr", 2)):
        chosen = keys[::step]
        ones = pa.repeat(pa.scalar(1, pa.int64()), len(chosen))
        money = pa.repeat(pa.scalar("12.50"), len(chosen)).cast(pa.decimal128(7, 2))
        names = ["customer_sk", "date_sk", "ticket_number", "item_sk", "money"]
        rows = pa.table(
            [chosen, ones, chosen, ones, money], names=[f"{prefix}_{name}" for name in names]
        )
        assert store.hook().load(table, rows.to_reader(50_000)) == len(chosen)


def run_in(folder: Path) -> Run:
    from upath import UPath

    return Run(AS_OF, "run", UPath(folder))


def test_the_file_holds_what_the_server_counted(store: Store, tmp_path: Path) -> None:
    load_shop(store, 120_000)
    summary = extract(store.hook(), run_in(tmp_path))
    assert summary["customers"] == 120_000
    table = pq.read_table(summary["path"])
    assert table["customer"].to_pylist() == list(range(1, 120_001))
    assert table["orderRatio"].to_pylist() == [1.0, 0.0] * 60_000


def test_batches_are_bounded(store: Store) -> None:
    load_shop(store, 10_000)
    with store.hook().read() as session:
        batches = list(
            session.stream("features/return_features", {"as_of": AS_OF}, batch_size=3_000)
        )
    assert max(batch.num_rows for batch in batches) <= 3_000
    assert sum(batch.num_rows for batch in batches) == 10_000


MEASURE = """
import sys
from pathlib import Path
import reclustering.core.statements
from reclustering.warehouse import connect
from reclustering.warehouse.schema import create_own_objects

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024

reclustering.core.statements.SQL_FOLDER = Path(sys.argv[1])
with connect().read() as session:
    session.query("warm_up")
    before = peak()
    rows = sum(batch.num_rows for batch in session.stream("wide", batch_size=50_000))
print(rows, before, peak())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak memory")
def test_memory_does_not_grow_with_the_rows_that_are_read(store: Store, tmp_path: Path) -> None:
    """60 MB of rows pass, which the server need not hold: each one is made on the way."""
    load_shop(store, 2_000)
    (tmp_path / "warm_up.sql").write_text("SELECT COUNT_BIG(*) AS n FROM dbo.store_sales")
    (tmp_path / "wide.sql").write_text(
        "SELECT ss.ss_customer_sk, ss.ss_ticket_number, ss.ss_item_sk, sr.sr_customer_sk,"
        " sr.sr_ticket_number FROM dbo.store_sales AS ss CROSS JOIN dbo.store_returns AS sr"
        " WHERE ss.ss_customer_sk <= 1500 AND sr.sr_item_sk = 1"
    )
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    rows, before, after = map(int, done.stdout.split()[-3:])
    assert rows == 1_500 * 1_000
    assert after - before < 40


def count(session: Session) -> int:
    batches = session.stream("features/return_features", {"as_of": AS_OF})
    return sum(batch.num_rows for batch in batches)


@ON_MSSQL
def test_a_reader_sees_one_state_and_blocks_no_writer(store: MsSqlStore) -> None:
    load_shop(store, 1_000)
    with store.hook().read() as session:
        before = count(session)
        store.run("SET LOCK_TIMEOUT 2000", "DELETE FROM dbo.store_sales WHERE ss_customer_sk > 500")
        assert before == count(session) == 1_000
    with store.hook().read() as session:
        assert count(session) == 500


@ON_MSSQL
def test_without_snapshot_isolation_it_reads_and_says_so(
    store: MsSqlStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    load_shop(store, 1_000)
    monkeypatch.setattr("reclustering.warehouse.mssql._SNAPSHOT_STATE", "SELECT 0")
    assert extract(store.hook(), run_in(tmp_path))["customers"] == 1_000
    assert "allow_snapshot_isolation.sql" in caplog.text


class Wire:
    """A proxy before the server that can be cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._sockets: list[socket.socket] = []
        self.passed = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        for one in [self._listener, *self._sockets]:
            with closing(one), suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._sockets += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(4096):
                other.sendall(data)
                self.passed += len(data)
        except OSError:
            pass


@pytest.fixture
def wire(store: MsSqlStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire(store.host, store.port or 1433)
    uri = store.uri.replace(f"@{store.host}:{store.port}", f"@127.0.0.1:{wire.port}")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", uri)
    yield wire
    wire.cut()


@ON_MSSQL
def test_a_dropped_connection_is_an_error_and_never_a_short_file(
    store: MsSqlStore, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_shop(store, 400_000)
    before = wire.passed
    write_features = feature_table.write_features

    def write_until_cut(batches: Iterator[pa.RecordBatch], *rest: object, **named: object) -> str:
        def cut_after_the_first() -> Iterator[pa.RecordBatch]:
            yield next(batches)
            wire.cut()
            yield from batches

        return write_features(cut_after_the_first(), *rest, **named)

    monkeypatch.setattr(feature_table, "write_features", write_until_cut)
    with pytest.raises(TransientError, match=r"features/return_features\.sql"):
        extract(connect(), run_in(tmp_path))
    assert wire.passed > before
    assert list(tmp_path.rglob("*.parquet")) == []


@ON_MSSQL
def test_a_connection_dropped_in_a_bulk_load_is_transient(store: MsSqlStore, wire: Wire) -> None:
    store.run("CREATE TABLE dbo.date_dim (d_date_sk bigint NOT NULL)")

    def rows() -> Iterator[pa.RecordBatch]:
        schema = pa.schema([("d_date_sk", pa.int64())])
        for start in range(0, 2_000_000, 50_000):
            if start == 500_000:
                wire.cut()
            yield pa.record_batch([pa.array(range(start, start + 50_000))], schema=schema)

    schema = pa.schema([("d_date_sk", pa.int64())])
    with pytest.raises(TransientError, match=r"bulk load into dbo\.date_dim"):
        connect().load("date_dim", pa.RecordBatchReader.from_batches(schema, rows()))
