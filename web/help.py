"""Help, the paper fallback, and the gallery of components."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from protocol.directory import look_up
from protocol.script import spoken
from web.effective import to_print
from web.errors import NotThere
from web.guard import Anybody, May, Visit
from web.pages import page
from web.records_away import numbers_at_hand

router = APIRouter(include_in_schema=False)
Anyone = Annotated[Visit, Depends(May("self"))]


@router.get("/help")
async def help_page(request: Request, visit: Anyone) -> Response:
    """What each page is for, the keys, and the words."""
    return await page(request, "help.html")


@router.get("/paper")
async def paper(request: Request, visit: Annotated[Visit, Depends(Anybody())]) -> Response:
    """A sheet to print and keep: what to ask, what to say, whom to call, for when the screen is dark.

    For everybody, and without the records: it names nobody.
    """
    spec = await to_print(visit.parts)
    directory = await numbers_at_hand(visit.parts)
    today = visit.parts.clock().astimezone(visit.parts.zone).date()
    guidance = look_up(directory, None, today, life_in_danger=True)
    lines = [(directory.counties[one.county].title, one) for one in directory.resources.values() if one.county]
    return await page(
        request,
        "paper.html",
        spec=spec,
        script=spoken(spec, {}),
        guidance=guidance,
        lines=sorted(lines, key=lambda one: one[0]),
        today=today,
    )


@router.get("/gallery")
async def gallery(request: Request, visit: Anyone) -> Response:
    """Every component in every state; on the embedded stack only."""
    if visit.parts.settings.mode != "embedded":
        raise NotThere
    return await page(request, "gallery.html")
