"""The page in a real Airflow, as its users meet it: by address, and in a browser."""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from reclustering.core.run import folder_name
from tests.airflow_server import DAG_ID, let_in, password, serve
from tests.browser import browser, frame, logged_in, open_run

__all__ = ["browser"]

pytestmark = pytest.mark.timeout(600)

USERS = {"admin": "admin", "viewer": "viewer", "op": "op", "nobody": ""}
"""Who may log in, and their role."""

DAYS = ["2026-01-13", "2026-01-15", "2026-01-16"]


@pytest.fixture(scope="module")
def airflow(sample_store, tmp_path_factory):
    var = tmp_path_factory.mktemp("airflow")
    settings = {"RECLUSTERING_SCHEDULE": "0 0 1 1 *"} | let_in(var, USERS)
    with serve(var, sample_store, settings, base_path="/airflow") as airflow:
        airflow.until(lambda: airflow.call("/api/v2/dags")["total_entries"], lambda n: n >= 3)
        airflow.unpause(DAG_ID)
        yield airflow


@pytest.fixture(scope="module")
def runs(airflow):
    """A run of each of `DAYS`, a preview of the last, and one that fails."""
    runs = {as_of: airflow.trigger(as_of=as_of) for as_of in DAYS[:1]}
    for as_of in DAYS[1:]:
        airflow.finished(runs[max(runs)])
        runs[as_of] = airflow.trigger(as_of=as_of)
    airflow.finished(runs[DAYS[-1]])
    runs["preview"] = airflow.trigger(as_of=DAYS[-1], preview=True)
    runs["failed"] = airflow.trigger(
        as_of=(datetime.now(UTC).date() + timedelta(days=9)).isoformat()
    )
    runs["refused"] = airflow.trigger(as_of=DAYS[0], recipients=["someone@elsewhere.example"])
    for run_id in runs.values():
        airflow.finished(run_id)
    return runs


def page(airflow, path, user=None):
    """Ask for a page; give status, text and headers."""
    request = urllib.request.Request(f"{airflow.address}/reclustering/{path}")
    if user:
        request.add_header("Cookie", f"_token={airflow.token(user, password(user))}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def of_run(path, run_id, **more):
    return f"{path}?{urlencode({'dag_id': DAG_ID, 'run_id': run_id} | more)}"


PATHS = [
    "",
    "run?run_id=x",
    "customer?run_id=x&customer=1",
    "compare?one=2026-01-13&other=2026-01-15",
    "list?run_id=x",
]
PATHS += ["static/page.js", "static/page.css", "static/chart.umd.min.js"]


@pytest.mark.parametrize("path", PATHS)
def test_nobody_sees_anything_without_login_and_permission(airflow, path):
    assert page(airflow, path)[0] == 401
    assert page(airflow, path, "nobody")[0] == 403


def test_a_right_to_another_dag_is_none_to_this_one(airflow, monkeypatch):
    # What is checked is not what the caller names.
    assert page(airflow, "run?run_id=x&dag_id=other", "nobody")[0] == 403
    status, html, _ = page(airflow, "run?run_id=x&dag_id=other", "viewer")
    assert status == 200
    assert b"this run is another DAG" in html


def test_the_list_takes_more_than_to_see_the_runs(airflow, runs):
    path = of_run("list", runs[DAYS[0]])
    status, html, _ = page(airflow, path, "viewer")
    assert status == 403
    assert "the right to see the Airflow connection 'warehouse'" in html.decode().replace(
        "&#39;", "'"
    )
    assert b"Download the list" not in page(airflow, of_run("run", runs[DAYS[0]]), "viewer")[1]
    status, content, headers = page(airflow, path, "op")
    assert status == 200
    assert content.startswith(b"PK")
    assert headers["Content-Disposition"] == 'attachment; filename="target_list_2026-01-13.xlsx"'
    assert headers["Cache-Control"] == "no-store"
    events = airflow.call("/api/v2/eventLogs?event=target_list_downloaded")["event_logs"]
    assert [(one["owner"], one["run_id"]) for one in events] == [("op", runs[DAYS[0]])]


def test_no_address_is_on_any_page(airflow, runs):
    with duckdb.connect(str(airflow.var / "warehouse.duckdb"), read_only=True) as connection:
        [(domain,)] = connection.execute(
            "SELECT split_part(trim(c_email_address), '@', 2) AS domain FROM dbo.customer"
            " WHERE c_email_address LIKE '%@%.%' GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
        ).fetchall()
    paths = ["", "compare?one=2026-01-13&other=2026-01-15"]
    paths += [of_run("run", run_id) for run_id in runs.values()]
    for path in paths:
        status, html, _ = page(airflow, path, "admin")
        assert status == 200, path
        assert domain.encode() not in html
        assert b"marketing@" not in html
        assert b"someone@" not in html


@pytest.mark.parametrize(
    "path",
    [
        "run?run_id=../../../etc/passwd",
        "run?run_id=%00",
        "run?run_id=" + "x" * 300,
        "run",
        "list?run_id=..%2f..%2f",
        "static/..%2f..%2fview.py",
        "static/../view.py",
        "static/view.py",
        "compare?one=../../etc&other=2026-01-15",
        "compare?one=2026-01-13",
        "compare?one=0001-01-01&other=9999-12-31",
        "nowhere",
        f"run?run_id={quote('<script>alert(1)</script>')}",
        f"?days={quote('<script>alert(1)</script>')}",
    ],
)
def test_a_strange_address_is_refused_and_not_repeated(airflow, path):
    status, html, _ = page(airflow, path, "admin")
    assert status in {404, 422}
    assert b"<script>alert" not in html
    assert b"root:" not in html
    assert b"Traceback" not in html


def test_only_its_own_scripts_run(airflow, runs):
    for path in ("", of_run("run", runs[DAYS[0]]), "static/page.js", "nowhere"):
        policy = page(airflow, path, "admin")[2]["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy


def test_a_run_that_failed_shows_its_reason_and_what_there_is(airflow, runs):
    html = page(airflow, of_run("run", runs["failed"]), "viewer")[1].decode()
    assert "This run failed at extract_features." in html
    assert "is in the future" in html


def test_a_run_that_airflow_has_forgotten_is_still_shown(airflow, runs):
    path = of_run("run", "scheduled__gone", as_of=DAYS[0])
    assert page(airflow, path, "viewer")[0] == 404
    folder = airflow.var / "artifacts" / f"as_of={DAYS[0]}"
    forgotten = folder / folder_name("scheduled__gone")
    shutil.copytree(folder / folder_name(runs[DAYS[0]]), forgotten)
    run = json.loads((forgotten / "run.json").read_text())
    (forgotten / "run.json").write_text(json.dumps(run | {"run_id": "scheduled__gone"}))
    status, html, _ = page(airflow, path, "viewer")
    assert status == 200
    assert b"Airflow has forgotten this run." in html
    assert b"37,336 customers in 4 clusters." in html
    shutil.rmtree(forgotten)


def test_the_pages_are_light(airflow, runs):
    def size(path):
        request = urllib.request.Request(f"{airflow.address}/reclustering/{path}")
        request.add_header("Cookie", f"_token={airflow.token('viewer', password('viewer'))}")
        request.add_header("Accept-Encoding", "gzip")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return len(answer.read())

    static = ["static/page.js", "static/page.css", "static/chart.umd.min.js"]
    assert sum(map(size, [of_run("run", runs[DAYS[0]]), *static])) < 500_000


@pytest.fixture(scope="module")
def tab(browser, airflow, runs):
    tab = logged_in(browser, airflow, "op", accept_downloads=True)
    yield tab
    tab.context.close()


def test_the_tab_of_a_run_shows_its_clusters_and_leads_to_its_logs(tab, airflow, runs):
    inside = open_run(tab, airflow, runs[DAYS[1]])
    expect(inside.get_by_role("heading", name="15 January 2026")).to_be_visible(timeout=30_000)
    expect(inside.get_by_text("37,336 customers in 4 clusters.")).to_be_visible()
    expect(inside.get_by_text("on the list, which is held")).to_be_visible()
    inside.get_by_text("The curve as a table").click()
    expect(inside.get_by_role("row", name=re.compile("^4 \\(chosen\\)"))).to_be_visible()
    inside.get_by_role("link", name="choose_k").click()
    expect(tab).to_have_url(re.compile("/tasks/choose_k"), timeout=90_000)
    assert tab.complaints == []


def test_the_curve_tells_its_figures_under_the_mouse(tab, airflow, runs):
    tab.goto(f"{airflow.address}/reclustering/{of_run('run', runs[DAYS[1]])}")
    tab.locator("#elbow-chart").scroll_into_view_if_needed()
    before = tab.locator("#elbow-chart").screenshot()
    tab.locator("#elbow-chart").hover(position={"x": 300, "y": 200})
    shown = tab.evaluate(
        "() => { const chart = Chart.getChart('elbow-chart'); return chart.tooltip.body?.[0].lines }"
    )
    assert [line.split(" ")[0] for line in shown] == [
        "inertia",
        "mean",
        "Silhouette",
        "Calinski-Harabasz",
        "Davies-Bouldin",
    ]
    assert tab.locator("#elbow-chart").screenshot() != before


def test_from_the_navigation_to_a_day_and_to_two_side_by_side(tab, airflow, runs):
    tab.goto(airflow.address)
    tab.get_by_role("button", name="Browse").click()
    tab.get_by_text("Customer clusters").click()
    inside = frame(tab)
    expect(inside.get_by_role("heading", name="Customer clusters")).to_be_visible(timeout=30_000)
    days = inside.get_by_role("row").filter(has_text="2026-01-1")
    expect(days).to_have_count(3)
    inside.get_by_label("Compare").select_option(DAYS[0])
    inside.get_by_label("with").select_option(DAYS[2])
    inside.get_by_role("button", name="Side by side").click()
    expect(
        inside.get_by_role("heading", name="13 January 2026 and 16 January 2026")
    ).to_be_visible()
    expect(inside.get_by_role("row", name="customers 37,336 37,336 0")).to_be_visible()
    inside.get_by_role("link", name="All days").click()
    inside.get_by_role("link", name=DAYS[1]).click()
    expect(inside.get_by_role("heading", name="15 January 2026")).to_be_visible()
    assert tab.complaints == []


def test_a_customer_is_looked_up_in_the_tab(tab, airflow, runs):
    with duckdb.connect(str(airflow.var / "warehouse.duckdb"), read_only=True) as store:
        found = store.execute("SELECT customer FROM dbo.customer_clusters WHERE cluster = 3")
        far = found.fetchall()[0][0]
    inside = open_run(tab, airflow, runs[DAYS[-1]])
    inside.get_by_label("Key (c_customer_sk)").fill(str(far))
    inside.get_by_role("button", name="Look").click()
    expect(inside.get_by_role("heading", name=f"Customer {far}")).to_be_visible()
    expect(inside.get_by_text("monetaryRatio 108.719, frequency 1.")).to_be_visible()
    expect(inside.get_by_text("Not on the list, which is of cluster 0.")).to_be_visible()


def test_the_list_can_be_downloaded_in_the_tab(tab, airflow, runs):
    inside = open_run(tab, airflow, runs[DAYS[2]])
    with tab.expect_download() as download:
        inside.get_by_role("link", name="Download the list").click()
    assert download.value.suggested_filename == "target_list_2026-01-16.xlsx"


def test_a_preview_says_that_it_is_one(tab, airflow, runs):
    inside = open_run(tab, airflow, runs["preview"])
    expect(inside.get_by_text("Nothing was published, and nobody was mailed.")).to_be_visible(
        timeout=30_000
    )


def test_who_may_not_have_the_list_sees_no_link_to_it(browser, airflow, runs):
    tab = logged_in(browser, airflow, "viewer")
    tab.goto(f"{airflow.address}/reclustering/{of_run('run', runs[DAYS[1]])}")
    expect(tab.get_by_role("heading", name="The list")).to_be_visible()
    expect(tab.get_by_role("link", name="Download the list")).to_have_count(0)
    tab.context.close()


def test_the_page_is_dark_where_airflow_is(tab, airflow, runs):
    inside = open_run(tab, airflow, runs[DAYS[1]])
    expect(inside.get_by_role("heading", name="15 January 2026")).to_be_visible(timeout=30_000)

    def background():
        return inside.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")

    assert background() == "rgb(255, 255, 255)"
    tab.evaluate("document.documentElement.className = 'dark'")
    tab.wait_for_timeout(200)
    assert background() == "rgb(17, 20, 24)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_stands_in_the_way_of_those_who_cannot_see_well(
    browser, tab, airflow, runs, scheme, width
):
    state = tab.context.storage_state()
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, storage_state=state
    )
    other = context.new_page()
    for path in ("", of_run("run", runs[DAYS[1]]), "compare?one=2026-01-13&other=2026-01-15", "no"):
        other.goto(f"{airflow.address}/reclustering/{path}")
        found = Axe().run(other)
        assert found.violations_count == 0, found.generate_report()
        assert other.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    context.close()
