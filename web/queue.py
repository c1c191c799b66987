"""My queue: everything that I owe, overdue first, and what pages have reached me about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from audit.board import SILENT_AFTER
from audit.owing import Due
from protocol.rota import Rota, present_for, resolve
from protocol.spec import LEVELS, RANK
from web.access import Actor
from web.guard import May, Visit
from web.looks import SHOWN, shows
from web.pages import left, page, when
from web.parts import Parts

router = APIRouter(include_in_schema=False)
Reader = Annotated[Visit, Depends(May("queue.read", SHOWN))]

Number = Annotated[int, Query(alias="page", ge=1, le=1_000)]

ROWS = 50
NEAR = timedelta(minutes=30)

Which = Literal["", "late", "today"]


@dataclass(frozen=True)
class Mine:
    """What one person has to see to."""

    owed: tuple[Due, ...]
    asked: tuple[Due, ...]
    """Owed by others; a page asks this person."""


@router.get("/")
async def queue(request: Request, visit: Reader, show: str = "", risk: str = "", number: Number = 1) -> Response:
    """The home page."""
    parts, now = visit.parts, visit.parts.clock()
    mine = await mine_of(parts, visit.actor)
    fitting = [one for one in mine.owed if fits(one, show, risk, now, parts)]
    pages = max(1, ceil(len(fitting) / ROWS))
    shown = fitting[(min(number, pages) - 1) * ROWS :][:ROWS]
    await shows(visit, ((one.episode_id, one.client_ref) for one in (*shown, *mine.asked)))
    known = await parts.clients.names(one.client_ref for one in (*shown, *mine.asked))
    return await page(
        request,
        "queue.html",
        rows=[await row(visit, one, now, known) for one in shown],
        asked=[await row(visit, one, now, known) for one in mine.asked if fits(one, "", risk, now, parts)],
        total=len(mine.owed),
        pages=pages,
        number=min(number, pages),
        late=sum(one.due_at <= now for one in mine.owed),
        show=show if show in ("late", "today") else "",
        risk=risk if risk in LEVELS else "",
        levels=LEVELS[1:],
        stale=await silence(parts, now),
    )


async def mine_of(parts: Parts, actor: Actor) -> Mine:
    """What a person owes now: themselves, for those they stand in for, and in the roles they have on shift."""
    rota = await parts.rota.current()
    people, roles = answers_for(rota, actor, parts.clock())
    owed = await parts.owing.of(people, roles)
    known = {(one.episode_id, one.obligation_id) for one in owed}
    asked = await parts.owing.paged(actor.account_id, parts.clock())
    return Mine(owed, tuple(one for one in asked if (one.episode_id, one.obligation_id) not in known))


def answers_for(rota: Rota, actor: Actor, now: datetime) -> tuple[Sequence[str], Sequence[str]]:
    """The people and the roles for whom somebody answers at a moment."""
    covered = [
        person.id
        for person in rota.people
        if (there := present_for(rota, person, now)) is not None and there.id == actor.account_id != person.id
    ]
    roles = {role for person in rota.people for role in person.roles}
    on_shift = [role for role in sorted(roles) if any(one.id == actor.account_id for one in resolve(rota, role, now))]
    return [actor.account_id, *covered], on_shift


def fits(one: Due, show: str, risk: str, now: datetime, parts: Parts) -> bool:
    """Whether a row passes the filters of the address; an unknown filter filters nothing."""
    if risk in RANK and RANK[one.risk] < RANK[risk]:
        return False
    if show == "late":
        return one.due_at <= now
    if show == "today":
        return one.due_at.astimezone(parts.zone).date() <= now.astimezone(parts.zone).date()
    return True


async def row(visit: Visit, one: Due, now: datetime, known: Mapping[str, str]) -> dict[str, Any]:
    """A row as the page shows it."""
    span = one.due_at - now
    stage = await visit.parts.shelf.stage_title(one.protocol_hash, one.stage)
    quiet = one.lease_until is not None and one.lease_until > now
    before = now - SILENT_AFTER
    passed = (not one.missed and one.due_at < before) or (one.next_page_at is not None and one.next_page_at < before)
    return {
        "href": f"/episodes/{one.episode_id}",
        "episode_id": one.episode_id,
        "obligation_id": one.obligation_id,
        "title": one.title,
        "client": known.get(one.client_ref, one.client_ref),
        "stage": stage,
        "risk": one.risk,
        "drill": one.drill,
        "silent": passed or one.episode_id in visit.parts.engine.stopped,
        "due": one.due_at.isoformat(),
        "due_words": when(visit.parts, now, one.due_at),
        "left": left(now, one.due_at),
        "state": "late" if span <= timedelta(0) else "near" if span <= NEAR else "",
        "role": "" if one.owner_role == "owner" else one.owner_role,
        "quiet_until": when(visit.parts, now, one.lease_until) if quiet and one.lease_until is not None else "",
        "next_page": when(visit.parts, now, one.next_page_at) if one.next_page_at is not None else "",
    }


async def silence(parts: Parts, now: datetime) -> datetime | None:
    """Since when nobody has seen to deadlines, when that is so."""
    if parts.engine.silent_since is not None:
        return None  # the page says that already
    waiting = await parts.queries.unattended(now - SILENT_AFTER, parts.engine.stopped)
    return waiting.since if waiting.count else None


def fingerprint(dues: Iterable[Due]) -> int:
    """A number that changes when a list of these would look different."""
    return hash(tuple(dues))
