"""The API, version 1: whose token it is, and what its person owes. The other files of the API have a noun each."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import JSONResponse

from web.api_bodies import description
from web.api_commands import given
from web.api_guard import call
from web.api_routes import api_router
from web.guard import Anybody, Visit
from web.looks import SHOWN, shows
from web.queue import mine_of

router = api_router()


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, _visit: Annotated[Visit, Depends(Anybody())]) -> JSONResponse:
    """The description of this API."""
    return JSONResponse(description(request.app))


@router.get("/me")
async def me(visit: Annotated[Visit, call("self")]) -> JSONResponse:
    """Whose token this is and what it may do."""
    scopes = sorted(visit.actor.scopes or ())
    return JSONResponse({"account": visit.actor.account_id, "roles": list(visit.actor.roles), "scopes": scopes})


@router.get("/queue")
async def queue(visit: Annotated[Visit, call("queue.read", SHOWN)]) -> JSONResponse:
    """What the person owes, and what pages have asked of them; by deadline."""
    mine = await mine_of(visit.parts, visit.actor)
    await shows(visit, ((one.episode_id, one.client_ref) for one in (*mine.owed, *mine.asked)))
    return given({"owed": [asdict(one) for one in mine.owed], "asked": [asdict(one) for one in mine.asked]})
