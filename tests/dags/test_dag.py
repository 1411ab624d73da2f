"""What everybody relies on in the DAG, without running it."""

from __future__ import annotations

import copy
import itertools
from datetime import timedelta

import pytest

TASKS = [
    "extract_features",
    "choose_k",
    "fit_clusters",
    "check_fit",
    "approve_fit",
    "write_labels",
    "build_target_list",
    "approve_list",
    "email_target_list",
]


@pytest.fixture(scope="module")
def bag(airflow_database):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag()


@pytest.fixture(scope="module")
def dag(bag):
    return bag.dags["customer_reclustering"]


def test_every_dag_imports(bag):
    assert bag.import_errors == {}


def test_the_tasks_form_one_chain(dag):
    assert [task.task_id for task in dag.topological_sort()] == TASKS
    for task, next_task in itertools.pairwise(TASKS):
        assert dag.get_task(task).downstream_task_ids == {next_task}


def test_every_dag_has_an_owner_a_runbook_and_no_catch_up(bag):
    for one in bag.dags.values():
        assert one.doc_md, one.dag_id
        assert not one.catchup, one.dag_id
        assert one.tags, one.dag_id
        assert one.owner == "marketing-analytics", one.dag_id


def test_a_dag_that_is_read_again_is_no_new_version(bag):
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    def versions(bag):
        return {name: LazyDeserializedDAG.from_dag(dag).hash for name, dag in bag.dags.items()}

    # With the first ones still there, so that nothing of the second lies at the same address.
    assert versions(DagBag()) == versions(bag)


def test_the_runbook_names_every_task(dag):
    assert all(f"`{task}`" in dag.doc_md for task in TASKS)


def test_somebody_hears_of_every_run_that_fails(bag):
    from reclustering.orchestration import alert_on_failure

    assert all(one.on_failure_callback is alert_on_failure for one in bag.dags.values())


def test_passing_failures_are_retried_and_others_are_not(bag):
    from airflow.sdk import RetryAction

    from reclustering.core.errors import BadInputError, TransientError
    from reclustering.orchestration.failure import EndedForGood, EndedForNow

    for task in (task for one in bag.dags.values() for task in one.tasks):
        # The deadline has passed: one more look.
        assert task.retries == (1 if task.dag_id == "customer_reclustering_deadline" else 3)

        def action(error, task=task):
            return task.retry_policy.evaluate(error, try_number=1, max_tries=3).action

        assert action(BadInputError("")) == action(EndedForGood("")) == RetryAction.FAIL
        assert action(TransientError("")) == action(EndedForNow("")) == RetryAction.RETRY
        assert action(OSError("")) == RetryAction.DEFAULT


def test_the_time_of_every_task_has_a_bound(bag):
    """Longer than any wait inside one, and short enough for somebody to hear of it the same night."""
    for task in (task for one in bag.dags.values() for task in one.tasks):
        assert timedelta(minutes=10) < task.execution_timeout <= timedelta(hours=1), task.task_id


def test_every_param_is_typed_titled_and_described(dag):
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.schema.get("type") or param.schema.get("enum"), name
        assert param.schema["title"], name
        assert param.description, name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("as_of", "yesterday"),
        ("k", 0),
        ("k", 41),
        ("k_max", 1),
        ("scaling", "sqrt"),
        ("outliers", "drop"),
        ("target_label", -1),
        ("recipients", "marketing@example.com"),
        ("delivery", "maybe"),
        ("accept_change", "yes"),
    ],
)
def test_a_bad_param_is_refused_by_name(dag, name, value):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError, match=f"param {name}: "):
        copy.deepcopy(dag.params).update({name: value})
