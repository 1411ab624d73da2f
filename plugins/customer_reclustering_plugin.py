"""What Airflow itself is taught: which day a run is about, and that a backfill waits for the night."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from reclustering.orchestration import run_note
from reclustering.orchestration.priority import NightsBeforeBackfills


class CustomerReclusteringPlugin(AirflowPlugin):
    """Registers the listener and the strategy."""

    name = "customer_reclustering"
    listeners = [run_note]  # noqa: RUF012 (as Airflow declares it)
    priority_weight_strategies = [NightsBeforeBackfills]  # noqa: RUF012
