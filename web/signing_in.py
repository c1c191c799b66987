"""Signing in, the second factor, going on after a lock."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, TypeAdapter, ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from practice.accounts import Account, Attempt, fitting_step, new_secret
from practice.sessions import LONGEST, Session
from protocol.local_time import show_span
from protocol.words import plain
from web.errors import SignInNeeded
from web.forms import FACT
from web.forms import fields_of as as_fields
from web.guard import (
    FORM_TOKEN,
    MOST_FIELDS,
    MOST_FILES,
    Anybody,
    May,
    Visit,
    address_of,
    check_form_token,
    cookie_name,
    session_of,
)
from web.pages import page
from web.parts import Parts, parts_of
from web.qr import picture

router = APIRouter(include_in_schema=False)
Open = Annotated[Visit, Depends(Anybody())]
Own = Annotated[Visit, Depends(May("self"))]

WRONG = "The name or the password is wrong."
WRONG_CODE = "The code is wrong or was used before. Wait for the next one."
NOT_YOURS = "This page belongs to another account. Sign in with that one, or begin anew from the first page."
SECRET = re.compile(r"[A-Z2-7]{32}")
"""A secret as `new_secret` makes it."""
_KEPT: TypeAdapter[dict[str, list[str]]] = TypeAdapter(dict[str, list[str]], config=ConfigDict(strict=True))
CARRIED = frozenset({FORM_TOKEN, "key", "revision", "draft", "back", "step", "decision"})
"""Fields that nobody typed."""
LONGEST_KEPT = 400_000
"""Characters of a form that waits for a sign-in."""


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """What goes along with a sign-in, so that one goes on where one was."""

    to: str = "/"
    kept: str = ""
    """A form that waits, as JSON."""
    resume: str = ""
    """Where that form was sent."""
    of: str = ""
    """The account whose page waits: nobody else may go on with it. Empty when it is not known."""

    @classmethod
    def of_form(cls, form: FormData) -> OnTheWay:
        """As the hidden fields say."""
        told = {name: str(form.get(name, "")) for name in ("to", "kept", "resume", "of")}
        return cls(told["to"] or "/", told["kept"], told["resume"], told["of"][:64])


@router.get("/sign-in")
async def sign_in_page(request: Request, _visit: Open, to: str = "/") -> Response:
    """The page that asks who one is."""
    session = await session_of(request)
    if session is not None and session.usable:
        return await go_on(request, OnTheWay(local(to)), session)
    return await ask(request, session, way=OnTheWay(local(to)))


@router.post("/sign-in")
async def sign_in(request: Request, visit: Open) -> Response:
    """Take a name and a password; or, for a locked session, the password alone."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    parts, session, way = visit.parts, await session_of(request), OnTheWay.of_form(form)
    locked = session if session is not None and session.locked_at is not None else None
    if locked is not None and way.of in ("", locked.account.account_id):
        return await unlock(request, parts, locked, form)
    now, name = parts.clock(), str(form.get("account", "")).strip().lower() or way.of
    if way.of and name != way.of:
        return await ask(request, session, way=way, error=NOT_YOURS, name=name, status=422)
    if until := parts.limits.wrong.until(address_of(request), now):
        return await ask(
            request, session, way=way, error=wrong(Attempt(None, until), WRONG, now), name=name, status=429
        )
    attempt = await parts.accounts.check_password(name[:64], str(form.get("password", "")), now)
    if attempt.account is None or not may_use_password(parts, attempt.account):
        parts.limits.wrong.count(address_of(request), now)
        return await ask(request, session, way=way, error=wrong(attempt, WRONG, now), name=name, status=422)
    if session is not None:
        await parts.sessions.end(session, now)
    enrols = bool(set(attempt.account.roles) & set(parts.settings.second_factor_roles))
    token, fresh = await parts.sessions.begin(attempt.account, now, enrols=enrols)
    answer = await (ask(request, fresh, way=way) if fresh.second_factor_due else go_on(request, way, fresh))
    set_cookie(answer, parts, token)
    return answer


async def unlock(request: Request, parts: Parts, session: Session, form: FormData) -> Response:
    """Take the password of a locked screen. Wrong ones count for this screen alone.

    Whoever tries passwords from outside must not keep somebody out of an episode that is open before them.
    """
    way, now = OnTheWay.of_form(form), parts.clock()
    if session.wait_until is not None and session.wait_until > now:
        return await ask(request, session, way=way, error=wrong(Attempt(None, session.wait_until), "", now), status=422)
    if session.issuer is not None or not await parts.accounts.knows(
        session.account.account_id, str(form.get("password", ""))
    ):
        until = await parts.sessions.unlock_failed(session, now)
        return await ask(request, session, way=way, error=wrong(Attempt(None, until), WRONG, now), status=422)
    token = await parts.sessions.unlock(session, now)
    answer = await go_on(request, way, await parts.sessions.of(token, now))
    set_cookie(answer, parts, token)
    return answer


def may_use_password(parts: Parts, account: Account) -> bool:
    """Whether our own passwords are for this account: administrators keep theirs as the way in of last resort."""
    return parts.settings.local_accounts == "everybody" or "administrator" in account.roles


@router.post("/sign-in/code")
async def second_factor(request: Request, visit: Open) -> Response:
    """Take the code of the second factor; or of one that is set up now, because the person's role needs it."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    parts, session, way = visit.parts, await session_of(request), OnTheWay.of_form(form)
    if session is None or not session.second_factor_due:
        return RedirectResponse("/sign-in", 303)
    await check_form_token(request, session.form_token)
    now, mine, code = parts.clock(), session.account.account_id, str(form.get("code", ""))[:16]
    if not session.account.has_second_factor:
        secret = str(form.get("secret", ""))
        if not SECRET.fullmatch(secret) or fitting_step(secret, code, now) is None:
            return await ask(request, session, way=way, secret=secret, error=WRONG_CODE, status=422)
        await parts.accounts.set_second_factor(mine, secret)
    attempt = await parts.accounts.check_code(mine, code, now)
    if attempt.account is None:
        parts.limits.wrong.count(address_of(request), now)
        return await ask(request, session, way=way, error=wrong(attempt, WRONG_CODE, now), status=422)
    token = await parts.sessions.second_factor_given(session, now)
    answer = await go_on(request, way, await parts.sessions.of(token, now))
    set_cookie(answer, parts, token)
    return answer


@router.post("/lock")
async def lock(request: Request, visit: Own) -> Response:
    """Lock the screen: the session stays, the password is asked for."""
    assert visit.session is not None
    await visit.parts.sessions.lock(visit.session, visit.parts.clock())
    visit.parts.lately.forget(visit.session.token_hash)
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    return RedirectResponse(f"/sign-in?to={quote(local(str(form.get('to', '/'))))}", 303)


async def interrupted(request: Request, needed: SignInNeeded) -> Response:
    """What a request gets whose person must sign in first: a form that was sent is kept within the page."""
    if request.method in ("GET", "HEAD"):
        place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?to={quote(place)}" if place != "/" else "/sign-in", 303)
    form = await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS)
    kept = {name: values for name, values in as_fields(form.multi_items()).items() if name != FORM_TOKEN}
    parts = parts_of(request)
    had = needed.session.account.account_id if needed.session is not None else ""
    if token := request.cookies.get(cookie_name(parts), ""):
        had = had or await parts.sessions.whose(token)
    way = OnTheWay(kept=json.dumps(kept), resume=request.url.path, of=had)
    return await ask(request, needed.session, way=way, status=401)


async def ask(
    request: Request,
    session: Session | None,
    *,
    way: OnTheWay,
    status: int = 200,
    error: str = "",
    name: str = "",
    secret: str = "",
) -> Response:
    """The page that asks for what is still missing: name and password, the password alone, or the code."""
    parts, missing, form_token = parts_of(request), missing_of(session), _token(session)
    provider = parts.provider.name if parts.provider is not None else ""
    mine = session.account.account_id if session is not None else ""
    by_provider = session is not None and session.issuer is not None
    if wants_json(request):
        told = {"missing": missing, "error": error, "form_token": form_token, "account": mine, "provider": provider}
        return JSONResponse({**told, "by_provider": by_provider}, status)
    if missing == "enrolment":
        secret = secret if SECRET.fullmatch(secret) else new_secret()
    return await page(
        request, "sign_in.html", status=status, missing=missing, form_token=form_token, way=way, error=error, name=name,
        account=session.account.name if session else "", provider=provider, by_provider=by_provider, secret=secret,
        picture=picture(secret, mine) if missing == "enrolment" else "",
        passwords=parts.settings.local_accounts == "everybody",
    )  # fmt: skip


def missing_of(session: Session | None) -> str:
    """What a session still owes; empty for one that may be used."""
    if session is None:
        return "account"
    if session.second_factor_due:
        return "code" if session.account.has_second_factor else "enrolment"
    return "password" if session.locked_at is not None else ""


async def go_on(request: Request, way: OnTheWay, session: Session | None) -> Response:
    """Back to where one was; with a form that waited, the form, unless it was somebody else's."""
    request.state.session = session
    account_id = session.account.account_id if session is not None else ""
    if wants_json(request):
        return JSONResponse({"missing": "", "error": "", "form_token": _token(session), "account": account_id})
    resume = local(way.resume)
    if way.kept and way.of in ("", account_id) and resume != "/" and len(way.kept) <= LONGEST_KEPT:
        fields = fields_of(way.kept)
        return await page(
            request, "resume.html", fields=fields, told=told_of(fields), resume=resume, back=back_of(resume),
            form_token=_token(session),
        )  # fmt: skip
    return RedirectResponse(local(way.to), 303)


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
