"""A standalone Spark cluster on the loopback: a master, workers and a Spark Connect server, as processes.

`make test-spark` installs what it needs: Spark itself into `.venv/spark`, and its client.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from quickstart.mail_sink import free_port

SPARK_HOME = Path(sys.prefix) / "spark" / "pyspark"
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"
CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"
PATIENCE = 120


def is_installed() -> bool:
    """Tell whether there is a Spark, and a Java to run it."""
    return SPARK_HOME.is_dir() and shutil.which("java") is not None


class Cluster:
    """A cluster that runs.

    Attributes
    ----------
    remote : str
        The address of its Spark Connect server.
    workers : list of Popen
        The workers' processes; each starts one executor.
    """

    def __init__(self, remote: str, processes: list[subprocess.Popen[bytes]]) -> None:
        self.remote = remote
        self._processes = processes
        self.workers = processes[1:-1]

    def kill_worker(self) -> None:
        """Kill a worker and its executor, as a machine that is lost."""
        _kill(self.workers[0])

    def peaks(self) -> dict[str, int]:
        """Give the peak memory of each process, in bytes."""
        found = {}
        for process in self._processes:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
            for one in family:
                # What has ended and is not yet waited for has no memory.
                if one.status() != psutil.STATUS_ZOMBIE:
                    found[f"{_role(one)} {one.pid}"] = _peak(one.pid)
        return found


@contextmanager
def spark_cluster(
    folder: Path, *, workers: int = 2, memory: str = "1g", cores: int = 1
) -> Iterator[Cluster]:
    """Start a cluster, with one executor for each worker; end it with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    master, connect = free_port(), free_port()
    url = f"spark://127.0.0.1:{master}"
    processes: list[subprocess.Popen[bytes]] = []
    try:
        processes.append(_start(folder, "master", ["spark-class", MASTER, "--port", str(master)]))
        _wait_for(folder / "master.log", "I have been elected leader")
        for i in range(workers):
            name = f"worker{i}"
            command = ["spark-class", WORKER, "--cores", str(cores), "--memory", memory]
            command += ["--work-dir", str(folder / name), url]
            processes.append(_start(folder, name, command))
            _wait_for(folder / f"{name}.log", "Successfully registered with master")
        settings = {
            "spark.executor.memory": memory,
            "spark.executor.cores": cores,
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": connect,
            "spark.ui.enabled": "false",
            "spark.local.dir": folder / "scratch",
            # Not 200, which is for larger clusters.
            "spark.sql.shuffle.partitions": 4 * workers * cores,
        }
        command = ["spark-submit", "--master", url, "--class", CONNECT]
        for name, value in settings.items():
            command += ["--conf", f"{name}={value}"]
        processes.append(_start(folder, "connect", [*command, "spark-internal"]))
        _wait_for(folder / "connect.log", "Spark Connect server started")
        yield Cluster(f"sc://127.0.0.1:{connect}", processes)
    finally:
        for process in reversed(processes):
            _kill(process)


def _start(folder: Path, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
    }
    if command[0] == "spark-class":
        command = [*command[:2], "--host", "127.0.0.1", "--webui-port", "0", *command[2:]]
    with (folder / f"{name}.log").open("wb") as out:
        return subprocess.Popen(
            [SPARK_HOME / "bin" / command[0], *command[1:]],
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_for(log: Path, text: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if text in log.read_text(errors="replace"):
            return
        time.sleep(0.2)
    raise TimeoutError(f"{log} does not say '{text}':\n{log.read_text(errors='replace')[-3000:]}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    for one in family:
        one.kill()
    process.send_signal(signal.SIGKILL)
    process.wait()


def _role(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    roles = {MASTER: "master", WORKER: "worker", CONNECT: "connect server"}
    roles["CoarseGrainedExecutorBackend"] = "executor"
    return next((role for name, role in roles.items() if name in line), "other")


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
