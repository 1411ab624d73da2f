"""What the DAGs share: how tasks fail, and what the Airflow Variables say."""

from orchestration.failure import DEFAULT_ARGS
from orchestration.variables import artifacts, whole_number

__all__ = ["DEFAULT_ARGS", "artifacts", "whole_number"]
