"""The accounts of everybody, for the administrator, who sees no client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from practice.accounts import ROLES, SHORTEST_PASSWORD, AccountError, Role
from web import administration
from web.forms import fields_of
from web.guard import MOST_FIELDS, May, Visit
from web.pages import page

router = APIRouter(include_in_schema=False)
Manager = Annotated[Visit, Depends(May("account.manage"))]


Act = Literal["roles", "password", "single-sign-on", "second-factor", "sessions", "disable", "enable"]
PlainAct = Literal["single-sign-on", "second-factor", "sessions", "disable", "enable"]
PLAIN: dict[PlainAct, Callable[[Visit, str], Awaitable[None]]] = {
    "single-sign-on": administration.use_single_sign_on,
    "second-factor": administration.reset_second_factor,
    "sessions": administration.end_sessions,
    "disable": administration.disable,
    "enable": administration.enable,
}
"""Acts that need nothing besides the account."""
SAID = {
    "made": "The account was made.",
    "roles": "The roles were changed. The person signs in anew.",
    "password": "The password was set. The person is signed out everywhere.",
    "single-sign-on": "From now on this person comes by single sign-on.",
    "second-factor": "The second factor was taken away. The person is signed out everywhere.",
    "sessions": "The person is signed out everywhere.",
    "disable": "The account was ended.",
    "enable": "The account may sign in again.",
}


@router.get("/accounts")
async def accounts(request: Request, visit: Manager, said: Annotated[str, Query(max_length=20)] = "") -> Response:
    """Everybody."""
    return await shown(request, visit, flash=SAID.get(said))


@router.post("/accounts")
async def add(request: Request, visit: Manager) -> Response:
    """Make an account."""
    form = await sent(request)
    roles: tuple[Role, ...] = tuple(role for role in ROLES if role in form.get("roles", []))
    first = {name: values[0] for name, values in form.items()}
    password = None if "single_sign_on" in form else first.get("password", "")
    try:
        await administration.make(
            visit, first.get("account", "").strip().lower(), first.get("name", "").strip(), roles, password
        )
    except AccountError as error:
        return await shown(request, visit, typed=first, chosen=list(roles), error=str(error))
    return RedirectResponse("/accounts?said=made", 303)


@router.post("/accounts/{account_id}/{act}")
async def change(request: Request, visit: Manager, account_id: str, act: Act) -> Response:
    """One of the acts on an account. One's own is left to another administrator."""
    form = await sent(request)
    try:
        match act:
            case "roles":
                roles: tuple[Role, ...] = tuple(role for role in ROLES if role in form.get("roles", []))
                await administration.set_roles(visit, account_id, roles)
            case "password":
                await administration.set_password(visit, account_id, form.get("password", [""])[0])
            case _:
                await PLAIN[act](visit, account_id)
    except AccountError as error:
        return await shown(request, visit, error=str(error))
    return RedirectResponse(f"/accounts?said={act}", 303)


async def sent(request: Request) -> dict[str, list[str]]:
    """The fields of the form."""
    return fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())


async def shown(
    request: Request,
    visit: Visit,
    *,
    typed: dict[str, str] | None = None,
    chosen: list[str] | None = None,
    error: str = "",
    flash: str | None = None,
) -> Response:
    """The page; what was typed comes back, but never a password."""
    return await page(
        request,
        "accounts.html",
        status=422 if error else 200,
        accounts=await visit.parts.accounts.everybody(),
        roles=ROLES,
        typed=typed or {},
        chosen=chosen or [],
        error=error,
        shortest=SHORTEST_PASSWORD,
        flash=flash,
        me=visit.actor.account_id,
        alone=await administration.lone_administrator(visit),
        provider=visit.parts.provider.name if visit.parts.provider is not None else "",
    )
