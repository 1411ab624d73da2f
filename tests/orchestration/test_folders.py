"""Where the runs' files lie, as people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reclustering.core.artifacts import read_json, write_json
from reclustering.core.errors import TerminalError

pytestmark = pytest.mark.usefixtures("airflow_database")


def root(url):
    from reclustering.orchestration.folders import folder_of

    return folder_of(url, "reclustering_artifacts")


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "My Project ü",
        "a%20b",
        "100%",
        "[a]",
        "*",
        "?",
        "#",
        "x::y",
        "a&b",
        "it's",
        "~",
        "C:",
    ],
)
@pytest.mark.parametrize("form", ["path", "file://", "file:// as it is", "FILE://"])
def test_a_folder_of_any_name_is_that_folder(tmp_path, name, form):
    folder = tmp_path / name
    url = {
        "path": str(folder),
        "file://": folder.as_uri(),
        "file:// as it is": f"file://{folder}",
        "FILE://": folder.as_uri().replace("file:", "FILE:"),
    }[form]
    if form == "file:// as it is" and name == "a%20b":
        folder = tmp_path / "a b"  # a URL is decoded
    target = root(url) / "as_of=2024-01-01" / "run" / "x.json"
    write_json(target, {"a": 1})
    assert read_json(target) == {"a": 1}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [
        folder / "as_of=2024-01-01" / "run" / "x.json"
    ]
    assert [one.name for one in root(url).iterdir()] == ["as_of=2024-01-01"]
    assert str(target) == str(folder / "as_of=2024-01-01" / "run" / "x.json")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("artifacts", "an absolute path"),
        ("./artifacts", "an absolute path"),
        ("~/artifacts", "an absolute path"),
        ("file:artifacts", "an absolute path"),
        ("file://srv/artifacts", "an absolute path"),
        ("file://", "an absolute path"),
        ("s3://", "the bucket as well"),
        ("s3://conn@", "the bucket as well"),
        ("s3:///runs", "the bucket as well"),
        ("s3://conn@/runs", "the bucket as well"),
        ("s3://bucket/run?", r"a bucket and prefix without '::' and '\?'"),
        ("file:///srv/%00", "an absolute path"),
        ("file:///srv/%FF", "an absolute path"),
        ("/srv/a\nb", "an absolute path"),
        ("s3://bucket::file:///x", "a bucket and prefix without '::' and"),
        ("gs://bucket/x", r"for gs the package apache-airflow-providers-google, which is not"),
        ("abfs://bucket/x", "package apache-airflow-providers-microsoft-azure, which is not"),
        ("ftp://host/x", "one of file, s3, gs, abfs, abfss"),
        ("C://x", "one of file, s3"),
    ],
)
def test_what_is_no_place_is_refused_by_name(url, expected):
    with pytest.raises(
        TerminalError, match=f"(?s)reclustering_artifacts is '.*'; expected .*{expected}"
    ):
        root(url)


def test_a_bucket_keeps_its_connection_which_must_be_there(monkeypatch):
    with pytest.raises(TerminalError, match="There is no Airflow connection 'conn'"):
        root("s3://conn@bucket/prefix")
    monkeypatch.setenv("AIRFLOW_CONN_CONN", "aws://key:SEC/RET@/?region_name=x")
    with pytest.raises(TerminalError, match="'conn' is set, by AIRFLOW_CONN_CONN, but cannot be"):
        root("s3://conn@bucket/prefix")
    monkeypatch.setenv("AIRFLOW_CONN_CONN", "aws://key:secret@/?region_name=x")
    found = root("s3://conn@bucket/prefix")
    assert (str(found), found.conn_id, found.protocol) == ("s3://conn@bucket/prefix", "conn", "s3")


def test_every_kind_of_bucket_that_is_named_is_in_the_requirements(request):
    from reclustering.orchestration.folders import PROVIDERS

    listed = Path(request.config.rootpath, "requirements-buckets.txt").read_text().splitlines()
    assert set(PROVIDERS.values()) == {line for line in listed if not line.startswith("#")}
    text = Path(request.config.rootpath, "docs", "artifacts.md").read_text(encoding="utf-8")
    assert [name for name in (*PROVIDERS, *PROVIDERS.values()) if name not in text] == []
