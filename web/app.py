"""The web application: pages and API on one address. Wires and decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from settings import Settings
from web import (
    board,
    clients,
    episodes,
    facilities,
    health,
    live,
    protocols,
    queue,
    replay,
    report,
    resources,
    signing_in,
)
from web.errors import NotThere, SignInNeeded, TooMuch, WebError
from web.guard import routes_of
from web.pages import STATIC, page
from web.parts import Clock, opened, utc_now
from web.shield import Shield, TooLong

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    signing_in.router,
    queue.router,
    board.router,
    replay.router,
    protocols.router,
    live.router,
    report.router,
    episodes.router,
    clients.router,
    resources.router,
    facilities.router,
)
"""A noun each. A route says what it needs with `Depends(May(action))`; one that does not stops the start."""


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """The application. Its records must be migrated; Temporal may be away."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with opened(settings, clock) as parts:
            app.state.parts = parts
            listening = [asyncio.create_task(parts.pulse.run()), asyncio.create_task(parts.engine.listen())]
            try:
                yield
            finally:
                for one in listening:
                    one.cancel()
                await asyncio.gather(*listening, return_exceptions=True)

    app = FastAPI(
        title="Holdfast",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        middleware=[Middleware(Shield, base_url=settings.base_url)],
    )
    routes_of(ROUTERS)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", GZipMiddleware(Assets(directory=STATIC), minimum_size=1_000), name="static")
    app.add_exception_handler(WebError, explain)
    app.add_exception_handler(HTTPException, explain)
    app.add_exception_handler(TooLong, explain)
    return app


async def explain(request: Request, error: Exception) -> Response:
    """Any error as a page that says what to do."""
    if isinstance(error, SignInNeeded):
        return await signing_in.interrupted(request, error)
    told = error if isinstance(error, WebError) else TooMuch() if isinstance(error, TooLong) else NotThere()
    status = error.status_code if isinstance(error, HTTPException) else told.status
    return await page(request, "error.html", status=status, error=told)


class Assets(StaticFiles):
    """Files that browsers may keep: their address changes with their content."""

    def file_response(self, *args: object, **kwargs: object) -> Response:  # type: ignore[override]
        """The file, to be kept."""
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer
