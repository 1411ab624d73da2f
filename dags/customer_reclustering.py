"""Recluster the store's customers by what they return, and mail marketing the list to write to.

## What a run does

1. `extract_features` checks all settings, sees that the night's load is there, and reads four return
   features per customer from the warehouse into a Parquet file.
2. `choose_k` draws the elbow curve and chooses the number of clusters.
3. `fit_clusters` fits k-means with that k and labels every customer. Label 0 is the group that
   returned least.
4. `check_fit` judges the fit: does label 0 still mean what it meant? If a guard has something to say,
   `approve_fit` asks a person; otherwise it passes.
5. `write_labels` publishes the labels in `dbo.customer_clusters`, all or nothing.
6. `build_target_list` writes the customers of `target_label` who can be written to, as CSV and spreadsheet.
   If a guard has something to say, `approve_list` asks a person.
7. `email_target_list` mails the list to marketing, once.

Files are under `{artifacts}/as_of=YYYY-MM-DD/<run>/`.

## When a task fails

The log's last line says what was wrong and what to do. A failure that may pass (a lock, a timeout, a
mail server that is down) is retried three times; any other fails at once. Every task can be cleared
and run again, alone or with those after it: it gives the same result, replaces what it published, and
sends no list twice.

- *"… is in the future"*, *"expected …"*: trigger again with the parameter corrected, or correct the
  Variable or connection that is named, and clear the task.
- *"The store lacks …"*: the connection `warehouse` names the wrong database, or its login lacks rights.
- *The night's load is not there*: it is looked for again while the task has retries left. Then see that
  it has run, and clear `extract_features` and the tasks after it.
- *Rejected*: a guard found clusters or list too different from the last, and a person has said no, or nobody
  anything in time. Clear the task to be asked once more; a preview shows what would come of other parameters.
- *A mail is in doubt*: an attempt died between handing the mail over and hearing that it arrived. Ask
  one recipient, then follow the message; nothing is sent again until you do.
- *A wrong list was published or mailed*: `python -m reclustering take-back <as_of>` removes the day, and
  the next run of it is mailed as a correction.

## When it asks

`approve_fit` and `approve_list` wait, without a worker, for an answer under *Required Actions*; the run's
tab, *Customer clusters*, shows what it is about. Without an answer within twelve hours (the Variable
`reclustering_answer_minutes`) it is rejected.

## Another day

Trigger with `as_of`, or backfill: each day describes the store as it stood at the start of that day.
Only today's list is mailed by itself, and nothing from a backfill, unless `delivery` is `send`. A list that
is held goes out when somebody presses *Mail this list* in the run's tab.

## Trying things

Trigger with `preview`: everything is computed and drawn, nothing published, nothing mailed. Without it, a
run by hand that would replace what another run has published asks, and shows both.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any, Unpack, get_args

from airflow.sdk import Context, Param, dag, timezone

from reclustering import steps
from reclustering.core.params import LARGEST_K, DeliveryMode, Outliers, Scaling
from reclustering.mail import SmtpMailer
from reclustering.orchestration import (
    DEFAULT_ARGS,
    ApprovalOperator,
    alert_on_failure,
    alert_when_held,
    assets,
    current_run,
    engine,
    first_run,
    guard_bounds,
    list_settings,
    mail_settings,
    patience,
    require_settings,
    run_params,
    step,
    today,
    why_held,
)
from reclustering.orchestration.priority import NightsBeforeBackfills
from reclustering.warehouse import connect
from reclustering.warehouse.schema import create_own_objects, require_source

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
        maximum=LARGEST_K,
        title="k",
        description=f"Number of clusters, 1 to {LARGEST_K}. Empty: that of the last run, until the "
        "evidence for another one has lasted.",
    ),
    "k_max": Param(
        19,
        type="integer",
        minimum=2,
        maximum=LARGEST_K,
        title="Largest k",
        description=f"The elbow curve goes from 1 to this k (2 to {LARGEST_K}).",
    ),
    "scaling": Param(
        "none",
        enum=[*get_args(Scaling)],
        title="Scaling",
        description="How features are weighed against each other. none: as they are, like the "
        "tutorial. standard: in standard deviations. robust: in medians of those above 0. log: as "
        "logarithms.",
    ),
    "outliers": Param(
        "keep",
        enum=[*get_args(Outliers)],
        title="Outliers",
        description="Customers far from all others. keep: each takes a cluster, as in the tutorial. "
        "set_aside: left out of curve and fit, and labelled with the nearest cluster.",
    ),
    "target_label": Param(
        0,
        type="integer",
        minimum=0,
        maximum=LARGEST_K - 1,
        title="Target label",
        description="The cluster whose customers are listed. 0 is the group that returned least.",
    ),
    "recipients": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Recipients",
        description="Who gets the list, one address per line, of those that the Variable "
        "target_list_recipients allows. Empty: all that it names.",
    ),
    "delivery": Param(
        "auto",
        enum=[*get_args(DeliveryMode)],
        title="Delivery",
        description="auto: send today's list, but not from a backfill. send: send. hold: build all, send "
        "nothing.",
    ),
    "accept_change": Param(
        False,
        type="boolean",
        title="Accept what is unusual",
        description="Go on, without asking, although guards found the load, the clusters or the list too "
        "different from the last ones, or another run has published this day.",
    ),
    "preview": Param(
        False,
        type="boolean",
        title="Preview",
        description="Only look: compute and draw everything, publish and mail nothing. Guards say what "
        "they would have stopped.",
    ),
}


AN_HOUR, A_QUARTER = timedelta(hours=1), timedelta(minutes=15)
"""Limits of tasks, which take seconds: longer than any wait inside one, the longest being ten minutes for a
lock."""


@dag(
    schedule=os.environ.get("RECLUSTERING_SCHEDULE") or "0 4 * * *",
    # In Airflow's default time zone, which so becomes the day's and the schedule's.
    start_date=timezone.datetime(2026, 1, 1),
    catchup=False,
    params=PARAMS,
    default_args=DEFAULT_ARGS | {"weight_rule": NightsBeforeBackfills()},
    on_failure_callback=alert_on_failure,
    on_success_callback=alert_when_held,
    doc_md=__doc__,
    tags=["clustering", "marketing"],
)
def customer_reclustering() -> None:
    """Wire the tasks."""

    @step(AN_HOUR, inlets=assets.SALES)
    def extract_features(**context: Unpack[Context]) -> dict[str, Any]:
        params = run_params(context)
        require_settings(params["recipients"])
        run, warehouse = first_run(context), connect()
        steps.begin_run(run, params)
        require_source(warehouse)
        create_own_objects(warehouse)
        warehouse.require_rights()
        return steps.extract_features(
            warehouse,
            run,
            bounds=guard_bounds(),
            accept_change=params["accept_change"],
            today=today(context),
        )

    @step(AN_HOUR)
    def choose_k(**context: Unpack[Context]) -> dict[str, Any]:
        params = run_params(context)
        return steps.choose_k(
            connect(),
            engine(),
            current_run(context),
            k=params["k"],
            k_max=params["k_max"],
            scaling=params["scaling"],
            outliers=params["outliers"],
            patience=patience(),
        )

    @step(AN_HOUR)
    def fit_clusters(**context: Unpack[Context]) -> dict[str, Any]:
        params = run_params(context)
        return steps.fit_clusters(
            connect(),
            engine(),
            current_run(context),
            scaling=params["scaling"],
            outliers=params["outliers"],
        )

    @step(A_QUARTER)
    def check_fit(**context: Unpack[Context]) -> dict[str, Any]:
        params = run_params(context)
        return steps.check_fit(
            connect(),
            current_run(context),
            label=params["target_label"],
            bounds=guard_bounds(),
            manual=context["dag_run"].run_type == "manual",
        )

    approve_fit = ApprovalOperator(task_id="approve_fit", about="fit", limit=A_QUARTER)

    @step(AN_HOUR, outlets=[assets.PUBLICATION])
    def write_labels(**context: Unpack[Context]) -> dict[str, Any]:
        run = current_run(context)
        publication = steps.write_labels(connect(), engine(), run, now=datetime.now(UTC))
        assets.announce(context, run, publication)
        return publication

    @step(AN_HOUR, inlets=assets.PEOPLE)
    def build_target_list(**context: Unpack[Context]) -> dict[str, Any]:
        params = run_params(context)
        return steps.build_target_list(
            connect(),
            current_run(context),
            label=params["target_label"],
            who=list_settings(),
            settings=mail_settings(params["recipients"]),
            bounds=guard_bounds(),
        )

    approve_list = ApprovalOperator(task_id="approve_list", about="list", limit=A_QUARTER)

    @step(AN_HOUR, outlets=[assets.DELIVERY])
    def email_target_list(**context: Unpack[Context]) -> dict[str, Any]:
        params, run = run_params(context), current_run(context)
        delivered = steps.email_target_list(
            connect(),
            run,
            SmtpMailer(),
            mail_settings(params["recipients"]),
            label=params["target_label"],
            who=list_settings(),
            held=why_held(context, run),
            clock=lambda: datetime.now(UTC),
            today=today(context),
        )
        assets.announce_list(context, run, delivered)
        return delivered

    (
        extract_features()
        >> choose_k()
        >> fit_clusters()
        >> check_fit()
        >> approve_fit
        >> write_labels()
        >> build_target_list()
        >> approve_list
        >> email_target_list()
    )


customer_reclustering()
