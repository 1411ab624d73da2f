"""A real browser, in which somebody logs in to a real Airflow."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright

from tests.airflow_server import DAG_ID, Airflow, password

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have Chromium")
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def logged_in(browser: Browser, airflow: Airflow, user: str, **options: Any) -> Page:
    """A tab of a browser in which somebody has logged in, with what its console says against us."""
    tab = browser.new_context(viewport={"width": 1400, "height": 1000}, **options).new_page()
    tab.complaints = []
    tab.on(
        "console",
        lambda said: (
            tab.complaints.append(said.text)
            if said.type == "error" and "reclustering" in said.location["url"]
            else None
        ),
    )
    tab.goto(airflow.address)
    tab.get_by_label("Username").fill(user)
    tab.get_by_label("Password").fill(password(user))
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("Welcome")).to_be_visible(timeout=30_000)
    return tab


def frame(tab: Page) -> FrameLocator:
    """What Airflow shows of our page."""
    return tab.frame_locator("iframe[title='Customer clusters']")


def open_run(tab: Page, airflow: Airflow, run_id: str) -> FrameLocator:
    """Open a run in Airflow, and its tab there."""
    tab.goto(f"{airflow.address}/dags/{DAG_ID}/runs/{quote(run_id, safe='')}")
    tab.get_by_role("link", name="Customer clusters").click()
    return frame(tab)
