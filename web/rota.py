"""The rota: who answers now, who is away and who stands in, and hours at which nobody would answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from protocol.roster import gaps
from protocol.rota import resolve
from protocol.words import plain
from web.effective import effective
from web.guard import May, Visit
from web.pages import page

router = APIRouter(include_in_schema=False)

AHEAD = timedelta(days=14)
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
        gaps=gaps(known, tuple((await effective(visit.parts)).values()), now, now + AHEAD)[:MOST_GAPS],
        days=AHEAD.days,
    )
