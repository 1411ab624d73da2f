"""Whether the list of a day is out by the time that somebody waits for it."""

from __future__ import annotations

from datetime import date
from typing import Any

from reclustering.core.errors import TransientError
from reclustering.core.protocols import Warehouse


def require_mailed(warehouse: Warehouse, as_of: date, *, pipeline: str) -> dict[str, Any]:
    """See in the ledger that everybody has the list of a day.

    Parameters
    ----------
    warehouse : Warehouse
        Where the ledger is.
    as_of : date
        The day.
    pipeline : str
        Where the runs are to be seen, for the message.

    Returns
    -------
    dict
        `as_of` (ISO), and how many `recipients` have it.

    Raises
    ------
    TransientError
        When nobody has it, or somebody has not: a run may be just about to mail it.
    """
    with warehouse.read() as session:
        rows = session.query("delivery/day", {"as_of": as_of})
    done = sum(row["has_list"] for row in rows)
    if not rows or done < len(rows):
        found = f"{done} of {len(rows)} recipients have it" if rows else "no mail was begun"
        raise TransientError(
            f"The list of {as_of} is not out: {found}. See whether the run of that day has failed, holds its "
            f"list, waits for something or was never started (a DAG that is paused starts none): {pipeline}"
        )
    return {"as_of": as_of.isoformat(), "recipients": len(rows)}
