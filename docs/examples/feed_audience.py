"""Give the customers of each new target list to an audience tool, by its HTTP API.

It needs the Variable `target_list_drop` (the list is then left in a folder, with a manifest) and the
connection `audience_tool` of type `http`. What it sends is keys and addresses, in batches; each goes to an
address of its own, with the list's hash in it, so that a batch that comes twice is one. Change paths and
names to those of your tool.
"""

from __future__ import annotations

import csv
import hashlib
from io import StringIO
from typing import Any

from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import Asset, ObjectStoragePath, dag, task

BATCH = 1_000
"""Customers in a request."""


@dag(schedule=[Asset("target_list")], catchup=False, tags=["marketing"])
def feed_audience() -> None:
    """Wire the task."""

    @task(retries=3)
    def feed(triggering_asset_events: Any = None) -> dict[str, int]:
        events = [event for found in triggering_asset_events.values() for event in found]
        # Several lists may wait at once: the newest holds.
        newest = max(events, key=lambda event: (event.extra["as_of"], event.timestamp)).extra
        content = ObjectStoragePath(newest["file"]).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != newest["sha256"]:
            raise ValueError(
                f"{newest['file']} has the SHA-256 {found}; expected {newest['sha256']}."
            )
        tool = HttpHook(method="PUT", http_conn_id="audience_tool")
        rows = csv.DictReader(StringIO(content.decode("utf-8-sig"), newline=""))
        members = [{"key": row["customer"], "email": row["email"]} for row in rows]
        for start in range(0, len(members), BATCH):
            part = members[start : start + BATCH]
            tool.run(f"/audiences/returns-nothing/{found}/{start}", json=part)
        return {"sent": len(members)}

    feed()


feed_audience()
