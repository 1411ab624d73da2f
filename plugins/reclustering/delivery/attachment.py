"""The list as a file in the mail: a spreadsheet, or the CSV as it is, or zipped, or not at all."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

from reclustering.core.artifacts import fetch, file_sha256
from reclustering.core.contracts import SPREADSHEET_ROWS, TARGET_LIST, TARGET_LIST_SPREADSHEET
from reclustering.core.errors import BadInputError
from reclustering.core.run import Run
from reclustering.delivery.settings import MailSettings


@dataclass(frozen=True)
class Attachment:
    """A file in the mail; `remark` says why it is not the kind that was asked for."""

    name: str
    content: bytes
    subtype: str
    remark: str = ""


def attach_list(run: Run, built: dict[str, Any], settings: MailSettings) -> Attachment | None:
    """Give the list as an attachment that is no larger than it may be; None if it cannot be.

    Parameters
    ----------
    run : Run
        Whose list to attach.
    built : dict
        The content of `target_list.json`.
    settings : MailSettings
        As which kind of file, and how large it may be.

    Raises
    ------
    BadInputError
        When a file is missing, or is not the list that `built` describes.
    """
    remark, name = "", f"target_list_{run.as_of}"
    with fetch(run.path(TARGET_LIST)) as csv:
        _require_content(csv, TARGET_LIST, built["sha256"])
        if settings.attachment == "xlsx":
            content = _spreadsheet(run, built, settings.max_attachment)
            if content:
                return Attachment(f"{name}.xlsx", content, _XLSX)
            remark = (
                "It has more rows than a spreadsheet can hold, so it comes as CSV."
                if built["customers"] > SPREADSHEET_ROWS
                else "As a spreadsheet it is too large for a mail, so it comes as CSV."
            )
        return _csv(csv, f"{name}.csv", run.as_of, settings.max_attachment, remark)


_XLSX = "vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _spreadsheet(run: Run, built: dict[str, Any], limit: int) -> bytes | None:
    if not built["spreadsheet_sha256"]:
        return None
    with fetch(run.path(TARGET_LIST_SPREADSHEET)) as file:
        _require_content(file, TARGET_LIST_SPREADSHEET, built["spreadsheet_sha256"])
        return file.read_bytes() if file.stat().st_size <= limit else None


def _csv(csv: Path, name: str, as_of: date, limit: int, remark: str) -> Attachment | None:
    if csv.stat().st_size <= limit:
        return Attachment(name, csv.read_bytes(), "csv", remark)
    zipped = BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        # The same list gives the same bytes, whenever it is zipped.
        entry = zipfile.ZipInfo(name, (as_of.year, as_of.month, as_of.day, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o600 << 16
        archive.writestr(entry, csv.read_bytes())
    if zipped.tell() > limit:
        return None
    return Attachment(f"{name}.zip", zipped.getvalue(), "zip", remark)


def _require_content(file: Path, name: str, sha256: str) -> None:
    found = file_sha256(file)
    if found != sha256:
        raise BadInputError(
            f"{name} has the SHA-256 {found}; expected {sha256}, as target_list.json says. "
            "Clear build_target_list, and this task after it."
        )
