"""The tasks of the pipeline, one function each.

Every step reads the files of the step before it and the warehouse, and publishes its own files in
one go, so each can be repeated at any time with the same result. What it returns is for the log and
the UI: paths, counts and hashes, never a customer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from reclustering.artifacts import OWNER_ONLY, fetch, publish, read_json, write_json
from reclustering.features import write_features
from reclustering.publication import publish_labels
from reclustering.run import Run

# What only one step needs is imported there: each task is a process of its own, every night.
if TYPE_CHECKING:
    from reclustering.delivery import Mailer
    from warehouse.verbs import Warehouse

PREVIOUS_LABELS = pa.schema([("customer", pa.int64()), ("cluster", pa.uint8())])


def extract_features(warehouse: Warehouse, run: Run) -> dict[str, Any]:
    """Read the return features of every customer into `features.parquet`."""
    day = {"as_of": run.as_of}
    target = run.path("features.parquet")
    with publish(target) as scratch, warehouse.read() as session:
        customers = int(session.query("features/customer_count", day)[0]["customers"])
        batches = session.stream("features/return_features", day)
        sha256 = write_features(batches, scratch, expected_rows=customers)
    summary = {"as_of": run.as_of.isoformat(), "customers": customers, "sha256": sha256}
    write_json(run.path("features.json"), summary)
    return summary | {"path": str(target)}


def choose_k(
    warehouse: Warehouse, run: Run, *, k: int | None, k_max: int, scaling: str
) -> dict[str, Any]:
    """Choose the number of clusters by the elbow, and leave `elbow.json` and its plot."""
    from reclustering import elbow
    from reclustering.plots import write_elbow_plot

    previous = _previous_run(warehouse, run)
    with fetch(run.path("features.parquet")) as features:
        result = elbow.choose_k(
            features,
            k=k,
            k_max=k_max,
            scaling=scaling,
            previous_k=previous["k"] if previous else None,
        )
    with publish(run.path("elbow.png")) as scratch:
        write_elbow_plot(result, scratch)
    write_json(run.path("elbow.json"), result)
    return {name: result[name] for name in ("k", "method", "reason")} | {
        "path": str(run.path("elbow.json"))
    }


def fit_clusters(warehouse: Warehouse, run: Run, *, scaling: str) -> dict[str, Any]:
    """Fit k-means with the chosen k; leave `clusters.json`, its plot, and `labels.parquet`."""
    from reclustering import clusters, continuity, labels
    from reclustering.plots import write_clusters_plot

    k = read_json(run.path("elbow.json"))["k"]
    with (
        fetch(run.path("features.parquet")) as features,
        publish(run.path("labels.parquet")) as labelled,
        TemporaryDirectory() as folder,
    ):
        result = clusters.fit_clusters(features, k=k, scaling=scaling)
        labels.write_labels(features, result, labelled)
        previous = _previous_run(warehouse, run)
        result["continuity"] = continuity.compare(
            clusters=result,
            labels=labelled,
            previous_clusters=previous,
            previous_labels=_previous_labels(warehouse, previous, Path(folder)),
        )
    with publish(run.path("clusters.png")) as scratch:
        write_clusters_plot(result, scratch)
    write_json(run.path("clusters.json"), result)
    return {
        "k": k,
        "inertia": result["inertia"],
        "sizes": [one["size"] for one in result["clusters"]],
        "path": str(run.path("clusters.json")),
    }


def write_labels(warehouse: Warehouse, run: Run, *, now: datetime) -> dict[str, Any]:
    """Publish the labels in the warehouse, in place of an earlier set of the same as_of."""
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
    from reclustering import list_guards, target_list
    from reclustering.delivery import valid_recipients

    valid_recipients(recipients)
    cluster = target_list.find_cluster(read_json(run.path("clusters.json")), label)
    opt_outs = target_list.load_opt_outs(warehouse)
    chosen = target_list.load_candidates(warehouse, run, label, opt_outs)
    with fetch(run.path("labels.parquet")) as labels:
        target_list.check_whole(chosen, labels, label=label, size=cluster["size"])
    earlier = list_guards.find_earlier_list(warehouse, run, label)
    change = list_guards.compare([entry.customer for entry in chosen.entries], earlier)
    overrides = list_guards.overrides(
        [
            list_guards.check_meaning(label, cluster["centroid"]["frequency"]),
            list_guards.check_change(change, list_guards.last_mailed(warehouse, run, label)),
            list_guards.check_opt_outs(opt_outs.rows, earlier),
        ],
        accept_change=accept_change,
        as_of=run.as_of,
    )
    with publish(run.path("target_list.parquet")) as scratch:
        target_list.write_keys(chosen.entries, scratch)
    with publish(run.path("target_list.csv"), mode=OWNER_ONLY) as scratch:
        sha256 = target_list.write_csv(chosen.entries, scratch)
    summary = {
        "as_of": run.as_of.isoformat(),
        "label": label,
        "customers": len(chosen.entries),
        "cluster_size": cluster["size"],
        "excluded": chosen.excluded,
        "returned": chosen.returned,
        "opt_outs": opt_outs.rows,
        "previous": change,
        "overrides": overrides,
        "sha256": sha256,
    }
    write_json(run.path("target_list.json"), summary)
    return summary | {"path": str(run.path("target_list.csv"))}


def email_target_list(
    warehouse: Warehouse,
    run: Run,
    mailer: Mailer,
    *,
    label: int,
    recipients: str | Sequence[str] | None,
    send: bool,
    released: str | None = None,
    run_url: str | None,
    store: str,
    contact: str | None,
    max_attachment: int,
    now: datetime,
) -> dict[str, Any]:
    """Mail the list to everybody who has not got it yet; leave `mail.html` and `delivery.json`.

    Nothing is mailed unless `send`, or the list's SHA-256 is `released`.
    """
    from reclustering import delivery, message
    from reclustering.ledger import Delivery, Ledger, ListKey

    to = delivery.valid_recipients(recipients)
    built = read_json(run.path("target_list.json"))
    delivery.check_label(built, label)
    key = ListKey(run.as_of, label, built["sha256"])
    ledger = Ledger(warehouse, key, run_id=run.run_id, now=now)

    @cache
    def letter() -> message.Letter:
        return message.write_letter(
            run,
            built,
            store=store,
            corrected=ledger.corrects(),
            run_url=run_url,
            contact=delivery.valid_contact(contact, sender=mailer.sender),
            max_attachment=max_attachment,
        )

    def compose(one: Delivery) -> bytes:
        return message.address_letter(
            letter(), sender=mailer.sender, to=one.recipient, message_id=one.message_id, now=now
        )

    if send or released == key.sha256:
        rows = ledger.enter(to, customers=built["customers"], sender=mailer.sender)
        results = delivery.deliver(ledger, rows, mailer, compose)
    else:
        letter()
        results = delivery.hold(to)
    summary = delivery.summarise(results, key)
    write_json(run.path("delivery.json"), summary | {"recipients": [asdict(r) for r in results]})
    delivery.raise_for(results)
    return summary | {"path": str(run.path("delivery.json"))}


def _previous_run(warehouse: Warehouse, run: Run) -> dict[str, Any] | None:
    with warehouse.read() as session:
        rows = session.query("runs/previous_run", {"as_of": run.as_of})
    if not rows:
        return None
    row = rows[0]
    return {
        "as_of": row["as_of"].isoformat(),
        "run_id": row["run_id"],
        "k": int(row["k"]),
        "clusters": json.loads(row["centroids"]),
    }


def _previous_labels(
    warehouse: Warehouse, previous: dict[str, Any] | None, folder: Path
) -> Path | None:
    if previous is None:
        return None
    day = {"as_of": date.fromisoformat(previous["as_of"])}
    out = folder / "previous_labels.parquet"
    with pq.ParquetWriter(out, PREVIOUS_LABELS) as writer, warehouse.read() as session:
        for batch in session.stream("labels/previous_labels", day):
            writer.write_batch(batch.cast(PREVIOUS_LABELS))
    return out
