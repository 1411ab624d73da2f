"""Recluster the store's customers by what they return, and mail marketing the list to write to.

## What a run does

1. `extract_features` reads four return features per customer from the warehouse into a Parquet file.
2. `choose_k` draws the elbow curve and chooses the number of clusters.
3. `fit_clusters` fits k-means with that k and labels every customer. Label 0 is the group that
   returned least.
4. `write_labels` publishes the labels in `dbo.customer_clusters`, all or nothing.
5. `build_target_list` writes the customers of `target_label` who can be written to, as CSV.
6. `email_target_list` mails the list to marketing, once.

Files are under `{artifacts}/as_of=YYYY-MM-DD/<run>/`.

## When a task fails

The log's last line says what was wrong and what to do. A failure that may pass (a lock, a timeout, a
mail server that is down) is retried three times; any other fails at once. Every task can be cleared
and run again, alone or with those after it: it gives the same result, replaces what it published, and
sends no list twice.

- *"… is in the future"*, *"expected …"*: trigger again with the parameter corrected.
- *"The store lacks …"*: the connection `warehouse` names the wrong database, or its login lacks rights.
- *A guard stopped the list*: look at the clusters; if the change is real, trigger again with
  `accept_change`.
- *A mail is in doubt*: an attempt died between handing the mail over and hearing that it arrived. Ask
  one recipient, then follow the message; nothing is sent again until you do.

## Another day

Trigger with `as_of`, or backfill: each day describes the store as it stood at the start of that day.
A backfill sends no mail unless `delivery` is `send`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, Variable, dag, task, timezone

from mail import SmtpMailer
from orchestration import DEFAULT_ARGS, artifacts, whole_number
from reclustering import steps
from reclustering.delivery import should_send
from reclustering.run import Run, resolve_as_of
from warehouse import connect
from warehouse.schema import check_source, create_own_objects

PARAMS = {
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date",
        title="As of",
        description="Describe the store as it stood at the start of this day. "
        "Empty: the day of the run.",
    ),
    "k": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=40,
        title="k",
        description="Number of clusters, 1 to 40. Empty: chosen by the elbow.",
    ),
    "k_max": Param(
        19,
        type="integer",
        minimum=2,
        maximum=40,
        title="Largest k",
        description="The elbow curve goes from 1 to this k (2 to 40).",
    ),
    "scaling": Param(
        "none",
        enum=["none", "standard", "robust"],
        title="Scaling",
        description="How features are weighed against each other. none: as they are, like the "
        "tutorial. standard: in standard deviations. robust: in interquartile ranges.",
    ),
    "target_label": Param(
        0,
        type="integer",
        minimum=0,
        maximum=39,
        title="Target label",
        description="The cluster whose customers are listed. 0 is the group that returned least.",
    ),
    "recipients": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Recipients",
        description="Who gets the list, one e-mail address per line. Empty: the Variable "
        "target_list_recipients.",
    ),
    "delivery": Param(
        "auto",
        enum=["auto", "send", "hold"],
        title="Delivery",
        description="auto: send, but not from a backfill. send: send. hold: build all, send nothing.",
    ),
    "accept_change": Param(
        False,
        type="boolean",
        title="Accept an unusual list",
        description="Go on although a guard found the list too different from the last one.",
    ),
}


def run_of(context: Mapping[str, Any]) -> Run:
    """Give the run that a task instance belongs to."""
    dag_run = context["dag_run"]
    return Run(
        as_of=resolve_as_of(
            context["params"]["as_of"],
            data_interval_end=dag_run.data_interval_end,
            run_after=dag_run.run_after,
            now=datetime.now(UTC),
            timezone=context["dag"].timezone,
        ),
        run_id=dag_run.run_id,
        artifacts=artifacts(),
    )


def recipients_of(context: Mapping[str, Any]) -> list[str] | str | None:
    """Give who gets the list: the param, else the Variable."""
    recipients = context["params"]["recipients"]
    return recipients or Variable.get("target_list_recipients", default=None)


@dag(
    schedule="0 4 * * *",
    # In Airflow's default time zone, which so becomes the day's and the schedule's.
    start_date=timezone.datetime(2026, 1, 1),
    catchup=False,
    params=PARAMS,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["clustering", "marketing"],
)
def customer_reclustering() -> None:
    """Wire the six tasks."""

    @task
    def extract_features(**context: Any) -> dict[str, Any]:
        warehouse = connect()
        check_source(warehouse)
        create_own_objects(warehouse)
        return steps.extract_features(warehouse, run_of(context))

    @task
    def choose_k(**context: Any) -> dict[str, Any]:
        params = context["params"]
        return steps.choose_k(
            connect(),
            run_of(context),
            k=params["k"],
            k_max=params["k_max"],
            scaling=params["scaling"],
        )

    @task
    def fit_clusters(**context: Any) -> dict[str, Any]:
        return steps.fit_clusters(connect(), run_of(context), scaling=context["params"]["scaling"])

    @task
    def write_labels(**context: Any) -> dict[str, Any]:
        return steps.write_labels(connect(), run_of(context), now=datetime.now(UTC))

    @task
    def build_target_list(**context: Any) -> dict[str, Any]:
        params = context["params"]
        return steps.build_target_list(
            connect(),
            run_of(context),
            label=params["target_label"],
            recipients=recipients_of(context),
            accept_change=params["accept_change"],
        )

    @task
    def email_target_list(**context: Any) -> dict[str, Any]:
        params = context["params"]
        return steps.email_target_list(
            connect(),
            run_of(context),
            SmtpMailer(),
            label=params["target_label"],
            recipients=recipients_of(context),
            send=should_send(params["delivery"], context["dag_run"].run_type),
            released=Variable.get("target_list_released", default=None),
            run_url=context["ti"].log_url.partition("/tasks/")[0],
            store=Variable.get("store_name", default="The store"),
            contact=Variable.get("target_list_contact", default=None),
            max_attachment=whole_number("target_list_max_attachment", default=10_000_000),
            now=datetime.now(UTC),
        )

    (
        extract_features()
        >> choose_k()
        >> fit_clusters()
        >> write_labels()
        >> build_target_list()
        >> email_target_list()
    )


customer_reclustering()
