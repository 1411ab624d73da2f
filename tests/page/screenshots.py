"""Take the README's pictures of the page, from a real Airflow: `make screenshots`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

from quickstart.environment import PROJECT
from quickstart.make_ui import USER, make_password
from quickstart.warehouse_file import create_warehouse_until_yesterday
from tests.airflow_server import DAG_ID, serve

IMAGES = PROJECT / "docs" / "images"
DAYS = 7


def main() -> None:
    """Run the pipeline for a week of days, one of them backfilled with another k, and look at it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no Chromium here; install one (Debian's package is chromium).")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        var, store = Path(folder) / "var", Path(folder) / "store.duckdb"
        var.mkdir()
        create_warehouse_until_yesterday(store)
        with serve(var, store, {}) as airflow, sync_playwright() as playwright:
            airflow.until(lambda: airflow.call("/api/v2/dags")["total_entries"], lambda n: n >= 3)
            airflow.unpause(DAG_ID)
            for days_ago in range(DAYS, 0, -1):
                as_of = (datetime.now(UTC).date() - timedelta(days=days_ago)).isoformat()
                run_id = airflow.trigger(as_of=as_of)
                airflow.finished(run_id)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            tab = browser.new_page(viewport={"width": 1280, "height": 1000})
            tab.goto(airflow.address)
            tab.get_by_label("Username").fill(USER)
            tab.get_by_label("Password").fill(make_password(var))
            tab.keyboard.press("Enter")
            tab.get_by_text("Welcome").wait_for()
            of_run = f"/dags/{DAG_ID}/runs/{quote(run_id, safe='')}/plugin/customer-clusters-of-run"
            for name, path in (("run", of_run), ("days", "/plugin/customer-clusters")):
                tab.goto(airflow.address + path)
                inside = tab.frame_locator("iframe[title='Customer clusters']")
                inside.locator("canvas").first.wait_for(timeout=30_000)
                tab.wait_for_timeout(2000)
                tab.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
