"""Figures as people read them."""

from __future__ import annotations

import pytest

from reclustering.report.words import percent


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0, "0%"),
        (0.0009, "<0.1%"),
        (0.001, "0.1%"),
        (0.0994, "9.9%"),
        (0.0995, "10%"),
        (0.5, "50%"),
        (1, "100%"),
        (108.719154, "10,872%"),
    ],
)
def test_a_share_in_per_cent(share, shown):
    assert percent(share) == shown
