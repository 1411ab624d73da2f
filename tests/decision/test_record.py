"""A decision counts for what it was made on, and is on record once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reclustering.core.decision import Decision, Matter
from reclustering.core.errors import BadInputError
from reclustering.decision.record import (
    find_decision,
    leave_decision,
    record_decision,
    require_approved,
)
from reclustering.warehouse.schema import create_own_objects
from tests.stores import make_run
from tests.world import AS_OF, fit_check_json, people

FINDING = {"guard": "groups", "problem": "3 groups, where 2 were"}

MATTER = Matter("fit", AS_OF.isoformat(), 0, "f" * 64)

APPROVED = Decision(MATTER, "approved", "answer", "anna", "2024-01-01T09:12:30+00:00")


@pytest.fixture
def run(world):
    """A run about whose fit a guard has something to say."""
    run = world.publish(people(3))
    found = fit_check_json(run, FINDING)
    run.path("fit_check.json").write_text(json.dumps(found))
    return run


def test_what_a_guard_speaks_against_needs_an_approval(run):
    with pytest.raises(BadInputError) as refused:
        require_approved(run, "fit", task="approve_fit")
    assert str(refused.value) == (
        "The fit of 2024-01-01 is not approved, and guards speak against it: 3 groups, where 2 were. "
        "Clear approve_fit, and the tasks after it, to be asked."
    )
    leave_decision(run, APPROVED)
    require_approved(run, "fit", task="approve_fit")


@pytest.mark.parametrize(
    "other",
    [
        replace(APPROVED, verdict="rejected"),
        replace(APPROVED, matter=replace(MATTER, sha256="e" * 64)),
        replace(APPROVED, matter=replace(MATTER, label=1)),
        replace(APPROVED, matter=replace(MATTER, as_of="2023-12-31")),
    ],
    ids=["rejected", "another fit", "another label", "another day"],
)
def test_no_other_decision_does_for_it(run, other):
    leave_decision(run, other)
    with pytest.raises(BadInputError, match="is not approved"):
        require_approved(run, "fit", task="approve_fit")


def test_where_no_guard_speaks_nothing_is_needed(world):
    require_approved(world.publish(people(3)), "fit", task="approve_fit")


def test_a_later_decision_takes_the_place_of_an_earlier_one(run):
    leave_decision(run, replace(APPROVED, verdict="rejected", by="bob"))
    leave_decision(run, APPROVED)
    assert find_decision(run, MATTER) == APPROVED
    assert find_decision(run, replace(MATTER, subject="list")) is None


def test_a_decision_is_on_record_once_with_names_of_guards_and_no_sentence(store):
    warehouse = store.hook()
    create_own_objects(warehouse)
    run = make_run(AS_OF)
    nobody = replace(APPROVED, verdict="rejected", how="no_answer", by=None)
    later = replace(nobody, at="2024-01-01T21:12:30+00:00")
    # An attempt that died after it had written, and its retry.
    for decision in (APPROVED, APPROVED, later):
        record_decision(warehouse, run, decision, [FINDING, FINDING, FINDING | {"guard": "change"}])
    rows = store.run(
        "SELECT as_of, run_id, subject, label, sha256, verdict, how, decided_by, decided_at, guards"
        " FROM dbo.clustering_decisions ORDER BY decided_at"
    )
    assert [[str(value) for value in row] for row in rows] == [
        [
            *("2024-01-01", "run", "fit", "0", "f" * 64),
            *(verdict, how, by, at, "groups, change"),
        ]
        for verdict, how, by, at in (
            ("approved", "answer", "anna", "2024-01-01 09:12:30"),
            ("rejected", "no_answer", "", "2024-01-01 21:12:30"),
        )
    ]


def test_a_name_as_long_as_any_fits(store):
    warehouse = store.hook()
    create_own_objects(warehouse)
    record_decision(warehouse, make_run(AS_OF), replace(APPROVED, by="Ł" * 300), [FINDING])
    [[name]] = store.run("SELECT decided_by FROM dbo.clustering_decisions")
    assert name == "Ł" * 250
