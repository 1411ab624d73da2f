"""A parameter that is none is not ignored."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reclustering.core.errors import BadInputError

pytestmark = pytest.mark.usefixtures("airflow_database")

DEFAULTS = {"delivery": "auto", "k": None, "k_max": 19, "recipients": None, "preview": False}


def params(conf, *, ignored=False):
    from reclustering.orchestration import run_params

    given = DEFAULTS if ignored else DEFAULTS | (conf or {})
    return run_params(
        {
            "params": given,
            "dag": SimpleNamespace(params=DEFAULTS),
            "dag_run": SimpleNamespace(conf=conf),
        }
    )


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"delivry": "hold"}, r"'delivry' \(did you mean delivery\?\)"),
        ({"recipient": ["a@example.com"]}, r"'recipient' \(did you mean recipients\?\)"),
        ({"kk": 6}, r"'kk' \(did you mean k\?\)"),
        ({"Delivery": "hold"}, r"'Delivery' \(did you mean delivery\?\)"),
        ({"zzzzzz": 1, "k": 3}, "'zzzzzz', which"),
    ],
)
def test_a_name_that_is_no_parameter_is_refused_with_the_nearest(wrong, named):
    with pytest.raises(BadInputError, match=f"The run's conf has {named}"):
        params(wrong)


def test_whole_numbers_are_whole_however_json_writes_them():
    found = params({"k": 4.0, "k_max": 7})
    assert (found["k"], found["k_max"]) == (4, 7)
    assert all(type(found[name]) is int for name in ("k", "k_max"))


@pytest.mark.parametrize("conf", [None, {}, {"openlineage": {"parentRunId": "x"}}])
def test_what_airflow_adds_by_itself_is_no_parameter(conf):
    assert params(conf)["delivery"] == "auto"


def test_a_conf_that_airflow_is_told_to_ignore_is_refused():
    with pytest.raises(BadInputError, match=r"ignores the run's conf \(delivery\)"):
        params({"delivery": "hold", "k_max": 19}, ignored=True)
