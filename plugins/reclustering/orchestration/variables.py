"""Airflow Variables, read as what they must be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from functools import cache
from typing import Any, cast, get_args

from airflow.sdk import Variable
from upath import UPath

from reclustering.core.errors import TerminalError
from reclustering.core.guards import Bounds
from reclustering.core.mailboxes import read_mailbox
from reclustering.core.names import unknown_names
from reclustering.core.params import PATIENCE, Attached, Unchanged
from reclustering.core.protocols import Engine
from reclustering.delivery.settings import (
    MailSettings,
    valid_contact,
    valid_recipients,
    valid_store,
)
from reclustering.engine.connection import ENGINES, connect_engine
from reclustering.mail import SmtpMailer
from reclustering.orchestration.alert_channels import alert_recipients, alert_services
from reclustering.orchestration.folders import folder_of
from reclustering.target_list.settings import ListSettings

A_YEAR = 366
LONGEST_RECIPIENT = 254
A_WEEK_IN_MINUTES = 7 * 24 * 60


def artifacts() -> UPath:
    """Give the root folder of all runs' files, which the Variable `reclustering_artifacts` names.

    Raises
    ------
    TerminalError
        When the Variable is not set, or names nothing that can be such a folder.
    """
    url = Variable.get("reclustering_artifacts", default=None)
    if not (url or "").strip():
        raise TerminalError(
            "The Airflow Variable reclustering_artifacts is not set; expected the folder for the runs' "
            "files, such as file:///srv/artifacts or s3://connection@bucket/prefix."
        )
    return folder_of(url, "reclustering_artifacts")


def whole_number(variable: str, *, default: int, least: int = 1, most: int = 10**12) -> int:
    """Read a whole number from `least` to `most`.

    Raises
    ------
    TerminalError
        When the Variable is something else.
    """
    value = Variable.get(variable, default=str(default))
    if not re.fullmatch(r"[0-9]{1,13}", value) or not least <= int(value) <= most:
        raise TerminalError(
            f"The Airflow Variable {variable} is '{value}'; expected a whole number from {least} to {most:,}."
        )
    return int(value)


def guard_bounds() -> Bounds:
    """Read how far runs may differ: the Variable `reclustering_bounds`, a JSON object, over the defaults.

    Raises
    ------
    TerminalError
        When it is something else, or names what is none, or a value cannot be one.
    """
    text = Variable.get("reclustering_bounds", default="{}")
    known = {one.name: one.default for one in fields(Bounds)}
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise _no_bounds(f"'{text}'; expected a JSON object, such as {{\"max_sales_age\": 3}}")
    if unknown := unknown_names(given, known):
        raise _no_bounds(f"with {unknown}; expected some of {', '.join(known)}")
    for name, value in given.items():
        number = (
            isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        )
        if isinstance(known[name], int):
            right, expected = (
                number and value >= 0 and value == int(value),
                "a whole number, 0 or more",
            )
        else:
            right, expected = number and 0 <= value <= 1, "a share from 0 to 1"
        if not right:
            raise _no_bounds(f"with {name} = {json.dumps(value)}; expected {expected}")
    return Bounds(**given)


def _no_bounds(found: str) -> TerminalError:
    return TerminalError(f"The Airflow Variable reclustering_bounds is {found}.")


def mail_settings(recipients: Sequence[str] | None) -> MailSettings:
    """Read what people have set about the mail, and whom the run's param `recipients` asks for."""
    return MailSettings(
        recipients=Variable.get("target_list_recipients", default=None),
        requested=recipients,
        contact=Variable.get("target_list_contact", default=MailSettings.contact),
        store=valid_store(Variable.get("store_name", default=MailSettings.store)),
        attachment=cast(
            "Attached", _one_of("target_list_attachment", Attached, MailSettings.attachment)
        ),
        unchanged=cast(
            "Unchanged", _one_of("target_list_unchanged", Unchanged, MailSettings.unchanged)
        ),
        drop=_drop(),
        max_attachment=whole_number(
            "target_list_max_attachment", default=MailSettings.max_attachment
        ),
    )


def list_settings() -> ListSettings:
    """Read whom marketing keeps off the list, of those who could be written to.

    Raises
    ------
    TerminalError
        When a Variable is something else.
    """
    kept = whole_number("label_history_days", default=730)
    settings = ListSettings(
        holdout=_share("target_list_holdout"),
        salt=Variable.get("target_list_holdout_salt", default=ListSettings.salt),
        cool_off=whole_number("target_list_cool_off", default=0, least=0, most=A_YEAR),
    )
    if settings.cool_off > kept:
        raise TerminalError(
            f"The Airflow Variable target_list_cool_off is {settings.cool_off}; expected at most "
            f"label_history_days, {kept}: who was mailed before that is forgotten."
        )
    return settings


def _share(variable: str) -> float:
    value = Variable.get(variable, default="0")
    # Not what float() reads besides: 1e-1, 1_0, nan.
    if not re.fullmatch(r"0(\.[0-9]{1,9})?", value):
        raise TerminalError(
            f"The Airflow Variable {variable} is '{value}'; expected a share of the customers from 0 to "
            "below 1, such as 0.1."
        )
    return float(value)


def patience() -> int:
    """Read for how many nights in a row the evidence must speak for another k."""
    return whole_number("reclustering_k_patience", default=PATIENCE)


def engine() -> Engine:
    """Give what does the work on all customers, which the Variable `reclustering_engine` names.

    Raises
    ------
    TerminalError
        When it is none, or cannot be used as things are.
    """
    name = Variable.get("reclustering_engine", default=ENGINES[0])
    if name not in ENGINES:
        raise TerminalError(
            f"The Airflow Variable reclustering_engine is '{name}'; expected {' or '.join(ENGINES)}."
        )
    return connect_engine(name)


def answer_within() -> timedelta:
    """Read how long a run waits for an answer to its question."""
    return timedelta(
        minutes=whole_number("reclustering_answer_minutes", default=720, most=A_WEEK_IN_MINUTES)
    )


def deciders() -> dict[str, str]:
    """Read who may answer a run's question: the Variable `reclustering_deciders`, a JSON object.

    Returns
    -------
    dict
        Their addresses, by their ids in Airflow's auth manager. If it is empty, whoever may answer questions
        in Airflow may answer these, and the alerts' recipients are told.

    Raises
    ------
    TerminalError
        When it is something else, or an address is none.
    """
    text = Variable.get("reclustering_deciders", default="{}")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not all(
        user and isinstance(one, str) for user, one in given.items()
    ):
        raise TerminalError(
            f"The Airflow Variable reclustering_deciders is '{text}'; expected a JSON object with the "
            'address of each user of Airflow who may decide, such as {"anna": "anna@example.com"}.'
        )
    setting = "The Airflow Variable reclustering_deciders"
    return {user: read_mailbox(one, setting=setting).address for user, one in given.items()}


def require_settings(recipients: Sequence[str] | None) -> None:
    """Read all that people have set, before the night's work begins rather than at its end.

    Parameters
    ----------
    recipients : sequence of str or None
        The run's param.

    Raises
    ------
    TerminalError
        With all that is wrong.
    """
    problems = []
    # Each Variable is a question to Airflow's API.
    mail = cache(lambda: mail_settings(recipients))
    for check in (
        artifacts,
        guard_bounds,
        patience,
        engine,
        answer_within,
        deciders,
        list_settings,
        lambda: valid_recipients(mail()),
        lambda: valid_contact(mail().contact, sender=""),
        lambda: SmtpMailer().sender,
        alert_recipients,
        alert_services,
    ):
        try:
            check()
        except TerminalError as error:
            problems.append(str(error))
    if problems:
        raise TerminalError(" ".join(dict.fromkeys(problems)))


def _drop() -> UPath | None:
    variable = "target_list_drop"
    url = Variable.get(variable, default="")
    if not url.strip():
        return None
    folder = folder_of(url, variable)
    if len(str(folder)) > LONGEST_RECIPIENT:
        raise TerminalError(
            f"The Airflow Variable {variable} has {len(str(folder))} characters; expected at most "
            f"{LONGEST_RECIPIENT}, for the folder is entered in dbo.target_list_deliveries."
        )
    return folder


def _one_of(variable: str, choices: Any, default: str) -> str:
    value = Variable.get(variable, default=default)
    if value not in get_args(choices):
        raise TerminalError(
            f"The Airflow Variable {variable} is '{value}'; expected {' or '.join(get_args(choices))}."
        )
    return value
