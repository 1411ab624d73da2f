"""Folders and buckets, from what people write to a path."""

from __future__ import annotations

from pathlib import Path
from typing import cast
from urllib.parse import unquote

from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import has_fs
from upath import UPath

from reclustering.connections import read_connection
from reclustering.core.errors import TerminalError

PROVIDERS = {
    "s3": "apache-airflow-providers-amazon[s3fs]",
    "gs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
    "abfss": "apache-airflow-providers-microsoft-azure",
    "sftp": "apache-airflow-providers-sftp[sshfs]",
}
"""The package that brings each kind of bucket."""


def folder_of(url: str, variable: str) -> UPath:
    """Give the folder or bucket that a URL names.

    Parameters
    ----------
    url : str
        A path such as `/srv/artifacts`, taken as it is; a URL such as `file:///srv/my%20artifacts`, which is
        decoded; or that of a bucket, such as `s3://connection@bucket/prefix`.
    variable : str
        The Airflow Variable that has it, for messages.

    Raises
    ------
    TerminalError
        When it is not absolute, names no bucket, or the package for the bucket is not installed.
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.lower() in {"file", "local"}:
        return UPath(Path(_local_path(url, rest if separator else None, variable)))
    if "::" in rest or "?" in rest:
        raise _refused(
            variable, url, "a bucket and prefix without '::' and '?', which a URL reads as its own"
        )
    if not has_fs(scheme):
        package = PROVIDERS.get(scheme)
        raise _refused(
            variable,
            url,
            f"one of {', '.join(['file', *PROVIDERS])}"
            + (
                f", and for {scheme} the package {package}, which is not installed"
                if package
                else ""
            ),
        )
    connection, _, place = rest.rpartition("@")
    if not place.partition("/")[0]:
        raise _refused(
            variable, url, f"the bucket as well, as in {scheme}://connection@bucket/prefix"
        )
    if connection:
        read_connection(connection, types=(), example=f"the credentials of {scheme}://{place}")
    # It has UPath's methods, and Airflow's connections for buckets, without being a UPath.
    return cast("UPath", ObjectStoragePath(url.strip()))


def _local_path(url: str, encoded: str | None, variable: str) -> str:
    try:
        path = url.strip() if encoded is None else unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        path = ""
    if not path.startswith("/") or not path.isprintable():
        raise _refused(variable, url, "an absolute path (file:// and then /srv/artifacts)")
    return path


def _refused(variable: str, url: str, expected: str) -> TerminalError:
    return TerminalError(f"The Airflow Variable {variable} is '{url}'; expected {expected}.")
