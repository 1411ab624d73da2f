"""The routes of the page.

Pages are rendered here and shown in Airflow's frame. They read the small JSON files of the runs, and
Airflow's own database; never the warehouse, and of Parquet files one customer's row.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.log import Log
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.base import RequestResponseEndpoint
from upath import UPath

from reclustering.core.artifacts import fetch
from reclustering.core.contracts import TARGET_LIST, TARGET_LIST_SPREADSHEET
from reclustering.core.decision import Decision, Matter, matter_of
from reclustering.core.errors import TerminalError, TransientError, without_addresses
from reclustering.core.run import Run
from reclustering.decision.record import leave_decision
from reclustering.explaining import explain
from reclustering.orchestration.runs import DAG_ID
from reclustering.orchestration.variables import artifacts
from reclustering.page.access import (
    ListReader,
    Releaser,
    may_have_list,
    may_read,
    may_release,
)
from reclustering.page.airflow_run import AirflowRun, find_run, run_again
from reclustering.report.history import Day, every_day, read_day, read_history
from reclustering.report.rendering import ASSETS, asset, render
from reclustering.report.view import WRITTEN_BY, RunView, differences, read_run

HEADERS = {
    # Scripts and styles come from here alone, and only Airflow may frame it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

PERIODS = (30, 90, 365, 1000)
"""Days that the history can show."""

RunId = Annotated[str, Query(max_length=250, pattern=r"^[^\x00]+$")]

LIST_FILES = {
    TARGET_LIST_SPREADSHEET: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    TARGET_LIST: "text/csv; charset=utf-8",
}
"""The forms of the list, the one for people first, and their types."""


def create_app() -> FastAPI:
    """Give the app, for Airflow to mount at `/reclustering`."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(may_read)])
    app.middleware("http")(_with_headers)
    app.exception_handler(StarletteHTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_not_understood)
    app.exception_handler(TerminalError)(_not_readable)
    app.exception_handler(TransientError)(_not_readable)
    app.exception_handler(OSError)(_not_readable)
    app.exception_handler(Exception)(_broken)
    app.get("/")(show_history)
    app.get("/run")(show_run)
    app.get("/compare")(show_comparison)
    app.get("/customer")(show_customer)
    app.get("/list")(download_list)
    app.post("/release")(release_list)
    app.get("/static/{name}")(serve_asset)
    return app


def show_history(days: int | None = None) -> HTMLResponse:
    """Show what the days have brought, as charts and a table; unless told otherwise, three months or more."""
    for period in [days] if days in PERIODS else PERIODS[1:]:
        found = _history(period)
        if found:
            break
    return _page(
        "history_page.html.j2",
        days=found,
        chart={
            "days": every_day(found),
            "labels": max((len(day.sizes) for day in found), default=0),
        },
        period=period,
        periods=PERIODS,
        dag_id=DAG_ID,
    )


def show_run(
    run_id: RunId,
    session: SessionDep,
    user: GetUserDep,
    dag_id: str = DAG_ID,
    as_of: date | None = None,
) -> HTMLResponse:
    """Show a run, as far as it has come. With its day it is found even if Airflow has forgotten it."""
    if dag_id != DAG_ID:
        return _message(
            "Nothing to see here",
            f"This tab is about the runs of {DAG_ID}; this run is another DAG's.",
        )
    run = find_run(session, run_id)
    day = run.as_of if run else as_of
    view = read_run(_folder(day, run_id)) if day else None
    if view and run and run.tasks:
        view = view.of_tasks(run.done)
    if run is None and (view is None or view.run_id != run_id):
        raise _no_run()
    return _page(
        "run_page.html.j2",
        run=run,
        run_id=run_id,
        view=view,
        as_of=day,
        dag_id=DAG_ID,
        may_download=run is not None and may_have_list(user) and _list_file(run) is not None,
        held=_held(run, view) if run and view and may_release(user) else None,
    )


def show_comparison(one: date, other: date) -> HTMLResponse:
    """Show two days side by side."""
    views = []
    for as_of in (one, other):
        day = read_day(_artifacts(), as_of)
        view = read_run(_folder(as_of, day.run_id)) if day else None
        if view is None:
            raise HTTPException(
                404, f"There is no run of {as_of}. Choose two days of the list of all days."
            )
        views.append(view)
    return _page("compare_page.html.j2", views=views, differences=differences(*views))


def show_customer(run_id: RunId, customer: int, session: SessionDep) -> HTMLResponse:
    """Say what became of a customer in a run, by key alone."""
    run = find_run(session, run_id)
    if run is None or run.as_of is None:
        raise _no_run()
    answer = explain(Run(run.as_of, run_id, _artifacts()), customer)
    return _page("customer_page.html.j2", answer=answer, run_id=run_id, dag_id=DAG_ID)


def download_list(
    run_id: RunId, session: SessionDep, user: ListReader, dag_id: str = DAG_ID
) -> StreamingResponse:
    """Give the list of a run, with names and addresses; who had it is in Airflow's audit log."""
    run = find_run(session, run_id) if dag_id == DAG_ID else None
    if run is None:
        raise _no_run()
    path = _list_file(run)
    if path is None:
        raise HTTPException(
            404, "This run has no list, or it is deleted: lists are kept for some days only."
        )
    session.add(Log("target_list_downloaded", owner=user.get_name(), dag_id=DAG_ID, run_id=run_id))
    session.commit()
    name = path.name.replace(".", f"_{run.as_of}.")
    return StreamingResponse(
        _content(path),
        media_type=LIST_FILES[path.name],
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def release_list(
    run_id: RunId, sha256: str, session: SessionDep, user: Releaser
) -> RedirectResponse:
    """Send the list of a run that holds it, if it is still the one that was looked at."""
    run = find_run(session, run_id)
    view = read_run(_folder(run.as_of, run_id)) if run and run.as_of else None
    if run is None or view is None:
        raise _no_run()
    matter = _held(run, view)
    if matter is None or matter.sha256 != sha256:
        raise HTTPException(
            409, "This run does not hold this list, or no more. Look at the run once more."
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    decision = Decision(matter, "approved", "release", user.get_name(), now)
    leave_decision(Run(view.as_of, run_id, _artifacts()), decision)
    session.add(Log("target_list_released", owner=user.get_name(), dag_id=DAG_ID, run_id=run_id))
    run_again(session, run_id, [WRITTEN_BY["list_decision"], WRITTEN_BY["delivery"]])
    return RedirectResponse(f"run?{urlencode({'run_id': run_id})}", 303)


def serve_asset(name: str) -> Response:
    """Give a style sheet or a script."""
    if name not in ASSETS:
        raise HTTPException(404, "There is no such file.")
    return Response(
        asset(name), media_type=ASSETS[name], headers={"Cache-Control": "private, max-age=3600"}
    )


def _no_run() -> HTTPException:
    return HTTPException(404, f"{DAG_ID} has no such run, or Airflow has forgotten it.")


def _held(run: AirflowRun, view: RunView) -> Matter | None:
    """Give what a person could release: the list of a run that has ended and holds it."""
    delivery = view.files.get("delivery")
    held = delivery and delivery["outcomes"]["held"] and run.state == "success"
    if not (held and view.built and view.built["customers"] and not view.preview):
        return None
    return matter_of("list", view.built) if _list_file(run) else None


def _list_file(run: AirflowRun) -> UPath | None:
    if run.as_of is None:
        return None
    paths = (_folder(run.as_of, run.run_id) / name for name in LIST_FILES)
    return next((path for path in paths if path.exists()), None)


def _artifacts() -> UPath:
    root = artifacts()
    # A bucket's listings are remembered for as long as this process lives, and tasks write from others.
    root.fs.invalidate_cache()
    return root


def _folder(as_of: date, run_id: str) -> UPath:
    return Run(as_of, run_id, _artifacts()).path("run.json").parent


def _history(days: int) -> list[Day]:
    # A day ahead, for it may be tomorrow where the store is.
    last = datetime.now(UTC).date() + timedelta(days=1)
    return read_history(_artifacts(), last=last, days=days + 1)


def _content(path: UPath) -> Iterator[bytes]:
    with fetch(path) as local, local.open("rb") as file:
        while chunk := file.read(2**16):
            yield chunk


def _page(template: str, status: int = 200, *, bare: bool = False, **context: Any) -> HTMLResponse:
    """Render a page; a bare one needs no style sheet and no script, which not everybody may have."""
    html = render(template, bare=bare, **context)
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


def _message(heading: str, text: str, status: int = 200, *, bare: bool = False) -> HTMLResponse:
    return _page("message_page.html.j2", status, bare=bare, heading=heading, text=text)


async def _with_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


def _refused(request: Request, error: Exception) -> HTMLResponse:  # noqa: ARG001
    status, detail = getattr(error, "status_code", 500), str(getattr(error, "detail", ""))
    if status == 401:
        return _message(
            "Not logged in", "Log in to Airflow, then reload this page.", 401, bare=True
        )
    if status == 403:
        return _message("Not allowed", detail, 403, bare=True)
    return _message("Not found" if status == 404 else "Refused", detail, status)


def _not_understood(request: Request, error: Exception) -> HTMLResponse:  # noqa: ARG001
    return _message(
        "Not understood", "This address is not one of the page's own. Go back to all days.", 422
    )


def _not_readable(request: Request, error: Exception) -> HTMLResponse:  # noqa: ARG001
    return _message("The files of the runs cannot be read", without_addresses(str(error)), 503)


def _broken(request: Request, error: Exception) -> HTMLResponse:  # noqa: ARG001
    page = _message("This page is broken", "The log of Airflow's API server says how.", 500)
    # It comes from outside the middleware.
    page.headers.update(HEADERS)
    return page
