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
    DagDetails,
)
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, Header, HTTPException

from reclustering.orchestration.runs import DAG_ID
from reclustering.orchestration.variables import deciders

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


def may_release(user: BaseUser) -> bool:
    """Tell whether somebody may send a list that is held: who may answer the runs' questions."""
    manager = get_auth_manager()
    named = deciders()
    return manager.is_authorized_dag(
        method="PUT",
        access_entity=DagAccessEntity.HITL_DETAIL,
        details=DagDetails(id=DAG_ID),
        user=user,
    ) and (not named or manager.is_authorized_hitl_task(assigned_users={*named}, user=user))


def requires_release(
    user: GetUserDep, sec_fetch_site: Annotated[str | None, Header()] = None
) -> BaseUser:
    """Let those pass who may send a held list, and who ask for it on this page."""
    if not may_release(user):
        raise HTTPException(
            403,
            "To send a list that is held takes the right to answer this DAG's questions in Airflow, and to "
            "be among those whom the Airflow Variable reclustering_deciders names, if it names any.",
        )
    if sec_fetch_site not in (None, "same-origin"):
        raise HTTPException(403, "Another site has asked for this.")
    return user


ListReader = Annotated[BaseUser, Depends(requires_list)]

Releaser = Annotated[BaseUser, Depends(requires_release)]
"""Somebody who may send a list that is held."""
