"""`make ui`: Airflow with its scheduler and web page, on the same store as `make run`."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from rich.console import Console

from quickstart.database import postgresql
from quickstart.environment import (
    PROJECT,
    VAR,
    airflow_environment,
    defaults,
    user_has_set_a_connection,
)
from quickstart.mail_sink import LOCALHOST, free_port, mail_sink
from quickstart.make_run import keep_sample_store
from reclustering.core.errors import TerminalError, TransientError

LOG = VAR / "ui.log"
USER = "admin"
START_TIMEOUT = 180
"""Seconds that Airflow may take to come up."""
STORE_CHECK = 1800
"""Seconds between two looks whether the sample store lacks a day."""
STOP_TIMEOUT = 10
"""Seconds that its processes may take to end by themselves."""


def main() -> int:
    """Serve until interrupted; give the exit code."""
    console = Console()
    # Airflow must not outlive this process, however it is asked to stop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        port = int(os.environ.get("AIRFLOW__API__PORT") or "8080")
        environment = airflow_environment(VAR)
        with _alone_in(VAR):
            require_free_port(port)
            mail_port = free_port()
            settings, paused = defaults(VAR, mail_port), user_has_set_a_connection()
            os.environ.update(environment | settings | web_environment(VAR, port))
            with (
                postgresql(VAR / "airflow" / "postgresql") as url,
                mail_sink(VAR / "outbox", mail_port),
            ):
                os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = url
                _serve(console, embedded="AIRFLOW_CONN_WAREHOUSE" in settings, paused=paused)
    except KeyboardInterrupt:
        return 0
    except (RuntimeError, TerminalError, TransientError) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1
    return 0


def _serve(console: Console, *, embedded: bool, paused: bool) -> None:
    """Run Airflow until it is interrupted.

    Raises
    ------
    RuntimeError
        When one of its components ends.
    """
    if embedded:
        keep_sample_store(console)
    address, password = os.environ["AIRFLOW__API__BASE_URL"], make_password(VAR)
    console.print("Starting Airflow …")
    try:
        with airflow_standalone(address, LOG) as airflow:
            console.print(f"Airflow is at {address}/dags/customer_reclustering")
            console.print(f"User [bold]{USER}[/], password [bold]{password}[/]", highlight=False)
            if paused:
                console.print(
                    "The DAGs start paused, for a connection is yours. Unpause them there."
                )
            console.print(f"Stop with Ctrl-C. Airflow's log is {LOG.relative_to(PROJECT)}.")
            _watch(airflow, console, embedded=embedded)
    except KeyboardInterrupt:
        console.print("Stopping Airflow …")
        raise


def _watch(airflow: subprocess.Popen[bytes], console: Console, *, embedded: bool) -> None:
    """See that Airflow's components live; the sample store gets each new day before a run reads it."""
    components = psutil.Process(airflow.pid).children()
    looked = time.monotonic()
    while True:
        for component in components:
            if not component.is_running() or component.status() == psutil.STATUS_ZOMBIE:
                raise RuntimeError(
                    f"A component of Airflow has ended by itself (process {component.pid}); the reason is "
                    f"in {LOG.relative_to(PROJECT)}. Start again: runs that were under way go on."
                )
        if embedded and time.monotonic() - looked > STORE_CHECK:
            looked = time.monotonic()
            try:
                keep_sample_store(console)
            except (TerminalError, TransientError) as error:
                console.print(f"The sample store has no new day yet. {error}", markup=False)
        time.sleep(1)


@contextmanager
def _alone_in(var: Path) -> Iterator[None]:
    """Refuse a second Airflow on the same files.

    Raises
    ------
    RuntimeError
        When there is one.
    """
    var.mkdir(exist_ok=True)
    with (var / "ui.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise RuntimeError(
                f"`make ui` runs already on {var}, as process {lock.read().strip() or '?'}; expected one at "
                "a time. Use that one, or stop it."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def require_free_port(port: int) -> None:
    """Check that nothing listens where the web page is to be.

    Raises
    ------
    RuntimeError
        When something does: it would be announced as this Airflow.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError as error:
            raise RuntimeError(
                f"Port {port} cannot be had ({error.strerror}): something else listens there. Stop it, or "
                "set another one: AIRFLOW__API__PORT=8081 make ui"
            ) from error


@contextmanager
def airflow_standalone(address: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run all of Airflow's components while the block runs, once they are healthy.

    Raises
    ------
    RuntimeError
        When they do not come up within `START_TIMEOUT`.
    """
    with log.open("w") as file:
        airflow = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"], stdout=file, stderr=subprocess.STDOUT
        )
        try:
            wait_until_healthy(airflow, address, log)
            yield airflow
        finally:
            _stop(airflow)


def _stop(airflow: subprocess.Popen[bytes]) -> None:
    """End Airflow and all it has started, which it does not do by itself."""
    processes = [psutil.Process(airflow.pid), *psutil.Process(airflow.pid).children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=STOP_TIMEOUT)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    airflow.wait()


def web_environment(var: Path, port: int) -> dict[str, str]:
    """Give the environment variables of Airflow's web page, on a port of this machine."""
    tuning = {
        # Tasks at the same time, each with a waiting process of its own.
        "AIRFLOW__CORE__PARALLELISM": "4",
        # While all of Airflow starts on a small machine, its API answers slowly.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "10",
    }
    return {name: os.environ.get(name) or value for name, value in tuning.items()} | {
        # Airflow starts its components by the name of its command.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW__API__HOST": LOCALHOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_password_file(var)),
    }


def make_password(var: Path) -> str:
    """Give the password of the web page's user, made up on first use."""
    file = _password_file(var)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps({USER: secrets.token_urlsafe(12)}))
    return str(json.loads(file.read_text())[USER])


def _password_file(var: Path) -> Path:
    return var / "airflow" / "passwords.json"


def wait_until_healthy(airflow: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Wait until the scheduler and the DAG processor are heard of.

    Raises
    ------
    RuntimeError
        When the process has ended, or `START_TIMEOUT` is over.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and airflow.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/api/v2/monitor/health", timeout=5) as answer:  # noqa: S310
                health = json.load(answer)
            if health["scheduler"]["status"] == health["dag_processor"]["status"] == "healthy":
                return
        except (urllib.error.URLError, OSError, ValueError):
            pass
        time.sleep(1)
    raise RuntimeError(f"Airflow did not come up; the reason is in {log}.")


if __name__ == "__main__":
    sys.exit(main())
