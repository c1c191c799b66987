"""Opening an episode that is not one's own, in an emergency, with a reason; and the review of such openings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from activities.notices import Notice
from web.errors import NotThere
from web.forms import fields_of
from web.guard import MOST_FIELDS, May, Visit
from web.looks import NOTHING, REPORT, SHOWN, look, note, shows
from web.pages import page
from web.people import names_of
from web.telling import tell_supervisors

router = APIRouter(include_in_schema=False)
Asker = Annotated[Visit, Depends(May("access.break_glass", NOTHING))]
Breaker = Annotated[Visit, Depends(May("access.break_glass", REPORT))]
Reader = Annotated[Visit, Depends(May("access.review", SHOWN))]
Reviewer = Annotated[Visit, Depends(May("access.review", NOTHING))]

SHORTEST_REASON, LONGEST_REASON = 10, 1_000


@router.get("/openings/new/{episode_id}")
async def new(request: Request, visit: Asker, episode_id: str) -> Response:
    """Asks for the reason. Says nothing about the episode, not even whether there is one."""
    return await page(request, "opening.html", of=episode_id, typed="", error="")


@router.post("/openings/new/{episode_id}")
async def break_glass(request: Request, visit: Breaker, episode_id: str) -> Response:
    """Open it for some hours; it is written down at once and listed for review."""
    form = fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())
    reason = form.get("reason", [""])[0].strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        error = f"Say why, in {SHORTEST_REASON} to {LONGEST_REASON} characters"
        return await page(request, "opening.html", status=422, of=episode_id, typed=reason, error=error)
    summary = await visit.parts.queries.get_episode(episode_id)
    if summary is None:
        raise NotThere
    await note(visit, look(visit, episode_id, purpose="emergency opening"))
    _, telling = await opened(visit, summary.client_ref, reason)
    return RedirectResponse(f"/episodes/{episode_id}", 303, background=telling)


async def opened(visit: Visit, client_ref: str, reason: str) -> tuple[str, BackgroundTask]:
    """Open the client; the id of the opening, and what tells a supervisor of it once the answer is out."""
    parts, who = visit.parts, visit.actor.account_id
    access_id = await parts.reach.break_glass(who, client_ref, reason, parts.clock())
    text = (
        f"{visit.actor.name} opened a client of somebody else in an emergency, to look and to call.\n"
        f"The reason stands on the page of openings, which waits for a second person's look:\n"
        f"{parts.settings.base_url}/openings\n"
    )
    notice = Notice(f"opening.{access_id}", "opening.made", "Somebody opened a client in an emergency", text, {})
    return access_id, BackgroundTask(tell_supervisors, parts, notice, but=who)


@router.get("/openings")
async def openings(request: Request, visit: Reader, show: str = "") -> Response:
    """Openings that wait for a review, or all."""
    found = await visit.parts.reach.openings(unreviewed=show != "all")
    await shows(visit, (("", one.client_ref) for one in found))
    return await page(request, "openings.html", openings=found, show=show, names=await names_of(visit.parts))


@router.post("/openings/{access_id}/review")
async def review(visit: Reviewer, access_id: str) -> Response:
    """Note that one has looked at it; nobody reviews their own."""
    await visit.parts.reach.review(access_id, visit.actor.account_id, visit.parts.clock())
    return RedirectResponse("/openings", 303)
