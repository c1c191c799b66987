"""The rota: who answers now, who is away and who stands in, and hours at which nobody would answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from protocol.rota import Rota, resolve
from protocol.words import plain
from web.guard import May, Visit
from web.pages import page

router = APIRouter(include_in_schema=False)

AHEAD = timedelta(days=14)
STEP = timedelta(hours=1)
MOST_GAPS = 20


@router.get("/rota")
async def rota(request: Request, visit: Annotated[Visit, Depends(May("directory.read"))]) -> Response:
    """The page."""
    now, known = visit.parts.clock(), await visit.parts.rota.current()
    today = now.astimezone(visit.parts.zone).date()
    roles = sorted({role for person in known.people for role in person.roles})
    on_leave = [leave for leave in known.leave if leave.last >= today]
    return await page(
        request,
        "rota.html",
        answering=[(plain(role).capitalize(), resolve(known, role, now)) for role in roles],
        leave=sorted(on_leave, key=lambda one: (one.first, one.person)),
        people=known.by_id,
        today=today,
        gaps=list(gaps(known, now))[:MOST_GAPS],
        days=AHEAD.days,
    )


def gaps(known: Rota, now: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    """Roles with shifts at which nobody answers, looked at by the hour: role, from, until (aware UTC)."""
    start = now.replace(minute=0, second=0, microsecond=0)
    hours = [start + STEP * number for number in range(int(AHEAD / STEP))]
    for role in sorted(known.shifts_of):
        began: datetime | None = None
        for hour in (*hours, None):
            empty = hour is not None and not resolve(known, role, hour)
            if empty and began is None:
                began = hour
            elif not empty and began is not None:
                yield plain(role).capitalize(), began, hour or hours[-1] + STEP
                began = None
