"""What Airflow itself is taught: to say in the list of runs which day each is about."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from reclustering.orchestration import run_note


class CustomerReclusteringPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "customer_reclustering"
    listeners = [run_note]  # noqa: RUF012 (as Airflow declares it)
