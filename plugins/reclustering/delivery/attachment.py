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

MOST_COMPRESSED = 50
"""Times that a list cannot be made smaller: one that is larger is not read into memory to try."""


@dataclass(frozen=True)
class Attachment:
    """A file in the mail.

    Attributes
    ----------
    name, content, subtype
        As they stand in the mail.
    remark : str
        Why it is not the kind that was asked for.
    new : str
        Where those are who are new on the list, if they are apart.
    """

    name: str
    content: bytes
    subtype: str
    remark: str = ""
    new: str = ""


def attach_list(run: Run, built: dict[str, Any], settings: MailSettings) -> list[Attachment]:
    """Give the list as attachments that are no larger than they may be; none if that cannot be.

    Parameters
    ----------
    run : Run
        Whose list to attach.
    built : dict
        The content of `target_list.json`.
    settings : MailSettings
        As which kind of file, and how large it may be.

    Returns
    -------
    list of Attachment
        First the list; as CSV, then those who are new on it, if not all are.

    Raises
    ------
    BadInputError
        When a file is missing, or is not the list that `built` describes.
    """
    remark, name = "", f"target_list_{run.as_of}"
    with fetch(run.path(TARGET_LIST)) as csv:
        require_content(csv, TARGET_LIST, built["sha256"])
        if settings.attachment == "xlsx":
            content = _spreadsheet(run, built, settings.max_attachment)
            if content:
                return [Attachment(f"{name}.xlsx", content, _XLSX, new="Its second sheet")]
            remark = (
                "It has more rows than a spreadsheet can hold, so it comes as CSV."
                if built["customers"] > SPREADSHEET_ROWS
                else "As a spreadsheet it is too large for a mail, so it comes as CSV."
            )
        if csv.stat().st_size > MOST_COMPRESSED * settings.max_attachment:
            return []
        files = {f"{name}.csv": csv.read_bytes()}
    if built["new"] and built["new"] < built["customers"]:
        files[f"{name}_new.csv"] = _only_new(files[f"{name}.csv"], run.as_of)
    alone = dict([next(iter(files.items()))])
    for pack in (_csv, _zip):
        for chosen in (files, alone):
            attached = pack(chosen, run.as_of, remark)
            if sum(len(one.content) for one in attached) <= settings.max_attachment:
                return attached
    return []


_XLSX = "vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _spreadsheet(run: Run, built: dict[str, Any], limit: int) -> bytes | None:
    if not built["spreadsheet_sha256"]:
        return None
    with fetch(run.path(TARGET_LIST_SPREADSHEET)) as file:
        require_content(file, TARGET_LIST_SPREADSHEET, built["spreadsheet_sha256"])
        return file.read_bytes() if file.stat().st_size <= limit else None


def _only_new(csv: bytes, as_of: date) -> bytes:
    # Each customer is a line, and `since` its last column.
    header, *rows = csv.splitlines(keepends=True)
    return header + b"".join(row for row in rows if row.endswith(f",{as_of}\r\n".encode()))


def _csv(files: dict[str, bytes], as_of: date, remark: str) -> list[Attachment]:  # noqa: ARG001
    name, *new = files
    first = Attachment(name, files[name], "csv", remark, "".join(f"The file {one}" for one in new))
    return [first, *(Attachment(one, files[one], "csv") for one in new)]


def _zip(files: dict[str, bytes], as_of: date, remark: str) -> list[Attachment]:
    name, *new = files
    zipped = BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, content in files.items():
            # The same list gives the same bytes, whenever it is zipped.
            entry = zipfile.ZipInfo(one, (as_of.year, as_of.month, as_of.day, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, content)
    where = "".join(f"The file {one} in it" for one in new)
    return [Attachment(f"{name}.zip", zipped.getvalue(), "zip", remark, where)]


def require_content(file: Path, name: str, sha256: str) -> None:
    """Refuse a file with another hash.

    Raises
    ------
    BadInputError
        Says what was found and what was expected.
    """
    found = file_sha256(file)
    if found != sha256:
        raise BadInputError(
            f"{name} has the SHA-256 {found}; expected {sha256}, as target_list.json says. "
            "Clear build_target_list, and this task after it."
        )
