"""Run the DAG once through Airflow's own task runner, with its progress on the screen.

Imported after the environment is set, for Airflow reads it on import.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.listeners import hookimpl
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from airflow.sdk.listener import get_listener_manager
from rich.console import Console
from rich.markdown import Markdown
from rich.prompt import Prompt

from quickstart.spinner import spinner
from reclustering.decision.question import Question
from reclustering.orchestration.approval import APPROVE, REJECT, ApprovalOperator
from reclustering.orchestration.runs import DAG_ID


def load_dag() -> DAG:
    """Load the DAG, without its retries: a person is waiting, and wants the reason now.

    Raises
    ------
    RuntimeError
        When the DAG file cannot be imported.
    """
    bag = DagBag()
    if bag.import_errors:
        raise RuntimeError("\n".join(bag.import_errors.values()))
    dag = bag.dags[DAG_ID]
    for task in dag.tasks:
        task.retries = 0
    return dag


def run_dag(dag: DAG, conf: dict[str, Any], console: Console) -> tuple[DagRun, Progress]:
    """Run the DAG to its end; give the run and what happened in it."""
    progress = Progress(console)
    get_listener_manager().add_listener(progress)
    for task in dag.tasks:
        if isinstance(task, ApprovalOperator):
            task.ask_here = progress.ask
    return dag.test(run_conf=conf), progress


class Progress:
    """An Airflow listener that says on the screen which task is at work."""

    def __init__(self, console: Console) -> None:
        self.seconds: dict[str, float] = {}
        self.failure: str | None = None
        self._status = spinner(console)
        self._console = console
        self._started = 0.0

    @hookimpl
    def on_task_instance_running(self, task_instance: Any) -> None:
        """Show the task."""
        self._started = time.monotonic()
        self._status = spinner(self._console, f"{task_instance.task_id} …")
        self._status.start()

    @hookimpl
    def on_task_instance_success(self, task_instance: Any) -> None:
        """Say that the task is done, and how long it took."""
        self._end("[green]✓[/]", task_instance.task_id)

    @hookimpl
    def on_task_instance_failed(self, task_instance: Any, error: Any) -> None:
        """Say that the task failed, and keep the reason."""
        self._end("[red]✗[/]", task_instance.task_id)
        self.failure = str(error)

    def ask(self, question: Question) -> str | None:
        """Ask at the terminal; None if there is none."""
        self._status.stop()
        if not sys.stdin.isatty():
            return None
        self._console.print(f"\n{question.title}", style="bold yellow")
        self._console.print(Markdown(question.body))
        answer = Prompt.ask(
            "Approve or reject?", console=self._console, choices=[APPROVE, REJECT], default=REJECT
        )
        self._status.start()
        return answer

    def _end(self, mark: str, task_id: str) -> None:
        self._status.stop()
        self.seconds[task_id] = time.monotonic() - self._started
        self._console.print(f"{mark} {task_id:<20} {self.seconds[task_id]:6.1f} s", highlight=False)
