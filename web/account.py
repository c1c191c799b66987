"""My own account: password, second factor, where I am signed in, tokens for other systems."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from practice.accounts import SHORTEST_PASSWORD, AccountError, fitting_step, new_secret
from protocol.local_time import show_time
from web.access import ACTIONS, Action, Target, authorize
from web.forms import fields_of
from web.guard import MOST_FIELDS, May, Visit
from web.pages import page
from web.qr import picture
from web.signing_in import SECRET

router = APIRouter(include_in_schema=False)
Own = Annotated[Visit, Depends(May("self"))]

WRONG_PASSWORD = "The present password is wrong."  # noqa: S105 - a sentence
NOT_THIS_CODE = "This is not the code that the app shows now."
SCOPES: tuple[Action, ...] = tuple(one for one in ACTIONS if one not in ("public", "self"))
"""What a token may be made for."""


@router.get("/account")
async def account(request: Request, visit: Own) -> Response:
    """The page."""
    return await shown(request, visit)


@router.post("/account/password")
async def password(request: Request, visit: Own) -> Response:
    """Change the password; every session ends, this one too."""
    form = await fields(request)
    if not await knows_password(visit, form):
        return await shown(request, visit, error=("present", WRONG_PASSWORD))
    try:
        await visit.parts.accounts.set_password(visit.actor.account_id, form.get("new", ""), visit.parts.clock())
        visit.parts.lately.forget_others(visit.actor.account_id)
    except AccountError as error:
        return await shown(request, visit, error=("new", str(error)))
    return RedirectResponse("/sign-in", 303)


@router.post("/account/second-factor")
async def second_factor(request: Request, visit: Own) -> Response:
    """Keep the second factor whose first code is right; sessions elsewhere end."""
    form, now = await fields(request), visit.parts.clock()
    given = form.get("secret", "")
    secret = given if SECRET.fullmatch(given) else ""
    if not await knows_password(visit, form):
        return await shown(request, visit, secret=secret, error=("present-factor", WRONG_PASSWORD))
    if not secret or fitting_step(secret, form.get("code", ""), now) is None:
        return await shown(request, visit, secret=secret, error=("code", NOT_THIS_CODE))
    await visit.parts.accounts.set_second_factor(visit.actor.account_id, secret)
    assert visit.session is not None
    await visit.parts.sessions.end_others(visit.session, now)
    visit.parts.lately.forget_others(visit.actor.account_id, visit.session.token_hash)
    return RedirectResponse("/account", 303)


@router.post("/account/second-factor/remove")
async def remove_second_factor(request: Request, visit: Own) -> Response:
    """Do without the second factor again."""
    if not await knows_password(visit, await fields(request)):
        return await shown(request, visit, error=("present-remove", WRONG_PASSWORD))
    await visit.parts.accounts.set_second_factor(visit.actor.account_id, None)
    return RedirectResponse("/account", 303)


@router.post("/account/sessions/end-others")
async def end_others(visit: Own) -> Response:
    """Sign out everywhere else."""
    assert visit.session is not None
    await visit.parts.sessions.end_others(visit.session, visit.parts.clock())
    visit.parts.lately.forget_others(visit.actor.account_id, visit.session.token_hash)
    return RedirectResponse("/account", 303)


@router.post("/account/tokens")
async def add_token(request: Request, visit: Own) -> Response:
    """Make a token; it is shown this once."""
    sent = fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())
    scopes = tuple(one for one in sent.get("scope", []) if one in SCOPES)
    days = sent.get("days", [""])[0]
    try:
        token = await visit.parts.tokens.add(
            visit.actor.account_id,
            sent.get("label", [""])[0],
            scopes,
            int(days) if days.isdecimal() and len(days) < 5 else 0,
            visit.parts.clock(),
        )
    except AccountError as error:
        return await shown(request, visit, error=("label", str(error)))
    return await shown(request, visit, token=token)


@router.post("/account/tokens/{token_id}/revoke")
async def revoke_token(visit: Own, token_id: str) -> Response:
    """End a token."""
    await visit.parts.tokens.revoke(visit.actor.account_id, token_id, visit.parts.clock())
    return RedirectResponse("/account", 303)


async def knows_password(visit: Visit, form: dict[str, str]) -> bool:
    """The person at the keys knows the password: an open screen is not enough to change how one signs in."""
    attempt = await visit.parts.accounts.check_password(
        visit.actor.account_id, form.get("present", ""), visit.parts.clock()
    )
    return attempt.account is not None


async def fields(request: Request) -> dict[str, str]:
    """The first value of each field."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    return {name: values[0] for name, values in fields_of(form.multi_items()).items()}


async def shown(
    request: Request, visit: Visit, *, secret: str = "", token: str = "", error: tuple[str, str] | None = None
) -> Response:
    """The page, with a fresh secret to enrol where there is no second factor yet."""
    assert visit.session is not None
    parts, now = visit.parts, visit.parts.clock()
    mine = await parts.accounts.get(visit.actor.account_id)
    enrolled = mine is not None and mine.has_second_factor
    secret = "" if enrolled else secret or new_secret()
    sessions: list[dict[str, Any]] = [
        {
            "since": show_time(one.created_at.replace(second=0, microsecond=0), parts.zone, now),
            "seen": show_time(one.seen_at.replace(second=0, microsecond=0), parts.zone, now),
            "here": one.token_hash == visit.session.token_hash,
        }
        for one in await parts.sessions.living(visit.actor.account_id, now)
    ]
    return await page(
        request,
        "account.html",
        status=422 if error else 200,
        enrolled=enrolled,
        secret=secret,
        code=picture(secret, visit.actor.account_id) if secret else "",
        sessions=sessions,
        tokens=await parts.tokens.of(visit.actor.account_id, now),
        token=token,
        scopes=[one for one in SCOPES if authorize(visit.actor, one, Target("own"))],
        error=error,
        shortest=SHORTEST_PASSWORD,
    )
