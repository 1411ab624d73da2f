"""What the pipeline reads and publishes, as Airflow's assets, for others to see and to wait for."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, AssetAlias, Context

from reclustering.core.run import Run
from reclustering.orchestration.lineage import report_written

SALES = [Asset(f"dbo.{name}") for name in ("store_sales", "store_returns", "date_dim")]
PEOPLE = [Asset(f"dbo.{name}") for name in ("customer", "email_suppressions")]

LABELS = Asset("dbo.customer_clusters")
"""The published labels."""

TARGET_LIST = Asset("target_list")
"""The list, once it is out."""

DELIVERY = AssetAlias("delivery of target_list")
"""What the mailing task has to give: an event of `TARGET_LIST`, or, where nothing new went out, none."""

PUBLICATION = AssetAlias("publication of dbo.customer_clusters")
"""What the publishing task has to give: an event of `LABELS`, or, from a preview, none."""


def announce(context: Context, run: Run, publication: dict[str, Any]) -> None:
    """Tell whoever waits for labels that those of a day are published; of a preview nothing is.

    Parameters
    ----------
    context : Context
        Of a task with the outlet `PUBLICATION`.
    run : Run
        Which has published them.
    publication : dict
        What `steps.write_labels` returned.
    """
    if publication["table"] is None:
        return
    extra = {name: publication[name] for name in ("k", "customers", "sizes")}
    context["outlet_events"][PUBLICATION].add(
        LABELS, extra={"as_of": run.as_of.isoformat(), "run_id": run.run_id} | extra
    )
    report_written(LABELS)


def announce_list(context: Context, run: Run, delivered: dict[str, Any]) -> None:
    """Tell whoever waits for the list that one has gone out.

    Parameters
    ----------
    context : Context
        Of a task with the outlet `DELIVERY`.
    run : Run
        Which has sent it.
    delivered : dict
        What `steps.email_target_list` returned.
    """
    if delivered["out"]:
        extra = {"as_of": run.as_of.isoformat(), "run_id": run.run_id} | delivered["out"]
        context["outlet_events"][DELIVERY].add(TARGET_LIST, extra=extra)
