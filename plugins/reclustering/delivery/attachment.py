"""The list as a file in the mail: as it is, zipped, or not at all."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path

from reclustering.core.contracts import TARGET_LIST
from reclustering.core.errors import BadInputError


@dataclass(frozen=True)
class Attachment:
    """A file in the mail."""

    name: str
    content: bytes
    subtype: str


def attach_list(csv: Path, *, as_of: date, limit: int) -> Attachment | None:
    """Give the list as an attachment of at most `limit` bytes: as it is, else zipped, else None."""
    name = f"target_list_{as_of}.csv"
    if csv.stat().st_size <= limit:
        return Attachment(name, csv.read_bytes(), "csv")
    zipped = BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        # The same list gives the same bytes, whenever it is zipped.
        entry = zipfile.ZipInfo(name, (as_of.year, as_of.month, as_of.day, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o600 << 16
        archive.writestr(entry, csv.read_bytes())
    if zipped.tell() > limit:
        return None
    return Attachment(f"{name}.zip", zipped.getvalue(), "zip")


def require_content(csv: Path, sha256: str) -> None:
    """Refuse a CSV that is not the list it is taken for.

    Raises
    ------
    BadInputError
        When its SHA-256 is another one.
    """
    with csv.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise BadInputError(
            f"{TARGET_LIST} has the SHA-256 {found}; expected {sha256}, as target_list.json says. "
            "Clear build_target_list, and this task after it."
        )
