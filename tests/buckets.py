"""A bucket on a local S3 server, which the connection `store_bucket` knows."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from airflow.sdk import ObjectStoragePath
from moto.server import ThreadedMotoServer
from upath import UPath

BUCKET = "reclustering"
ARTIFACTS = f"s3://store_bucket@{BUCKET}/runs"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 server on this machine."""
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.client]:
    """An S3 client, and an empty bucket `BUCKET` that the connection `store_bucket` leads to."""
    from airflow.sdk.io.store import _STORE_CACHE

    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1", **keys)
    client.create_bucket(Bucket=BUCKET)
    connection = {
        "conn_type": "aws",
        "login": "testing",
        "password": "testing",
        "extra": {"endpoint_url": s3_endpoint, "region_name": "us-east-1"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_STORE_BUCKET", json.dumps(connection))
    _STORE_CACHE.clear()
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for found in page.get("Contents", []):
            client.delete_object(Bucket=BUCKET, Key=found["Key"])
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def bucket(s3: boto3.client, airflow_database: None) -> UPath:
    """The folder for artifacts in the bucket."""
    return ObjectStoragePath(ARTIFACTS)  # type: ignore[return-value]
