"""What the run was asked for, as its params say it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from reclustering.core.errors import BadInputError
from reclustering.core.names import unknown_names

NOT_OURS = frozenset({"openlineage"})
"""What Airflow itself adds to the conf of a run that another DAG triggers."""


def run_params(context: Context) -> dict[str, Any]:
    """Read the params of a run; 4.0, as JSON may write it, is 4.

    Raises
    ------
    BadInputError
        When the run's conf has a key that is no param, or its params do not come from its conf: what was
        asked for would be ignored.
    """
    params: dict[str, Any] = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in context["params"].items()
    }
    conf = context["dag_run"].conf or {}
    known = context["dag"].params.keys()
    if unknown := unknown_names(conf.keys() - NOT_OURS, known):
        raise BadInputError(
            f"The run's conf has {unknown}, which is no parameter; expected some of {', '.join(known)}. "
            "Trigger again with the name corrected."
        )
    if ignored := sorted(name for name in conf.keys() - NOT_OURS if conf[name] != params[name]):
        raise BadInputError(
            f"Airflow ignores the run's conf ({', '.join(ignored)}), for core.dag_run_conf_overrides_params "
            "is off. Turn it on, or trigger without conf."
        )
    return params
