"""The page in Airflow: an entry in its navigation and a tab of each run."""

from __future__ import annotations

from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from reclustering.core.run import TAB


class _Apps:
    """The app, made when it is asked for: every component reads this file, and one serves pages."""

    def __get__(self, plugin: object, owner: type | None = None) -> list[dict[str, Any]]:
        return _apps()


@cache
def _apps() -> list[dict[str, Any]]:
    from reclustering.page import create_app

    return [{"app": create_app(), "url_prefix": "/reclustering", "name": "Customer clusters"}]


class CustomerReclusteringUI(AirflowPlugin):
    """Registers the page."""

    name = "customer_reclustering_ui"
    fastapi_apps = _Apps()
    # Without a slash before them: relative to wherever Airflow is.
    external_views = [  # noqa: RUF012 (as Airflow declares it)
        {
            "name": "Customer clusters",
            "href": "reclustering/",
            "destination": "nav",
            "category": "browse",
            "url_route": "customer-clusters",
        },
        {
            "name": "Customer clusters",
            "href": "reclustering/run?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": TAB,
        },
    ]
