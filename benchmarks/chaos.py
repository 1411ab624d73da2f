"""Kill tasks at random moments in a real Airflow, let it retry them, and see what is left.

`make chaos`. Every run is for another day of the sample store, on which nothing changes after 2025, so all
days must get the labels that a run gets which nobody disturbs.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psutil

from quickstart.environment import PROJECT
from quickstart.warehouse_file import create_warehouse_until_yesterday
from tests.airflow_server import DAG, SOON_DEAD, Airflow, serve

FIRST_DAY = date(2026, 1, 10)
IMPATIENT = '{"retries": 30, "retry_delay": timedelta(seconds=1), "retry_exponential_backoff": 0, '
"""In place of the pipeline's own patience: a retry follows at once."""


@dataclass
class Outcome:
    """What a series of runs with kills has left.

    Attributes
    ----------
    runs : int
        How many there were.
    kills : Counter
        Kills by task.
    doubts : int
        Runs that stopped because a mail might have been accepted: a person has to answer for it.
    problems : list of str
        What should not be: another failed run, other labels, a missing or second mail, a leftover.
    """

    runs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    doubts: int = 0
    problems: list[str] = field(default_factory=list)


def wreak(airflow: Airflow, *, kills: int, seed: int) -> Outcome:
    """Run day after day, killing every task once at a random moment, until so many were killed."""
    rng, outcome = Random(seed), Outcome()  # noqa: S311 (nothing secret)
    seconds = _undisturbed(airflow)
    expected = airflow.label_sums()[str(FIRST_DAY)]
    while outcome.kills.total() < kills and outcome.runs < kills:
        outcome.runs += 1
        day = str(FIRST_DAY + timedelta(days=outcome.runs))
        run_id = airflow.trigger(as_of=day, delivery="send")
        for task, usual in seconds.items():
            if _kill(airflow, run_id, task, after=rng.uniform(0, usual), harder=rng.random() < 0.3):
                outcome.kills[task] += 1
        _judge(airflow, run_id, day, expected, outcome)
        print(f"{day}: {outcome.kills.total()} kills", *outcome.problems, flush=True)
    return outcome


def _undisturbed(airflow: Airflow) -> dict[str, float]:
    """Run a day that nobody disturbs; give each task's seconds, in their order."""
    run_id = airflow.trigger(as_of=str(FIRST_DAY), delivery="send")
    if airflow.finished(run_id)["state"] != "success":
        raise RuntimeError("The run that nobody disturbed has failed.")
    instances = _instances(airflow, run_id)
    order = sorted(instances.values(), key=lambda one: one["start_date"])
    return {one["task_id"]: one["duration"] for one in order}


def _kill(airflow: Airflow, run_id: str, task: str, *, after: float, harder: bool) -> bool:
    """Kill a task so long after its start; tell whether it was still there."""
    instance = airflow.until(
        lambda: _instances(airflow, run_id)[task],
        lambda one: one["state"] in {"running", "success", "failed"},
        every=0.1,
    )
    process = _process(instance["id"])
    if process is None:
        return False
    time.sleep(after)
    try:
        supervisor = process.parent()
        if harder and supervisor:
            supervisor.send_signal(signal.SIGKILL)
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    airflow.until(
        lambda: _instances(airflow, run_id)[task],
        lambda one: one["state"] in {"success", "failed", "upstream_failed"},
        every=0.2,
    )
    return True


def _process(task_instance: str) -> psutil.Process | None:
    """Find the process that runs a task, by the title that Airflow gives it."""
    for process in psutil.process_iter(["cmdline"]):
        # What is left of the old title's room are empty texts.
        if (process.info["cmdline"] or [""])[0] == f"airflow worker -- {task_instance}":
            return process
    return None


def _instances(airflow: Airflow, run_id: str) -> dict[str, Any]:
    answer = airflow.call(f"{DAG}/dagRuns/{run_id}/taskInstances")
    return {one["task_id"]: one for one in answer["task_instances"]}


def _judge(airflow: Airflow, run_id: str, day: str, expected: str, outcome: Outcome) -> None:
    state, mails = airflow.finished(run_id)["state"], len(airflow.mails(day))
    in_doubt = state == "failed" and airflow.in_doubt(day)
    outcome.doubts += in_doubt
    found = []
    if state != "success" and not in_doubt:
        found.append(f"the run ended as {state}")
    if airflow.label_sums().get(day) != expected:
        found.append("its labels are not those of the undisturbed run")
    if mails != 1 and not (in_doubt and mails == 0):
        found.append(f"{mails} mails")
    folders = (airflow.var / "artifacts" / f"as_of={day}").iterdir()
    found += [f"left {path.name}" for folder in folders for path in folder.glob(".*")]
    outcome.problems += [f"{day}: {one}" for one in found]


def impatient_dags(folder: Path) -> None:
    """Copy the project's DAG files, with retries at once in the pipeline's."""
    shutil.copytree(PROJECT / "dags", folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "customer_reclustering.py"
    source = file.read_text(encoding="utf-8")
    changed = source.replace(
        "default_args=DEFAULT_ARGS | {", f"default_args=DEFAULT_ARGS | {IMPATIENT}"
    )
    if changed == source:
        raise RuntimeError(f"{file.name} has no default_args as they are expected.")
    file.write_text(changed, encoding="utf-8")


@contextmanager
def impatient_airflow(var: Path, store: Path) -> Iterator[Airflow]:
    """Run Airflow with DAGs that are retried at once, and tasks that are soon taken for dead."""
    impatient_dags(var / "dags")
    settings = SOON_DEAD | {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True"}
    with serve(var, store, settings) as airflow:
        airflow.until(lambda: airflow.call("/api/v2/dags?paused=true")["total_entries"], bool)
        airflow.unpause("customer_reclustering")
        yield airflow


def main() -> int:
    """Kill, and report; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        var = Path(folder)
        create_warehouse_until_yesterday(var / "sample.duckdb")
        with impatient_airflow(var, var / "sample.duckdb") as airflow:
            outcome = wreak(airflow, kills=options.kills, seed=options.seed)
    print(
        f"{outcome.kills.total()} kills in {outcome.runs} runs ({dict(outcome.kills)}), "
        f"{outcome.doubts} mails in doubt, {len(outcome.problems)} problems",
        *outcome.problems,
        sep="\n",
    )
    return bool(outcome.problems)


if __name__ == "__main__":
    sys.exit(main())
