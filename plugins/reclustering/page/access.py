"""Who may see the page, and who may have the list.

Airflow does not protect what a plugin adds: each route here asks Airflow's own auth manager.
"""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
)
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, HTTPException

from reclustering.orchestration.runs import DAG_ID

may_read = requires_access_dag("GET", DagAccessEntity.RUN, param_dag_id=DAG_ID)
"""Whoever may see the runs of this DAG. Its id is fixed: from the query the caller would choose it."""

WAREHOUSE = ConnectionDetails(conn_id="warehouse")


def may_have_list(user: BaseUser) -> bool:
    """Tell whether somebody may have names and addresses: who may see the connection to where they are.

    To see and start runs is not enough for that.
    """
    return get_auth_manager().is_authorized_connection(method="GET", details=WAREHOUSE, user=user)


def requires_list(user: GetUserDep) -> BaseUser:
    """Let those pass who may have the list."""
    if not may_have_list(user):
        raise HTTPException(
            403,
            "The list holds names and addresses. To have it takes the right to see the Airflow connection "
            "'warehouse', where they come from; ask who administers Airflow.",
        )
    return user


ListReader = Annotated[BaseUser, Depends(requires_list)]
