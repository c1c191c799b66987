"""The web application: pages and API on one address. Wires and decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from settings import Settings
from web import (
    account,
    accounts,
    api,
    api_accounts,
    api_audit,
    api_clients,
    api_directory,
    api_episodes,
    api_errands,
    api_protocols,
    api_records,
    api_versions,
    api_webhooks,
    board,
    caseload,
    clients,
    conformance,
    drafting,
    episodes,
    exports,
    facilities,
    health,
    help,
    insight,
    live,
    looked,
    openings,
    outbox,
    plan,
    protocols,
    queue,
    reassign,
    replay,
    report,
    resources,
    retention,
    rota,
    search,
    signatures,
    signing_in,
    signing_out,
    single_sign_on,
    spooling,
    step_up,
    verifying,
    webhooks,
)
from web.access import Actor, authorize
from web.api_guard import invalid, problem
from web.errors import Denied, NotThere, RecordsAway, SignInNeeded, TooMuch, WebError
from web.guard import routes_of, session_of
from web.housekeeping import keep_house
from web.navigation import navigation
from web.pages import STATIC, page
from web.parts import Clock, opened, utc_now
from web.records_away import records_away
from web.shield import Shield, TooLong
from web.studio import drafts, moving, review, scenarios, simulation, trials

log = structlog.get_logger()

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    signing_in.router,
    single_sign_on.router,
    signing_out.router,
    queue.router,
    board.router,
    signatures.router,
    reassign.router,
    search.router,
    replay.router,
    looked.router,
    verifying.router,
    exports.router,
    conformance.router,
    retention.router,
    protocols.router,
    drafts.router,
    trials.router,
    scenarios.router,
    simulation.router,
    review.router,
    moving.router,
    live.router,
    report.router,
    episodes.router,
    plan.router,
    step_up.router,
    caseload.router,
    clients.router,
    drafting.router,
    resources.router,
    facilities.router,
    rota.router,
    insight.router,
    help.router,
    account.router,
    accounts.router,
    webhooks.router,
    openings.router,
    api.router,
    api_audit.router,
    api_errands.router,
    caseload.api,
    api_episodes.router,
    api_clients.router,
    api_directory.router,
    api_protocols.router,
    api_records.router,
    api_versions.router,
    api_accounts.router,
    api_webhooks.router,
)
"""A noun each. A route says what it needs with `Depends(May(action))`; one that does not stops the start."""


class Application(FastAPI):
    """The shield stands around everything, the answer to an unexpected error too."""

    listens_as: Settings

    def build_middleware_stack(self) -> ASGIApp:
        """Starlette answers unexpected errors outside its list of middleware."""
        own = self.listens_as
        return Shield(super().build_middleware_stack(), own.base_url, own.web_address)


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """The application. Its records must be migrated; Temporal may be away."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with opened(settings, clock) as parts:
            app.state.parts = parts
            tasks = (
                *(parts.pulse.run(), parts.engine.listen(), keep_house(parts)),
                *(outbox.run(parts), spooling.run(parts)),
            )
            listening = [asyncio.create_task(one) for one in tasks]
            try:
                yield
            finally:
                for one in listening:
                    one.cancel()
                await asyncio.gather(*listening, return_exceptions=True)

    app = Application(title="Holdfast", version="1", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.listens_as = settings
    routes_of(ROUTERS)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", GZipMiddleware(Assets(directory=STATIC), minimum_size=1_000), name="static")
    app.add_exception_handler(WebError, explain)
    app.add_exception_handler(SQLAlchemyError, explain)
    app.add_exception_handler(HTTPException, explain)
    app.add_exception_handler(TooLong, explain)
    app.add_exception_handler(RequestValidationError, explain)
    app.add_exception_handler(Exception, explain)
    return app


async def explain(request: Request, error: Exception) -> Response:
    """Any error as a page, or as a problem of the API, that says what to do."""
    told = _as_ours(error)
    if request.url.path.startswith("/api/"):
        return problem(told)
    if isinstance(told, SignInNeeded):
        try:
            return await signing_in.interrupted(request, told)
        except TooLong:
            told = TooMuch()
    if isinstance(told, RecordsAway):
        return await records_away(request)
    if isinstance(error, Denied) and request.url.path == "/" and (place := await _home(request)):
        return RedirectResponse(place, 303)
    status = error.status_code if isinstance(error, HTTPException) else told.status
    return await page(request, "error.html", status=status, error=told, glass=await _glass(request, error))


def _as_ours(error: Exception) -> WebError:
    if isinstance(error, WebError):
        return error
    if isinstance(error, SQLAlchemyError):
        log.error("the records do not answer", error_type=type(error).__name__)
        return RecordsAway()
    if isinstance(error, RequestValidationError):
        return invalid(error)
    if isinstance(error, HTTPException):
        return NotThere() if error.status_code == 404 else TooMuch()
    return TooMuch() if isinstance(error, TooLong) else WebError()


async def _home(request: Request) -> str:
    """The first place of somebody who has no queue."""
    session = await session_of(request)
    if session is None:
        return ""
    places = navigation(Actor(session.account.account_id, session.account.name, session.account.roles), "/")
    return places[0]["href"] if places else "/account"


async def _glass(request: Request, error: Exception) -> str:
    """The episode that somebody who may not see it may open in an emergency; empty without one."""
    session, episode_id = await session_of(request), request.path_params.get("episode_id", "")
    if not isinstance(error, Denied) or session is None or not episode_id:
        return ""
    actor = Actor(session.account.account_id, session.account.name, session.account.roles)
    return str(episode_id) if authorize(actor, "access.break_glass") else ""


class Assets(StaticFiles):
    """Files that browsers may keep: their address changes with their content."""

    def file_response(self, *args: object, **kwargs: object) -> Response:  # type: ignore[override]
        """The file, to be kept."""
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer
