"""Accounts and emergency openings through the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from starlette.requests import Request
from starlette.responses import JSONResponse

from practice.accounts import AccountError
from web import accounts as pages
from web import administration
from web.api_bodies import ACCOUNT, PASSWORD, REASON, ROLES, takes
from web.api_commands import given
from web.api_guard import Problem, body_of, call
from web.api_routes import EpisodeId, Key, api_router
from web.errors import NotThere
from web.guard import Visit
from web.looks import NOTHING, REPORT, SHOWN, look, note, shows
from web.openings import opened

router = api_router()
Manager = Annotated[Visit, call("account.manage")]
LISTED = "GET /api/v1/accounts lists the accounts."


@router.get("/accounts")
async def accounts(visit: Manager) -> JSONResponse:
    """Everybody who may sign in."""
    return given([asdict(one) for one in await visit.parts.accounts.everybody()])


@router.post("/accounts", status_code=201, openapi_extra=takes("AccountBody"))
async def add_account(request: Request, visit: Manager, key: Key) -> JSONResponse:
    """Make an account."""
    body = await body_of(request, ACCOUNT)
    try:
        await administration.make(visit, body.account_id, body.name, body.roles, body.password)
    except AccountError as error:
        raise Problem(422, str(error), "Choose another.") from None
    return JSONResponse({"account_id": body.account_id}, 201)


@router.put("/accounts/{account_id}/roles", openapi_extra=takes("RolesBody"))
async def set_roles(request: Request, visit: Manager, account_id: str, key: Key) -> JSONResponse:
    """Give it other roles; the person signs in anew."""
    body = await body_of(request, ROLES)
    try:
        await administration.set_roles(visit, account_id, body.roles)
    except AccountError as error:
        raise Problem(422, str(error), LISTED) from None
    return JSONResponse({"account_id": account_id, "roles": body.roles})


@router.put("/accounts/{account_id}/password", openapi_extra=takes("PasswordBody"))
async def set_password(request: Request, visit: Manager, account_id: str, key: Key) -> JSONResponse:
    """Give it a new password; its sessions end."""
    body = await body_of(request, PASSWORD)
    try:
        await administration.set_password(visit, account_id, body.password)
    except AccountError as error:
        raise Problem(422, str(error), LISTED) from None
    return JSONResponse({"account_id": account_id})


@router.post("/accounts/{account_id}/{act}")
async def change_account(visit: Manager, account_id: str, act: pages.PlainAct, key: Key) -> JSONResponse:
    """End it, let it in again, sign it out, take its second factor or its password away."""
    try:
        await pages.PLAIN[act](visit, account_id)
    except AccountError as error:
        raise Problem(422, str(error), LISTED) from None
    return JSONResponse({"account_id": account_id, "done": act})


@router.get("/openings")
async def openings(visit: Annotated[Visit, call("access.review", SHOWN)], everything: bool = False) -> JSONResponse:
    """Emergency openings that wait for a review, or all."""
    found = await visit.parts.reach.openings(unreviewed=not everything)
    await shows(visit, (("", one.client_ref) for one in found))
    return given([asdict(one) for one in found])


@router.post("/openings/new/{episode_id}", status_code=201, openapi_extra=takes("ReasonBody"))
async def break_glass(
    request: Request, visit: Annotated[Visit, call("access.break_glass", REPORT)], episode_id: EpisodeId, key: Key
) -> JSONResponse:
    """Open somebody else's client in an emergency; it is written down and reviewed."""
    reason = (await body_of(request, REASON)).reason
    summary = await visit.parts.queries.get_episode(episode_id)
    if summary is None:
        raise NotThere
    await note(visit, look(visit, episode_id, purpose="emergency opening"))
    access_id, telling = await opened(visit, summary.client_ref, reason)
    return JSONResponse({"access_id": access_id}, 201, background=telling)


@router.post("/openings/{access_id}/review")
async def review(visit: Annotated[Visit, call("access.review", NOTHING)], access_id: str, key: Key) -> JSONResponse:
    """Note that one has looked at an opening that was not one's own."""
    if not await visit.parts.reach.review(access_id, visit.actor.account_id, visit.parts.clock()):
        raise NotThere
    return JSONResponse({"reviewed": True})
