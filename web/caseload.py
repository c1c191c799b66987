"""Whose clients are whose: a supervisor puts a client on a caseload, takes them off, hands them over."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from audit.access import Access
from practice.reach import CARRIERS, ReachError
from web.access import authorize
from web.api_guard import Problem, call
from web.api_routes import Key, api_router
from web.errors import Refused
from web.guard import MOST_FIELDS, May, Visit
from web.looks import ITS_CLIENT
from web.parts import Parts

router = APIRouter(include_in_schema=False)
api = api_router("/clients/{client_ref}/caseload")

Ref = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
Account = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,47}$")]
Keeper = Annotated[Visit, Depends(May("caseload.write", ITS_CLIENT))]


async def carriers(parts: Parts) -> list[dict[str, str]]:
    """The people who may have clients of their own, as choices."""
    people = [one for one in await parts.accounts.everybody() if CARRIERS & set(one.roles) and not one.disabled]
    return [{"value": one.account_id, "label": one.name} for one in sorted(people, key=lambda one: one.name.casefold())]


async def caseload_of(visit: Visit, client_ref: str) -> dict[str, Any]:
    """What the client's page shows of it."""
    keepers, _ = await visit.parts.reach.keepers(client_ref, visit.parts.clock())
    may = authorize(visit.actor, "caseload.write")
    return {
        "keepers": sorted(keepers),
        "may_assign": may,
        "carriers": [one for one in await carriers(visit.parts) if one["value"] not in keepers] if may else [],
    }


@router.post("/clients/{client_ref}/caseload")
async def change(request: Request, client_ref: Ref, visit: Keeper) -> Response:
    """Assign to `to`, take from `from`, or with both hand over. It counts from the next request on."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    leaving, taking = str(form.get("from", ""))[:48], str(form.get("to", ""))[:48]
    try:
        await changed(visit, client_ref, leaving, taking)
    except ReachError as error:
        raise Refused(str(error), "Go back to the client and choose again.") from None
    return RedirectResponse(f"/clients/{client_ref}?said=caseload", 303)


def changer(visit: Visit) -> Access:
    """Who changes a caseload, for the access trail."""
    detail = {"view": visit.view}
    return Access(visit.parts.clock(), visit.actor.account_id, visit.actor.roles[0], "administered", detail=detail)


async def changed(visit: Visit, client_ref: str, leaving: str, taking: str) -> None:
    """Change the caseload, and write down who did. Raises ReachError."""
    reach, now, by = visit.parts.reach, visit.parts.clock(), changer(visit)
    if leaving and taking:
        await reach.transfer(client_ref, leaving, taking, now, by)
    elif taking:
        await reach.assign(client_ref, taking, now, by)
    elif leaving:
        await reach.release(client_ref, leaving, by)
    else:
        raise ReachError("choose a person")


@api.get("")
async def on_caseload_of(visit: Annotated[Visit, call("client.read", ITS_CLIENT)], client_ref: Ref) -> JSONResponse:
    """On whose caseload a client is."""
    keepers, _ = await visit.parts.reach.keepers(client_ref, visit.parts.clock())
    return JSONResponse({"accounts": sorted(keepers)})


@api.put("/{account_id}")
async def assign(
    visit: Annotated[Visit, call("caseload.write", ITS_CLIENT)], client_ref: Ref, account_id: Account, key: Key
) -> JSONResponse:
    """Put a client on somebody's caseload; again, nothing changes."""
    try:
        await changed(visit, client_ref, "", account_id)
    except ReachError as error:
        raise Problem(422, "The caseload was not changed", str(error)) from None
    return JSONResponse({"client": client_ref, "account": account_id})


@api.delete("/{account_id}")
async def release(
    visit: Annotated[Visit, call("caseload.write", ITS_CLIENT)], client_ref: Ref, account_id: Account, key: Key
) -> JSONResponse:
    """Take a client off somebody's caseload; who is not on it stays off."""
    await changed(visit, client_ref, account_id, "")
    return JSONResponse({"client": client_ref, "account": account_id})
