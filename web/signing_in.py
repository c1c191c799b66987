"""Signing in, the second factor, going on after a lock, signing out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, TypeAdapter, ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from practice.accounts import Attempt
from practice.sessions import LONGEST, Session
from protocol.local_time import show_span
from protocol.words import plain
from web.errors import SignInNeeded
from web.forms import FACT
from web.guard import FORM_TOKEN, MOST_FIELDS, Anybody, May, Visit, check_form_token, cookie_name, session_of
from web.pages import page
from web.parts import Parts

router = APIRouter(include_in_schema=False)
Open = Annotated[Visit, Depends(Anybody())]
Own = Annotated[Visit, Depends(May("self"))]

WRONG = "The name or the password is wrong."
WRONG_CODE = "The code is wrong or was used before. Wait for the next one."
_KEPT: TypeAdapter[dict[str, list[str]]] = TypeAdapter(dict[str, list[str]], config=ConfigDict(strict=True))
CARRIED = frozenset({FORM_TOKEN, "key", "revision", "draft", "back", "step", "decision"})
"""Fields that nobody typed."""
LONGEST_KEPT = 400_000
"""Characters of a form that waits for a sign-in."""


@router.get("/sign-in")
async def sign_in_page(request: Request, _visit: Open, to: str = "/") -> Response:
    """The page that asks who one is."""
    session = await session_of(request)
    if session is not None and session.usable:
        return RedirectResponse(local(to), 303)
    return await ask(request, session, to=local(to))


@router.post("/sign-in")
async def sign_in(request: Request, visit: Open) -> Response:
    """Take a name and a password; or, for a locked session, the password alone."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    parts, session = visit.parts, await session_of(request)
    now = parts.clock()
    locked = session if session is not None and session.locked_at is not None else None
    name = locked.account.account_id if locked is not None else str(form.get("account", "")).strip().lower()
    attempt = await parts.accounts.check_password(name[:64], str(form.get("password", "")), now)
    if attempt.account is None:
        error = wrong(attempt, WRONG, now)
        return await ask(request, session, form=form, error=error, name=name, status=422)
    if locked is not None:
        await parts.sessions.unlock(locked, now)
        return await go_on(request, form, await parts.sessions.of(request.cookies[cookie_name(parts)], now))
    if session is not None:
        await parts.sessions.end(session, now)
    token, fresh = await parts.sessions.begin(attempt.account, now)
    answer = await (ask(request, fresh, form=form) if fresh.second_factor_due else go_on(request, form, fresh))
    set_cookie(answer, parts, token)
    return answer


@router.post("/sign-in/code")
async def second_factor(request: Request, visit: Open) -> Response:
    """Take the code of the second factor."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    parts, session = visit.parts, await session_of(request)
    if session is None or not session.second_factor_due:
        return RedirectResponse("/sign-in", 303)
    await check_form_token(request, session.form_token)
    now = parts.clock()
    attempt = await parts.accounts.check_code(session.account.account_id, str(form.get("code", ""))[:16], now)
    if attempt.account is None:
        return await ask(request, session, form=form, error=wrong(attempt, WRONG_CODE, now), status=422)
    await parts.sessions.second_factor_given(session, now)
    return await go_on(request, form, await parts.sessions.of(request.cookies[cookie_name(parts)], now))


@router.post("/lock")
async def lock(request: Request, visit: Own) -> Response:
    """Lock the screen: the session stays, the password is asked for."""
    assert visit.session is not None
    await visit.parts.sessions.lock(visit.session, visit.parts.clock())
    visit.parts.lately.forget(visit.session.token_hash)
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    return RedirectResponse(f"/sign-in?to={quote(local(str(form.get('to', '/'))))}", 303)


@router.post("/sign-out")
async def sign_out(visit: Own) -> Response:
    """End the session."""
    assert visit.session is not None
    await visit.parts.sessions.end(visit.session, visit.parts.clock())
    visit.parts.lately.forget(visit.session.token_hash)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(cookie_name(visit.parts))
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


async def interrupted(request: Request, needed: SignInNeeded) -> Response:
    """What a request gets whose person must sign in first: a form that was sent is kept within the page."""
    if request.method in ("GET", "HEAD"):
        place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?to={quote(place)}" if place != "/" else "/sign-in", 303)
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    kept = {name: form.getlist(name) for name in form if name != FORM_TOKEN}
    written = json.dumps(kept)
    return await ask(request, needed.session, kept=written, resume=request.url.path, status=401)


async def ask(
    request: Request,
    session: Session | None,
    *,
    form: FormData | None = None,
    status: int = 200,
    **context: Any,
) -> Response:
    """The page that asks for what is still missing: name and password, the password alone, or the code."""
    told = {name: str(form.get(name, "")) for name in ("to", "kept", "resume")} if form is not None else {}
    missing = "account"
    if session is not None:
        missing = "password" if session.locked_at is not None else "code" if session.second_factor_due else "account"
    shown = {"to": "/", "kept": "", "resume": "", "error": "", "name": "", **told, **context}
    if wants_json(request):
        token = session.form_token if session else ""
        return JSONResponse({"missing": missing, "error": shown["error"], "form_token": token}, status)
    return await page(
        request, "sign_in.html", status=status, missing=missing, form_token=session.form_token if session else "",
        account=session.account.name if session else "", **shown,
    )  # fmt: skip


async def go_on(request: Request, form: FormData, session: Session | None) -> Response:
    """Back to where one was; with a form that waited, the form."""
    request.state.session = session
    if wants_json(request):
        return JSONResponse({"missing": "", "form_token": _token(session)})
    kept, resume = str(form.get("kept", "")), local(str(form.get("resume", "")))
    if kept and resume != "/" and len(kept) <= LONGEST_KEPT:
        fields = fields_of(kept)
        return await page(
            request, "resume.html", fields=fields, told=told_of(fields), resume=resume, back=back_of(resume),
            form_token=_token(session),
        )  # fmt: skip
    return RedirectResponse(local(str(form.get("to", "/"))), 303)


def wants_json(request: Request) -> bool:
    """True for a script that asks within a page."""
    return "application/json" in request.headers.get("accept", "")


def _token(session: Session | None) -> str:
    return session.form_token if session is not None else ""


def fields_of(kept: str) -> list[tuple[str, str]]:
    """The fields of a form that waited, in their order; nothing from what is not such a form."""
    try:
        fields = _KEPT.validate_json(kept)
    except ValidationError:
        return []
    return [(name, value) for name, values in fields.items() for value in values]


def told_of(fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What somebody typed, for them to look at: without what the form carries along."""
    return [
        (plain(name.removeprefix(FACT)).capitalize(), value)
        for name, value in fields
        if value and name not in CARRIED and not name.endswith("password")
    ]


def back_of(resume: str) -> str:
    """The page where a form stands."""
    return "/".join(resume.split("/")[:3]) if resume.startswith("/episodes/") else resume


def local(address: str) -> str:
    """The address if it leads to a page of ours, else the queue: nobody is sent elsewhere after signing in."""
    parts = urlsplit(address)
    inside = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if inside and not parts.netloc and not parts.scheme and address.isprintable() else "/"


def wrong(attempt: Attempt, what: str, now: datetime) -> str:
    """Why somebody was not let in, without saying which half was wrong."""
    if attempt.wait_until is None:
        return what
    return f"Too many wrong attempts. Wait {show_span(attempt.wait_until - now)}, then try again."


def set_cookie(answer: Response, parts: Parts, token: str) -> None:
    """Give the browser its token: for our pages alone, out of the reach of scripts."""
    answer.set_cookie(
        cookie_name(parts),
        token,
        max_age=int(LONGEST.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=parts.settings.base_url.startswith("https:"),
    )
