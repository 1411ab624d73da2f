"""What Airflow itself is taught: a run's day, to ask anew, and that a backfill waits for the night."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from reclustering.orchestration import old_questions, run_note
from reclustering.orchestration.priority import NightsBeforeBackfills


class CustomerReclusteringPlugin(AirflowPlugin):
    """Registers the listeners and the strategy."""

    name = "customer_reclustering"
    listeners = [run_note, old_questions]  # noqa: RUF012 (as Airflow declares it)
    priority_weight_strategies = [NightsBeforeBackfills]  # noqa: RUF012
