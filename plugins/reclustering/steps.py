"""The tasks of the pipeline, one function each, in their order.

Every step reads the files of the steps before it and the warehouse, and publishes its own files in
one go, so each can be repeated at any time with the same result. What it returns is for the log and
the UI: paths, counts and hashes, never a customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reclustering.core.artifacts import OWNER_ONLY, fetch, publish, read_json, write_json
from reclustering.core.contracts import TARGET_LIST
from reclustering.core.protocols import Mailer, Warehouse
from reclustering.core.run import Run
from reclustering.delivery.settings import MailSettings, valid_contact, valid_recipients

# A room is imported by the step that enters it: each task is a process of its own, every night.


def extract_features(warehouse: Warehouse, run: Run, *, max_quarantined: float) -> dict[str, Any]:
    """Read what every customer bought and returned into `features.parquet` and `purchases.parquet`."""
    from reclustering.features.table import write_features

    target = run.path("features.parquet")
    with (
        publish(target) as features,
        publish(run.path("purchases.parquet")) as purchases,
        warehouse.read() as session,
    ):
        batches = session.stream("features/return_features", {"as_of": run.as_of})
        customers, sha256, quarantine = write_features(
            batches, features, purchases, max_quarantined=max_quarantined
        )
    summary = {"as_of": run.as_of.isoformat(), "customers": customers, "sha256": sha256}
    write_json(run.path("features.json"), summary | {"quarantine": asdict(quarantine)})
    return summary | {"path": str(target)}


def choose_k(
    warehouse: Warehouse,
    run: Run,
    *,
    k: int | None,
    k_max: int,
    scaling: str,
    outliers: str,
    patience: int,
) -> dict[str, Any]:
    """Choose the number of clusters by the elbow, and leave `elbow.json` and its plot."""
    from reclustering.clustering.choice import Published
    from reclustering.clustering.elbow import find_elbow
    from reclustering.clustering.plots import write_elbow_plot
    from reclustering.labels.history import earlier_choices

    history = [
        Published(**one)
        for one in earlier_choices(
            warehouse, run, scaling=scaling, outliers=outliers, days=patience
        )
    ]
    with fetch(run.path("features.parquet")) as features:
        elbow = find_elbow(
            features,
            k=k,
            k_max=k_max,
            scaling=scaling,
            outliers=outliers,
            history=history,
            patience=patience,
        )
    with publish(run.path("elbow.png")) as scratch:
        write_elbow_plot(elbow, scratch)
    write_json(run.path("elbow.json"), elbow)
    return {name: elbow[name] for name in ("k", "method", "reason")} | {
        "path": str(run.path("elbow.json"))
    }


def fit_clusters(warehouse: Warehouse, run: Run, *, scaling: str, outliers: str) -> dict[str, Any]:
    """Fit k-means with the chosen k; leave `clusters.json`, its plot, and `labels.parquet`."""
    from reclustering.clustering.assignment import label_customers
    from reclustering.clustering.clusters import cluster_customers
    from reclustering.clustering.continuity import compare_with_previous
    from reclustering.clustering.plots import write_clusters_plot
    from reclustering.labels.history import fetch_labels, previous_run

    elbow = read_json(run.path("elbow.json"))
    with (
        fetch(run.path("features.parquet")) as features,
        publish(run.path("labels.parquet")) as labels,
        TemporaryDirectory() as folder,
    ):
        clusters = cluster_customers(
            features,
            k=elbow["k"],
            scaling=scaling,
            outliers=outliers,
            start=elbow["centroids"],
        )
        label_customers(features, clusters, labels)
        if previous := previous_run(warehouse, run):
            as_of, out = date.fromisoformat(previous["as_of"]), Path(folder, "previous.parquet")
            previous |= {"labels": fetch_labels(warehouse, as_of, out)}
        clusters["continuity"] = compare_with_previous(clusters, labels, previous)
    with publish(run.path("clusters.png")) as scratch:
        write_clusters_plot(clusters, scratch)
    write_json(run.path("clusters.json"), clusters)
    return {
        "k": elbow["k"],
        "inertia": clusters["inertia"],
        "sizes": [one["size"] for one in clusters["clusters"]],
        "path": str(run.path("clusters.json")),
    }


def write_labels(warehouse: Warehouse, run: Run, *, now: datetime) -> dict[str, Any]:
    """Publish the labels in the warehouse, in place of an earlier set of the same as_of."""
    from reclustering.labels.publication import publish_labels

    with fetch(run.path("labels.parquet")) as labels:
        customers = publish_labels(
            warehouse,
            run,
            labels,
            elbow=read_json(run.path("elbow.json")),
            clusters=read_json(run.path("clusters.json")),
            features_sha256=read_json(run.path("features.json"))["sha256"],
            now=now,
        )
    summary = {"table": "dbo.customer_clusters", "customers": customers}
    write_json(run.path("publication.json"), summary)
    return summary


def build_target_list(
    warehouse: Warehouse,
    run: Run,
    *,
    label: int,
    recipients: str | Sequence[str] | None,
    accept_change: bool,
) -> dict[str, Any]:
    """Leave the list of one cluster in `target_list.csv`, unless something is wrong with it."""
    from reclustering.target_list import candidates, guards, list_file, opt_outs

    valid_recipients(recipients)
    cluster = candidates.find_cluster(read_json(run.path("clusters.json")), label)
    opted_out = opt_outs.load_opt_outs(warehouse)
    with fetch(run.path("purchases.parquet")) as purchases:
        chosen = candidates.load_candidates(
            warehouse, run, label, opt_outs=opted_out, purchases=purchases
        )
    with fetch(run.path("labels.parquet")) as labels:
        candidates.require_whole_cluster(chosen, labels, label=label, size=cluster["size"])
    earlier = guards.find_earlier_list(warehouse, run, label)
    change = guards.list_change([entry.customer for entry in chosen.entries], earlier)
    overrides = guards.enforce(
        [
            guards.guard_meaning(label, cluster["centroid"]["frequency"]),
            guards.guard_change(change, guards.last_mailed(warehouse, run, label)),
            guards.guard_opt_outs(opted_out.rows, earlier),
        ],
        accept_change=accept_change,
        as_of=run.as_of,
    )
    with publish(run.path("target_list.parquet")) as scratch:
        list_file.write_keys(chosen.entries, scratch)
    with publish(run.path(TARGET_LIST), mode=OWNER_ONLY) as scratch:
        sha256 = list_file.write_csv(chosen.entries, scratch)
    summary = {
        "as_of": run.as_of.isoformat(),
        "label": label,
        "customers": len(chosen.entries),
        "cluster_size": cluster["size"],
        "excluded": chosen.excluded,
        "returned": chosen.returned,
        "opt_outs": opted_out.rows,
        "previous": change,
        "overrides": overrides,
        "sha256": sha256,
    }
    write_json(run.path("target_list.json"), summary)
    return {name: summary[name] for name in ("customers", "excluded", "sha256")} | {
        "path": str(run.path(TARGET_LIST))
    }


def email_target_list(
    warehouse: Warehouse,
    run: Run,
    mailer: Mailer,
    settings: MailSettings,
    *,
    label: int,
    send: bool,
    now: datetime,
) -> dict[str, Any]:
    """Mail the list to everybody who has not got it yet; leave `mail.html` and `delivery.json`.

    Nothing is mailed unless `send`, or the list's SHA-256 is `settings.released`.
    """
    from reclustering.delivery import message, sending
    from reclustering.delivery.ledger import Delivery, Ledger, ListKey

    recipients = valid_recipients(settings.recipients)
    built = message.read_list(run, label)
    key = ListKey(run.as_of, label, built["sha256"])
    ledger = Ledger(warehouse, key, run_id=run.run_id, now=now)

    @cache
    def content() -> message.MessageContent:
        contact = valid_contact(settings.contact, sender=mailer.sender)
        return message.write_content(
            run, built, settings, corrected=ledger.corrects(), contact=contact
        )

    def compose(one: Delivery) -> bytes:
        return message.address_message(
            content(), sender=mailer.sender, to=one.recipient, message_id=one.message_id, now=now
        )

    if send or settings.released == key.sha256:
        rows = ledger.enter(recipients, customers=built["customers"], sender=mailer.sender)
        results = sending.deliver(ledger, rows, mailer, compose)
    else:
        content()
        results = sending.hold(recipients)
    summary = sending.summarise(results, key)
    write_json(run.path("delivery.json"), summary | {"recipients": [asdict(r) for r in results]})
    sending.raise_for(results)
    return {name: summary[name] for name in ("sha256", "summary")} | {
        "path": str(run.path("delivery.json"))
    }
