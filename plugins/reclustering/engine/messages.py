"""What every engine says of a file that cannot be a table of customers."""

from __future__ import annotations

from collections.abc import Sequence

from reclustering.core.errors import BadInputError


def unreadable(source: str, error: Exception, columns: Sequence[str]) -> BadInputError:
    """Give the error for a file that is none of its kind."""
    return BadInputError(
        f"{source} cannot be read ({str(error).splitlines()[0]}); expected a complete Parquet file, or "
        f"folder of part files, with the columns {', '.join(columns)}. Clear the task that writes it "
        "(extract_features, or fit_clusters for labels.parquet), and the tasks after it."
    )


def require_rows(source: str, rows: int) -> None:
    """Refuse an empty table.

    Raises
    ------
    BadInputError
        When there are no rows.
    """
    if not rows:
        raise BadInputError(
            f"{source} has no rows; expected at least one customer. Check that the store has sales before "
            "as_of, then clear extract_features."
        )
