"""The accounts of everybody, for the administrator, who sees no client."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from practice.accounts import ROLES, SHORTEST_PASSWORD, AccountError, Role
from web.forms import fields_of
from web.guard import MOST_FIELDS, May, Visit
from web.pages import page

router = APIRouter(include_in_schema=False)
Manager = Annotated[Visit, Depends(May("account.manage"))]


@router.get("/accounts")
async def accounts(request: Request, visit: Manager) -> Response:
    """Everybody."""
    return await shown(request, visit)


@router.post("/accounts")
async def add(request: Request, visit: Manager) -> Response:
    """Make an account."""
    form = await sent(request)
    roles: tuple[Role, ...] = tuple(role for role in ROLES if role in form.get("roles", []))
    first = {name: values[0] for name, values in form.items()}
    try:
        await visit.parts.accounts.add(
            first.get("account", "").strip().lower(),
            first.get("name", "").strip()[:120] or first.get("account", ""),
            roles,
            first.get("password", ""),
            visit.parts.clock(),
        )
    except AccountError as error:
        return await shown(request, visit, typed=first, chosen=list(roles), error=str(error))
    return RedirectResponse("/accounts", 303)


@router.post("/accounts/{account_id}/password")
async def reset(request: Request, visit: Manager, account_id: str) -> Response:
    """Give an account a new password and end its sessions and its lock."""
    first = {name: values[0] for name, values in (await sent(request)).items()}
    try:
        await visit.parts.accounts.set_password(account_id, first.get("password", ""), visit.parts.clock())
        visit.parts.lately.forget_others(account_id)
    except AccountError as error:
        return await shown(request, visit, error=str(error))
    return RedirectResponse("/accounts", 303)


@router.post("/accounts/{account_id}/disable")
async def disable(request: Request, visit: Manager, account_id: str) -> Response:
    """Let an account sign in no more. One's own stays, so that somebody can still manage."""
    if account_id == visit.actor.account_id:
        return await shown(request, visit, error="Your own account is ended by another administrator.")
    await visit.parts.accounts.disable(account_id, visit.parts.clock())
    visit.parts.lately.forget_others(account_id)
    return RedirectResponse("/accounts", 303)


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
    )
