"""Signing in at the provider: the way there, the way back, and out again."""

from __future__ import annotations

import re
import secrets
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from practice.identities import NotLinked, SignIn
from practice.sessions import Session
from web.errors import NotThere, TooOften
from web.guard import MOST_FIELDS, Anybody, Visit, address_of, cookie_name, session_of
from web.pages import page
from web.parts import Parts
from web.provider import NoGroup, Provider, ProviderError, fresh_verifier
from web.signing_in import LONGEST_KEPT, NOT_YOURS, OnTheWay, ask, go_on, local, set_cookie

router = APIRouter(include_in_schema=False)
Open = Annotated[Visit, Depends(Anybody())]
log = structlog.get_logger()

FAILED = "Signing in did not work. Try again; if it happens again, ask your administrator."
MOST_SECONDS = 15 * 60


@router.post("/sign-in/provider")
async def leave(request: Request, visit: Open) -> Response:
    """Keep what waits, and lead the browser to the provider."""
    parts, provider, now = visit.parts, provider_of(visit.parts), visit.parts.clock()
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    way = OnTheWay.of_form(form)
    if parts.limits.begun.until(address_of(request), now):
        raise TooOften
    parts.limits.begun.count(address_of(request), now)
    token = request.cookies.get(cookie_name(parts), "")
    session = await session_of(request)
    had = session.account.account_id if session is not None else await parts.sessions.whose(token) if token else ""
    waiting = SignIn(
        verifier=fresh_verifier(),
        nonce=secrets.token_urlsafe(24),
        to=local(way.to),
        kept=way.kept[:LONGEST_KEPT],
        resume=way.resume,
        of=session.account.account_id if session is not None and session.locked_at is not None else way.of,
        asked_anew_at=int(now.timestamp()) if had else 0,
    )
    state, browser = await parts.sign_ins.begin(waiting, now)
    try:
        place = await provider.address(state, waiting.nonce, waiting.verifier, now, again=bool(had), hint="")
    except ProviderError as error:
        return await _failed(request, session, way, error.reason)
    answer = await led(request, place, provider)
    secure = parts.settings.base_url.startswith("https:")
    answer.set_cookie(
        _browser_cookie(parts), browser, max_age=MOST_SECONDS, httponly=True, samesite="lax", secure=secure
    )
    return answer


@router.get("/sign-in/return")
async def come_back(
    request: Request,
    visit: Open,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4_000)] = "",
    iss: Annotated[str | None, Query(max_length=400)] = None,
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Take whom the provider named, once, in the browser that left for it."""
    parts, provider, now = visit.parts, provider_of(visit.parts), visit.parts.clock()
    session = await session_of(request)
    waiting = await parts.sign_ins.take(state, request.cookies.get(_browser_cookie(parts), ""), now)
    if waiting is None:
        return await _failed(request, session, OnTheWay(), "no_such_sign_in")
    way = OnTheWay(waiting.to, waiting.kept, waiting.resume, waiting.of)
    try:
        if error or not code:
            raise ProviderError(f"provider_says_{error}" if re.fullmatch(r"[a-z_]{1,60}", error) else "no_code")
        claims, id_token = await provider.person(code, iss, waiting, now)
        known = provider.known(claims)
        account = await parts.identities.account_of(known, now)
    except NoGroup as refusal:
        await parts.identities.dismiss(refusal.issuer, refusal.subject, now)
        return await _failed(request, session, way, refusal.reason)
    except (ProviderError, NotLinked) as refusal:
        return await _failed(request, session, way, refusal.reason)
    if waiting.of and account.account_id != waiting.of:
        return await _failed(request, session, way, "another_account", NOT_YOURS)
    if session is not None and session.locked_at is not None and session.account.account_id == account.account_id:
        token = await parts.sessions.unlock(session, now)
        fresh = await parts.sessions.of(token, now)
    else:
        if session is not None:
            await parts.sessions.end(session, now)
        token, fresh = await parts.sessions.begin(account, now, issuer=provider.issuer, id_token=id_token)
    answer = await go_on(request, way, fresh)
    set_cookie(answer, parts, token)
    answer.delete_cookie(_browser_cookie(parts))
    return answer


@router.get("/sign-in/done")
async def done(request: Request, _visit: Open) -> Response:
    """What the window shows in which somebody signed in again for a page that waits in another one."""
    return await page(request, "sign_in_done.html")


async def led(request: Request, place: str, provider: Provider) -> Response:
    """A page that goes on to the provider by itself: a redirect after a form would need a wider policy for forms."""
    answer = await page(request, "sign_in_led.html", place=place, provider=provider.name)
    answer.headers["Refresh"] = f"0; url={place}"
    return answer


def provider_of(parts: Parts) -> Provider:
    """The provider. Raises NotThere without single sign-on."""
    if parts.provider is None:
        raise NotThere
    return parts.provider


async def _failed(
    request: Request, session: Session | None, way: OnTheWay, reason: str, said: str = FAILED
) -> Response:
    """The sign-in page again with what waits. Why is in the log; the browser gets one sentence."""
    log.warning("signing in at the provider failed", reason_code=reason)
    return await ask(request, session, way=way, error=said, status=403)


def _browser_cookie(parts: Parts) -> str:
    return f"{cookie_name(parts)}_sign_in"
