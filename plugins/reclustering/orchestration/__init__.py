"""What the DAG files share: how tasks fail, which run they belong to, what people have set."""

from reclustering.orchestration import assets
from reclustering.orchestration.alerts import alert_on_failure, alert_when_held
from reclustering.orchestration.approval import ApprovalOperator
from reclustering.orchestration.failure import DEFAULT_ARGS, step
from reclustering.orchestration.params import run_params
from reclustering.orchestration.runs import (
    current_run,
    day_of_run,
    first_run,
    page_of,
    today,
    why_held,
)
from reclustering.orchestration.variables import (
    artifacts,
    engine,
    guard_bounds,
    list_settings,
    mail_settings,
    patience,
    require_settings,
    whole_number,
)

__all__ = [
    "DEFAULT_ARGS",
    "ApprovalOperator",
    "alert_on_failure",
    "alert_when_held",
    "artifacts",
    "assets",
    "current_run",
    "day_of_run",
    "engine",
    "first_run",
    "guard_bounds",
    "list_settings",
    "mail_settings",
    "page_of",
    "patience",
    "require_settings",
    "run_params",
    "step",
    "today",
    "whole_number",
    "why_held",
]
