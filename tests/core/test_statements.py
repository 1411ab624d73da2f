"""A statement lies in the folder of the room that runs it."""

from __future__ import annotations

import pytest

from quickstart.environment import PROJECT
from reclustering.core.statements import SQL_FOLDER

# What sets a database up, or people run by hand; the rooms do not run it at night.
SET_UP = {"schema", "admin", "sample", "analysis"}
ROOMS = sorted({path.parent.name for path in SQL_FOLDER.glob("*/*.sql")} - SET_UP)


@pytest.mark.parametrize("room", ROOMS)
def test_a_rooms_statements_are_run_by_that_room(room):
    named = [f"{room}/{path.stem}" for path in (SQL_FOLDER / room).glob("*.sql")]
    assert named
    package = PROJECT / "plugins" / "reclustering"
    source = {path: path.read_text() for path in package.rglob("*.py")}
    own = "".join(text for path, text in source.items() if path.is_relative_to(package / room))
    # The first step streams from the warehouse into its room itself.
    own += source[package / "steps.py"] if room == "features" else ""
    assert [name for name in named if f'"{name}"' not in own] == []
    others = "".join(text for path, text in source.items() if room not in path.parts)
    allowed = {"features/return_features"}
    assert [name for name in named if f'"{name}"' in others and name not in allowed] == []
