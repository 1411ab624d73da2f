"""A published number of groups is kept until the evidence for another one lasts."""

import pytest

from reclustering.clustering.choice import Choice, Published, choose_groups


def history(*clear, groups=4):
    return [Published(f"2026-01-{20 - i}", groups, groups, one) for i, one in enumerate(clear)]


@pytest.mark.parametrize(
    ("clear", "earlier", "fixed", "expected"),
    [
        (None, [], None, Choice(4, "default", None, 1)),
        (6, [], None, Choice(6, "clear", None, 1)),
        (6, [], 2, Choice(2, "fixed", None, 1)),
        (None, history(6, 6), None, Choice(4, "kept", None, 1)),
        (4, history(4, 4, 6), None, Choice(4, "kept", "2026-01-19", 3)),
        (6, history(6, 4), None, Choice(4, "kept", "2026-01-20", 2)),
        (6, history(6, 6), None, Choice(6, "replaced", "2026-01-19", 3)),
        (6, history(6, None, 6, 6), None, Choice(4, "kept", "2026-01-20", 2)),
        (6, history(5, 6, 6), None, Choice(4, "kept", None, 1)),
    ],
)
def test_choices(clear, earlier, fixed, expected):
    assert choose_groups(clear, earlier, fixed=fixed, patience=3) == expected


def test_evidence_that_flaps_changes_nothing():
    nights, published = [6, 4, None, 6, 6, 4, 6, None, 5, 6] * 3, []
    for i, clear in enumerate(nights):
        choice = choose_groups(clear, published[::-1][:3], fixed=None, patience=3)
        published.append(Published(f"{i:02}", choice.groups, choice.groups, clear))
    assert {one.groups for one in published} == {6}


def test_a_real_change_comes_once_and_stays():
    nights, published = [3] * 5 + [4, 3] + [4] * 10, []
    for i, clear in enumerate(nights):
        choice = choose_groups(clear, published[::-1][:7], fixed=None, patience=7)
        published.append(Published(f"{i:02}", choice.groups, choice.groups, clear))
    assert [one.groups for one in published] == [3] * 13 + [4] * 4
