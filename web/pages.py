"""Pages from templates: what every page gets, and the words for times."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from practice.sessions import IDLE, Session
from protocol import saying
from protocol.local_time import show_span, show_time
from protocol.words import plain, unquoted
from web.access import Actor
from web.guard import FORM_TOKEN, records_are_away, session_of
from web.masking import answer, masked
from web.navigation import navigation, topic_of
from web.parts import Parts, parts_of
from web.shield import MOST_BYTES

HERE = Path(__file__).parent
METHODS = frozenset(dir(dict))
STATIC = HERE / "static"


class Templates(Environment):
    """What templates mostly ask are keys of plain objects, and `jinja2` first tries each as an attribute."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The value of that key, but never in place of a method."""
        if type(obj) is not dict or attribute in METHODS:
            return super().getattr(obj, attribute)
        try:
            return cast("dict[str, Any]", obj)[attribute]
        except KeyError:
            return self.undefined(obj=obj, name=attribute)


@cache
def environment() -> Environment:
    """The templates, read once."""
    made = Templates(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared: dict[str, Any] = {"asset": asset, "form_token_field": FORM_TOKEN, "fresh_key": fresh_key}
    shared |= {"most_bytes": MOST_BYTES, "idle_seconds": int(IDLE.total_seconds()), "cases": saying.cases, "span": span}
    made.globals.update(shared)
    made.filters["plain"] = plain
    made.filters["coded"] = coded
    made.filters["unquoted"] = unquoted
    return made


def coded(text: str) -> Markup:
    """Text in which commands stand between backticks."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(one) if place % 2 else one for place, one in enumerate(parts)
    )


def span(seconds: int) -> str:
    """`2 h 30 min`."""
    return show_span(timedelta(seconds=seconds))


SHOWN = 2
"""Parts of such a note that stand open: on a phone, whom to call stands below it."""


def fresh_key() -> str:
    """The key of one form: sent twice, it is the same command."""
    return secrets.token_hex(16)


@cache
def asset(name: str) -> str:
    """The address of a static file, which changes with its content so that browsers may keep it for good."""
    content = (STATIC / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


async def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page for whoever is signed in."""
    parts, session = parts_of(request), await session_of(request)
    usable = session is not None and session.usable and not records_are_away(request)
    actor = Actor(session.account.account_id, session.account.name, session.account.roles) if session else None
    known: dict[str, Any] = {
        "person": {"id": actor.account_id, "name": actor.name, "role": ", ".join(plain(role) for role in actor.roles)}
        if actor is not None and usable
        else None,
        "nav": navigation(actor, request.url.path) if usable else [],
        "topic": topic_of(request.url.path),
        "flash": None if "x-live" in request.headers else said(parts, session),  # a script shows only parts of it
        "form_token": session.form_token if session is not None else "",
    }
    return answer(request, bare(request, template, {**known, **context}), status)


def bare(request: Request, template: str, context: Mapping[str, Any]) -> str:
    """A page as text, of what stands in `context` alone: asks no database, knows nobody."""
    parts = parts_of(request)
    now = parts.clock()
    shared: dict[str, Any] = {
        "csp_nonce": request.state.nonce,
        "now": now,
        "theme": request.cookies.get("theme", ""),
        "when": partial(when, parts, now),
        "left": partial(left, now),
        "silent_since": parts.engine.silent_since,
    }
    shown = {**shared, **context}
    shown["form_token"] = masked(shown.get("form_token", ""))
    return environment().get_template(template).render(shown)


def said(parts: Parts, session: Session | None) -> dict[str, Any] | None:
    """What the last act of this session brought about, once: the first of it, and the rest to unfold."""
    lines = parts.fresh.said(session.token_hash) if session is not None and session.usable else []
    return {"kind": "good", "text": " · ".join(lines[:SHOWN]), "more": lines[SHOWN:]} if lines else None


def when(parts: Parts, now: datetime, moment: datetime) -> str:
    """`14:05`, with the day where it is another one; local to the practice."""
    return show_time(moment.replace(second=0, microsecond=0), parts.zone, now)


def left(now: datetime, moment: datetime) -> str:
    """`12 min left` or `5 min overdue`."""
    span = moment - now
    return f"{show_span(span)} {'left' if span.total_seconds() > 0 else 'overdue'}"
