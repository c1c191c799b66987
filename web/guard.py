"""Every route says what it needs; here it is asked for, together with the form's token."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable
from typing import cast

from fastapi import APIRouter
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection, Request

from practice.sessions import Session
from web.access import ABOUT_CLIENTS, NOWHERE, Action, Actor, Target, authorize
from web.errors import Denied, FormTooOld, RecordsAway, SignInNeeded, TooOften
from web.looks import NOTHING, Reads, Visit, begin
from web.masking import unmasked
from web.parts import Parts, parts_of
from web.relations import relation_to

SAFE = frozenset({"GET", "HEAD"})
FORM_TOKEN = "form_token"  # noqa: S105 - the name of a field
MOST_FIELDS = 400
MOST_FILES = 1
RECORDS_SECONDS = 4.0
"""How long it is asked who somebody is before the records count as away."""
WITHOUT_RECORDS: frozenset[Action] = frozenset({"public", "episode.emergency"})
"""What goes on while the records are away: nothing that shows anything or that an ended session could harm."""


class May:
    """Lets a request in when its person may do the action, and writes down what it shows of a client.

    A dependency of every route. `reads` must be said where clients are touched.
    """

    def __init__(self, action: Action, reads: Reads | None = None) -> None:
        self.action: Action = action
        self.reads = reads

    async def __call__(self, request: Request) -> Visit:
        """Raises SignInNeeded, FormTooOld, Denied, RecordsAway, Unwritten."""
        parts = parts_of(request)
        session = await session_of(request)
        away = records_are_away(request)
        if away and (session is None or self.action not in WITHOUT_RECORDS):
            raise RecordsAway
        if session is None or not session.usable:
            raise SignInNeeded(session)
        if request.method not in SAFE:
            await check_form_token(request, session.form_token)
        account = session.account
        actor = Actor(account.account_id, account.name, account.roles)
        target = NOWHERE
        if request.path_params and not away:
            target = await relation_to(parts, actor, request.path_params)
        if not authorize(actor, self.action, target):
            raise Denied
        return await self.visit(request, actor, session, target, away=away)

    async def visit(
        self, request: Request, actor: Actor, session: Session | None, target: Target, *, away: bool = False
    ) -> Visit:
        """The visit of somebody who may; that they look is written down. Raises TooOften, Unwritten."""
        parts = parts_of(request)
        if parts.limits.may_ask(actor.account_id, self.action, parts.clock()) is not None:
            raise TooOften
        made = Visit(
            *(parts, actor, session, target),
            *(self.reads or NOTHING, request.scope["route"].path, "x-live" in request.headers, away),
        )
        await begin(made, request.path_params)
        return made


class Anybody(May):
    """For the few routes that need nobody signed in."""

    def __init__(self) -> None:
        super().__init__("public")

    async def __call__(self, request: Request) -> Visit:
        """Let everybody in."""
        return Visit(parts_of(request), Actor("", "", ()), await session_of(request), NOWHERE)


def address_of(connection: HTTPConnection) -> str:
    """Where a request comes from, as far as the proxies of the settings say so."""
    return connection.client.host if connection.client is not None else ""


def cookie_name(parts: Parts) -> str:
    """The session's cookie; over TLS its name keeps other hosts from setting it."""
    return "__Host-holdfast" if parts.settings.base_url.startswith("https:") else "holdfast"


async def session_of(connection: HTTPConnection) -> Session | None:
    """The session of a request, looked up once; None without one. Without the records, as it was a moment ago."""
    if not hasattr(connection.state, "session"):
        parts = parts_of(connection)
        token = connection.cookies.get(cookie_name(parts), "")
        connection.state.session = await _looked_up(connection, parts, token) if token else None
    session: Session | None = connection.state.session
    return session


def records_are_away(connection: HTTPConnection) -> bool:
    """Whether the records did not say whose session this is."""
    return bool(getattr(connection.state, "records_away", False))


async def _looked_up(connection: HTTPConnection, parts: Parts, token: str) -> Session | None:
    by_itself = connection.url.path == "/live" or "x-live" in connection.headers
    now = parts.clock()
    try:
        async with asyncio.timeout(RECORDS_SECONDS):
            found = await parts.sessions.of(token, now, by_itself=by_itself)
    except (SQLAlchemyError, TimeoutError):
        connection.state.records_away = True
        return parts.lately.of(token, now)
    parts.lately.note(token, found, now)
    return found


async def check_form_token(request: Request, expected: str) -> None:
    """Raises FormTooOld unless the form, or the header that scripts set, carries the session's token."""
    given = request.headers.get("x-form-token")
    if given is None:
        form = await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS)
        given = str(form.get(FORM_TOKEN, ""))
    if not hmac.compare_digest(unmasked(given).encode(), expected.encode()):
        raise FormTooOld


def guard_of(route: APIRoute) -> May | None:
    """The guard of a route; None when it has none, or several."""
    calls = (cast(object, one.call) for one in route.dependant.dependencies)
    found = [call for call in calls if isinstance(call, May)]
    return found[0] if len(found) == 1 else None


def needs(route: APIRoute) -> Action | None:
    """What a route needs; None when it does not say."""
    guard = guard_of(route)
    return guard.action if guard is not None else None


def touches_clients(route: APIRoute) -> bool:
    """Whether a route may show something of a client, so that it must say what."""
    return needs(route) in ABOUT_CLIENTS or any(f"{{{name}" in route.path for name in ("episode_id", "client_ref"))


def routes_of(routers: Iterable[APIRouter]) -> list[APIRoute]:
    """Every route of these routers.

    Raises RuntimeError for one that does not say, once, what it needs; or that touches clients and not what it reads.
    """
    routes = [route for router in routers for route in router.routes]
    for route in routes:
        guard = guard_of(route) if isinstance(route, APIRoute) else None
        if not isinstance(route, APIRoute) or guard is None:
            raise RuntimeError(f"{getattr(route, 'path', route)}: say what it needs with Depends(May(…))")
        if guard.reads is None and touches_clients(route):
            raise RuntimeError(f"{route.path}: say what it shows of clients with May(…, reads): see web/looks.py")
    return [route for route in routes if isinstance(route, APIRoute)]
