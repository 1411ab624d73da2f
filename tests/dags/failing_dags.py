"""DAGs that fail in the ways that a task can end, with the pipeline's own settings but for retries."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

from airflow.sdk import dag

from reclustering.core.errors import BadInputError
from reclustering.orchestration import DEFAULT_ARGS, alert_on_failure, step

NO_RETRIES = DEFAULT_ARGS | {"retries": 0}


@dag(schedule=None, default_args=NO_RETRIES, on_failure_callback=alert_on_failure)
def says_why():
    @step(timedelta(minutes=1))
    def refuse():
        raise BadInputError("k is 'four'; expected a whole number.")

    refuse()


@dag(schedule=None, default_args=NO_RETRIES, on_failure_callback=alert_on_failure)
def task_is_killed():
    @step(timedelta(minutes=1))
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    die()


@dag(schedule=None, default_args=NO_RETRIES, on_failure_callback=alert_on_failure)
def task_and_its_supervisor_are_killed():
    @step(timedelta(minutes=1))
    def die():
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    die()


says_why()
task_is_killed()
task_and_its_supervisor_are_killed()
