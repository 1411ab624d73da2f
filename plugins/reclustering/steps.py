"""The tasks of the pipeline, one function each, in their order.

Every step reads the files of the steps before it and the warehouse, and publishes its own files in
one go, so each can be repeated at any time with the same result. What it returns is for the log and
the UI: paths, counts and hashes, never a customer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from reclustering.core.artifacts import (
    OWNER_ONLY,
    content_sha256,
    fetch,
    file_sha256,
    publish,
    read_json,
    write_json,
)
from reclustering.core.clusters import find_cluster
from reclustering.core.contracts import (
    FEATURES_SCHEMA,
    LABELS_SCHEMA,
    REPORT,
    SPREADSHEET_ROWS,
    TARGET_LIST,
    TARGET_LIST_SPREADSHEET,
)
from reclustering.core.decision import matter_of
from reclustering.core.errors import BadInputError, TerminalError, TransientError
from reclustering.core.guards import Bounds, as_said, problems
from reclustering.core.protocols import Engine, Mailer, Warehouse
from reclustering.core.run import Run
from reclustering.core.scratch import scratch_file
from reclustering.decision.record import find_decision, require_approved
from reclustering.delivery.settings import MailSettings, valid_recipients
from reclustering.target_list.settings import ListSettings

if TYPE_CHECKING:
    from reclustering.delivery.message import Letters
    from reclustering.delivery.sending import Result
    from reclustering.target_list.guards import EarlierList
    from reclustering.target_list.opt_outs import OptOuts
    from reclustering.target_list.selection import Selection, Totals

log = logging.getLogger(__name__)

LARGEST_SPREADSHEET = 2
"""Times the largest attachment: were the CSV larger, no spreadsheet of it could be mailed."""

# A room is imported by the step that enters it: each task is a process of its own, every night.


def begin_run(run: Run, params: Mapping[str, Any]) -> None:
    """Leave in `run.json` what the run was asked for; so a folder that cannot be written is found out."""
    asked = {"as_of": run.as_of.isoformat(), "run_id": run.run_id, "params": dict(params)}
    write_json(run.path("run.json"), asked)


def extract_features(
    warehouse: Warehouse, run: Run, *, bounds: Bounds, accept_change: bool, today: date
) -> dict[str, Any]:
    """Read what every customer bought and returned into `features.parquet` and `purchases.parquet`.

    Nothing is read before the night's load is there. Of a day that is over, none is late.
    """
    from reclustering.features.guards import judge_load
    from reclustering.features.load import read_load
    from reclustering.features.table import write_features
    from reclustering.labels.history import previous_run

    previous, late = previous_run(warehouse, run), run.as_of >= today
    target = run.path("features.parquet")
    with (
        publish(target) as features,
        publish(run.path("purchases.parquet")) as purchases,
        warehouse.read(late=True) as session,
    ):
        load = read_load(session, run.as_of)
        overrides = as_said(judge_load(load, run.as_of, previous, bounds))
        if overrides and not (accept_change or run.preview):
            raise _no_load(run, overrides, late=late)
        batches = session.stream("features/return_features", {"as_of": run.as_of})
        customers, sha256, quarantine = write_features(
            batches, features, purchases, max_quarantined=bounds.max_quarantined
        )
    summary = {"as_of": run.as_of.isoformat(), "customers": customers, "sha256": sha256}
    found = {"load": load.summary(), "quarantine": asdict(quarantine), "overrides": overrides}
    write_json(run.path("features.json"), summary | found)
    log.info(
        "%s customers have bought something before %s; %s more were left out for impossible features.",
        f"{customers:,}",
        run.as_of,
        f"{quarantine.customers:,}",
    )
    _say_findings(overrides)
    return summary | {"path": str(target)}


def _no_load(
    run: Run, found: Iterable[Mapping[str, str]], *, late: bool
) -> TransientError | TerminalError:
    what = (
        "The night's load is not there, or not whole (it is looked for again while this task has retries "
        "left)"
        if late
        else "The store does not hold what it should"
    )
    return (TransientError if late else TerminalError)(
        f"{what}: {problems(found)}. If this is right, trigger a run with as_of={run.as_of} and "
        "accept_change=true; otherwise find out what has happened to the data first. docs/guards.md says "
        "what each guard is for."
    )


def choose_k(
    warehouse: Warehouse,
    engine: Engine,
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
    with engine.open(run.path("features.parquet"), "features", FEATURES_SCHEMA.names) as customers:
        elbow = find_elbow(
            customers,
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
    log.info("%s %s", elbow["reason"], elbow["disagreement"])
    return {name: elbow[name] for name in ("k", "method", "reason")} | {
        "path": str(run.path("elbow.json"))
    }


def fit_clusters(
    warehouse: Warehouse, engine: Engine, run: Run, *, scaling: str, outliers: str
) -> dict[str, Any]:
    """Fit k-means with the chosen k; leave `clusters.json`, its plot, and `labels.parquet`."""
    from reclustering.clustering.assignment import label_customers
    from reclustering.clustering.clusters import cluster_customers
    from reclustering.clustering.plots import write_clusters_plot

    elbow = read_json(run.path("elbow.json"))
    with engine.open(run.path("features.parquet"), "features", FEATURES_SCHEMA.names) as customers:
        clusters = cluster_customers(
            customers,
            k=elbow["k"],
            scaling=scaling,
            outliers=outliers,
            start=elbow["centroids"],
        )
        returners = label_customers(customers, clusters, run.path("labels.parquet"))
    for one in clusters["clusters"]:
        one["returners"] = returners[one["label"]]
    clusters["continuity"] = _continuity(warehouse, run, clusters)
    with publish(run.path("clusters.png")) as scratch:
        write_clusters_plot(clusters, scratch)
    write_json(run.path("clusters.json"), clusters)
    for one in clusters["clusters"]:
        log.info("Label %d: %s customers. %s", one["label"], f"{one['size']:,}", one["description"])
    log.info(clusters["continuity"]["summary"])
    return {
        "k": elbow["k"],
        "inertia": clusters["inertia"],
        "sizes": [one["size"] for one in clusters["clusters"]],
        "path": str(run.path("clusters.json")),
    }


def _continuity(warehouse: Warehouse, run: Run, clusters: dict[str, Any]) -> dict[str, Any]:
    from reclustering.clustering.continuity import compare_with_previous
    from reclustering.labels.history import fetch_labels, previous_run

    previous = previous_run(warehouse, run)
    with scratch_file() as before, fetch(run.path("labels.parquet")) as labels:
        if previous:
            as_of = date.fromisoformat(previous["as_of"])
            previous |= {"labels": fetch_labels(warehouse, as_of, before)}
        continuity = compare_with_previous(clusters, labels, previous)
    if previous:
        continuity["previous"] |= {"baseline": previous["baseline"].get("fit")}
    return continuity


def check_fit(
    warehouse: Warehouse, run: Run, *, label: int, bounds: Bounds, manual: bool
) -> dict[str, Any]:
    """Judge the fit before it is published; leave what there is to decide on in `fit_check.json`.

    What a person has started by hand does not replace what another run has published by itself.
    """
    from reclustering.clustering.guards import judge_fit
    from reclustering.labels.guards import judge_replacement
    from reclustering.labels.history import published_run

    clusters, elbow = read_json(run.path("clusters.json")), read_json(run.path("elbow.json"))
    find_cluster(clusters, label)
    findings = list(judge_fit(clusters, elbow, bounds))
    if manual:
        features_sha256 = read_json(run.path("features.json"))["sha256"]
        published = published_run(warehouse, run)
        findings += judge_replacement(run, published, clusters, features_sha256)
    said = as_said(findings)
    checked = {
        "as_of": run.as_of.isoformat(),
        "label": label,
        "sha256": content_sha256(clusters),
        "findings": said,
    }
    write_json(run.path("fit_check.json"), checked)
    if not said:
        log.info("No guard has anything to say against the clusters.")
    _say_findings(said)
    return {"findings": len(said), "path": str(run.path("fit_check.json"))}


def write_labels(
    warehouse: Warehouse, engine: Engine, run: Run, *, now: datetime
) -> dict[str, Any]:
    """Publish the labels in the warehouse, in place of an earlier set of the same as_of.

    A preview publishes nothing; nor is anything published that a guard speaks against and nobody has
    approved.
    """
    from reclustering.clustering.guards import fit_baseline
    from reclustering.labels.publication import publish_labels, staging_totals

    features, elbow, clusters, check = (
        read_json(run.path(f"{name}.json"))
        for name in ("features", "elbow", "clusters", "fit_check")
    )
    if check["sha256"] != content_sha256(clusters):
        raise BadInputError(
            f"{run.path('clusters.json')} is not the fit that was checked. Clear check_fit, and the "
            "tasks after it."
        )
    summary = {
        "table": None if run.preview else "dbo.customer_clusters",
        "k": elbow["k"],
        "customers": clusters["rows"],
        "sizes": [one["size"] for one in clusters["clusters"]],
    }
    history = {
        "changed": clusters["continuity"].get("changed_share"),
        "at": now.isoformat(timespec="seconds"),
    }
    if run.preview:
        write_json(run.path("publication.json"), summary | history)
        log.info(
            "A preview: the labels of %s customers are not published.", f"{clusters['rows']:,}"
        )
        return summary
    require_approved(run, "fit", task="approve_fit")
    with engine.open(run.path("labels.parquet"), "labels", LABELS_SCHEMA.names) as customers:
        totals = staging_totals(customers)
    with fetch(run.path("labels.parquet")) as labels:
        summary["customers"] = publish_labels(
            warehouse,
            run,
            labels,
            totals=totals,
            elbow=elbow,
            clusters=clusters,
            baseline={"load": features["load"], "fit": fit_baseline(clusters, elbow)},
            features_sha256=features["sha256"],
            now=now,
        )
    write_json(run.path("publication.json"), summary | history)
    log.info(
        "Published %s labels of %s in dbo.customer_clusters.",
        f"{summary['customers']:,}",
        run.as_of,
    )
    return summary


def build_target_list(
    warehouse: Warehouse,
    run: Run,
    *,
    label: int,
    who: ListSettings,
    settings: MailSettings,
    bounds: Bounds,
) -> dict[str, Any]:
    """Leave the list of one cluster in `target_list.csv`, and what became of each customer by key.

    What speaks against mailing it is left in `target_list.json`, and stops the mail unless a person approves.
    """
    from reclustering.target_list import guards, list_file, opt_outs, spreadsheet
    from reclustering.target_list.selection import (
        require_unmasked,
        require_whole_cluster,
        selection,
    )

    valid_recipients(settings)
    cluster = find_cluster(read_json(run.path("clusters.json")), label)
    _require_own_labels(warehouse, run)
    opted_out = opt_outs.load_opt_outs(warehouse)
    earlier = guards.find_earlier_list(warehouse, run, label)
    with selection() as chosen:
        totals = _choose(warehouse, run, chosen, label, who, opted_out, earlier)
        require_whole_cluster(totals, label=label, size=cluster["size"])
        require_unmasked(totals)
        change = guards.list_change(totals, earlier)
        findings = as_said(guards.judge_list(change, opted_out.rows, earlier, bounds))
        # A correction goes to those who know who was new that day.
        tells_new = earlier is not None and change is not None and earlier.as_of < run.as_of
        with publish(run.path("target_list.parquet")) as scratch:
            chosen.write_outcomes(scratch)
        with publish(run.path(TARGET_LIST), mode=OWNER_ONLY) as scratch:
            identity = list_file.write_csv(chosen.listed(), scratch)
            fits = scratch.stat().st_size <= LARGEST_SPREADSHEET * settings.max_attachment
        spreadsheet_sha256 = None
        if settings.attachment == "xlsx" and fits and totals.customers <= SPREADSHEET_ROWS:
            with publish(run.path(TARGET_LIST_SPREADSHEET), mode=OWNER_ONLY) as scratch:
                spreadsheet.write_spreadsheet(
                    chosen.listed(), scratch, as_of=run.as_of, new=tells_new
                )
                spreadsheet_sha256 = file_sha256(scratch)
    summary = {
        "as_of": run.as_of.isoformat(),
        "label": label,
        "preview": run.preview,
        "customers": totals.customers,
        "new": totals.new if tells_new else None,
        "gone": totals.gone if tells_new else None,
        "audience": totals.audience,
        "cluster_size": cluster["size"],
        "excluded": totals.excluded,
        "returned": totals.returned,
        "opt_outs": opted_out.rows,
        "opt_outs_unknown": opted_out.unknown,
        "previous": change,
        "same_as": guards.same_as(earlier, identity.people_sha256),
        "findings": findings,
        "sha256": identity.sha256,
        "people_sha256": identity.people_sha256,
        "spreadsheet_sha256": spreadsheet_sha256,
    }
    write_json(run.path("target_list.json"), summary)
    log.info(
        "%s of the %s customers of label %d are on the list. Left out: %s.",
        f"{totals.customers:,}",
        f"{cluster['size']:,}",
        label,
        ", ".join(f"{n:,} {reason}" for reason, n in totals.excluded.items() if n) or "nobody",
    )
    if change:
        log.info("Since %(as_of)s: %(added)d added, %(gone)d gone.", change)
    _say_findings(findings)
    return {name: summary[name] for name in ("customers", "excluded", "sha256")} | {
        "path": str(run.path(TARGET_LIST))
    }


def _require_own_labels(warehouse: Warehouse, run: Run) -> None:
    from reclustering.labels.history import published_run

    published = published_run(warehouse, run)
    if not run.preview and (published is None or published["run_id"] != run.run_id):
        by = f"those of run {published['run_id']}" if published else "not there"
        raise BadInputError(
            f"The published labels of {run.as_of} are {by}; expected this run's. Clear write_labels of the "
            "run that should count, and the tasks after it."
        )


def _choose(
    warehouse: Warehouse,
    run: Run,
    chosen: Selection,
    label: int,
    who: ListSettings,
    opted_out: OptOuts,
    earlier: EarlierList | None,
) -> Totals:
    """Collect the customers of the cluster, and decide about each."""
    from reclustering.target_list.members import cluster_members
    from reclustering.target_list.membership import mailed_lately
    from reclustering.target_list.selection import Before

    with (
        fetch(run.path("labels.parquet")) as labels,
        fetch(run.path("purchases.parquet")) as purchases,
        cluster_members(warehouse, labels, purchases, label) as members,
    ):
        chosen.collect(members, opted_out)
    with ExitStack() as opened:
        before = None
        if earlier and earlier.description:
            before = Before(opened.enter_context(fetch(earlier.keys)), earlier.as_of)
        session = opened.enter_context(warehouse.read())
        recent = mailed_lately(session, run.as_of, who.cool_off)
        return chosen.decide(who, as_of=run.as_of, before=before, recent=recent)


def email_target_list(
    warehouse: Warehouse,
    run: Run,
    mailer: Mailer,
    settings: MailSettings,
    *,
    label: int,
    who: ListSettings,
    held: str | None,
    clock: Callable[[], datetime],
    today: date,
) -> dict[str, Any]:
    """Mail the list to everybody who has not got it yet; leave `delivery.json` and `report.html`.

    Nothing is mailed where `held` says why, unless a person has released this very list. Who has the same
    list of an earlier day gets a note, or nothing. Where the settings name a folder, it goes there first.
    """
    from reclustering.delivery import message, sending
    from reclustering.delivery.ledger import Ledger, ListKey
    from reclustering.delivery.unchanged import find_unchanged

    recipients = valid_recipients(settings)
    built = message.read_list(run, label)
    key = ListKey(run.as_of, label, built["sha256"])
    ledger = Ledger(warehouse, key, run_id=run.run_id, clock=clock)
    decision = find_decision(run, matter_of("list", built))
    released = decision is not None and decision.releases and not run.preview
    unchanged = find_unchanged(ledger, built, again=released or bool(who.cool_off))
    letters = message.Letters(run, built, settings, ledger, unchanged, mailer.sender, clock, today)
    if built["customers"] == 0 and not (unchanged.because or ledger.corrects()):
        held, released = "nobody is on it", False
    out = False
    if held and not released:
        letters.list_mail  # noqa: B018 (leaves mail.html)
        results = sending.hold(ledger.known(recipients), held)
    else:
        results, out = _send(warehouse, letters, mailer, recipients, who)
    summary = sending.summarise(results, key, built)
    write_json(run.path("delivery.json"), summary | {"recipients": [asdict(r) for r in results]})
    log.info(summary["summary"])
    try:
        _write_report(run)
    finally:
        # Of a mail in doubt a person must hear, whatever becomes of the report.
        sending.raise_for(results)
    told = ("label", "customers", "new", "sha256")
    announced = {name: built[name] for name in told} | {"file": letters.file}
    return {
        "summary": summary["summary"],
        # A preview is to be seen, not to be mailed.
        "held": bool(summary["outcomes"]["held"]) and not run.preview,
        "out": announced if out else None,
        "path": str(run.path("delivery.json")),
    }


def _send(
    warehouse: Warehouse,
    letters: Letters,
    mailer: Mailer,
    recipients: Iterable[str],
    who: ListSettings,
) -> tuple[list[Result], bool]:
    """Leave the list in its folder, and mail it, to all who are still to get it; tell if there were any."""
    from reclustering.delivery.drop import deliver_drop
    from reclustering.delivery.sending import deliver, pass_over

    run, built, ledger, settings = letters.run, letters.built, letters.ledger, letters.settings
    unchanged = letters.unchanged
    folders = [str(settings.drop)] if settings.drop else []
    rows = ledger.enter([*folders, *recipients], customers=built["customers"], sender=mailer.sender)
    waiting = [row for row in rows if row.state == "pending"]
    people = [row for row in waiting if row.recipient not in folders]
    out = not all(map(unchanged.tells, people or waiting))
    if waiting:
        require_approved(run, "list", task="approve_list")
        letters.list_mail  # noqa: B018 (what is wrong with it is found out before anything goes out)
        _require_no_later_opt_out(warehouse, run)
    if out:
        _record_members(warehouse, run, built, who)
    results, mails = [], []
    for row in rows:
        if row.recipient in folders and settings.drop:
            results.append(
                # Whom it is mailed to looks for it there.
                deliver_drop(ledger, row, run, built, settings.drop)
                if out or not unchanged.tells(row)
                else pass_over(ledger, row, unchanged.because)
            )
        elif unchanged.tells(row) and settings.unchanged == "silence":
            results.append(pass_over(ledger, row, unchanged.because))
        else:
            mails.append(row)
    results += deliver(ledger, mails, mailer, letters.compose)
    # A task that is cleared says again what went out before; a note says nothing.
    return results, out or not (waiting or unchanged.because)


def _record_members(
    warehouse: Warehouse, run: Run, built: Mapping[str, Any], who: ListSettings
) -> None:
    """Write down who is on a list that goes out, where something will be compared with it."""
    from reclustering.target_list.membership import record_members

    kept_off = built["excluded"]["holdout"] or built["excluded"]["cool_off"]
    if kept_off or who.holdout or who.cool_off:
        with fetch(run.path("target_list.parquet")) as outcomes:
            record_members(
                warehouse,
                outcomes,
                as_of=run.as_of,
                label=built["label"],
                sha256=built["sha256"],
            )


def _write_report(run: Run) -> None:
    """Leave `report.html`: what the page in Airflow shows of this run, for where there is no Airflow."""
    from reclustering.report.rendering import render_report
    from reclustering.report.view import read_run

    if view := read_run(run.path("run.json").parent):
        with publish(run.path(REPORT)) as scratch:
            scratch.write_text(render_report(view), encoding="utf-8")


def _say_findings(found: Iterable[Mapping[str, str]]) -> None:
    for one in found:
        log.warning("The guard '%s' found: %s.", one["guard"], one["problem"])


def _require_no_later_opt_out(warehouse: Warehouse, run: Run) -> None:
    """Refuse a list with somebody who has opted out since it was built."""
    from reclustering.target_list import list_file, opt_outs

    with fetch(run.path(TARGET_LIST)) as csv:
        list_file.require_none_opted_out(csv, opt_outs.load_opt_outs(warehouse))
