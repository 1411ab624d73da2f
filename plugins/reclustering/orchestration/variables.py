"""Airflow Variables, read as what they must be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

from airflow.sdk import ObjectStoragePath, Variable
from upath import UPath

from reclustering.core.errors import TerminalError
from reclustering.delivery.settings import MailSettings


def artifacts() -> UPath:
    """Give the root folder of all runs' files, which the Variable `reclustering_artifacts` names.

    Raises
    ------
    TerminalError
        When the Variable is not set.
    """
    url = Variable.get("reclustering_artifacts", default=None)
    if not url:
        raise TerminalError(
            "The Airflow Variable reclustering_artifacts is not set; expected the folder for the runs' "
            "files, such as file:///srv/artifacts or s3://connection@bucket/prefix."
        )
    # It has UPath's methods, and Airflow's connections for buckets, without being a UPath.
    return cast("UPath", ObjectStoragePath(url))


def whole_number(variable: str, *, default: int) -> int:
    """Read a whole number of at least 1.

    Raises
    ------
    TerminalError
        When the Variable is something else.
    """
    value = Variable.get(variable, default=str(default))
    if not re.fullmatch(r"[0-9]{1,12}", value) or int(value) < 1:
        raise TerminalError(
            f"The Airflow Variable {variable} is '{value}'; expected a whole number, at least 1."
        )
    return int(value)


def share(variable: str, *, default: float) -> float:
    """Read a share of the whole, from 0 to 1.

    Raises
    ------
    TerminalError
        When the Variable is something else.
    """
    value = Variable.get(variable, default=str(default))
    if not re.fullmatch(r"[01]|[01]?\.[0-9]{1,9}", value) or float(value) > 1:
        raise TerminalError(
            f"The Airflow Variable {variable} is '{value}'; expected a share from 0 to 1, such as 0.001."
        )
    return float(value)


def mail_settings(recipients: Sequence[str] | None) -> MailSettings:
    """Read what people have set about the mail; recipients given as a param go before the Variable."""
    return MailSettings(
        recipients=recipients or Variable.get("target_list_recipients", default=None),
        contact=Variable.get("target_list_contact", default=MailSettings.contact),
        store=Variable.get("store_name", default=MailSettings.store),
        max_attachment=whole_number(
            "target_list_max_attachment", default=MailSettings.max_attachment
        ),
        released=Variable.get("target_list_released", default=MailSettings.released),
    )
