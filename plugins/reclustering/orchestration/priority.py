"""Which task goes first where there are more than places for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.task.priority_strategy import PriorityWeightStrategy

if TYPE_CHECKING:
    # Airflow's models take longer to import than most tasks to run.
    from airflow.models.taskinstance import TaskInstance


class NightsBeforeBackfills(PriorityWeightStrategy):
    """Let a backfill's tasks wait for those of all other runs.

    Airflow's own order is that of the days, so that the oldest goes first: a backfill before the night.
    """

    def __repr__(self) -> str:
        # Airflow compares the DAG's text, default_args and all, to tell whether it is a new version.
        return f"{type(self).__name__}()"

    def get_weight(self, ti: TaskInstance) -> int:
        """Give the weight; the larger goes first."""
        return 1 if ti.run_id.startswith("backfill__") else 10
