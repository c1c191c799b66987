"""What waits for a second signature: what was decided or left out, by whom and why; signed in place."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from audit.board import Board, Climbing
from protocol.chronicle import event_of
from protocol.events import DecisionRecorded, StepSkipped
from protocol.readers import waits_for_signature
from web.access import authorize
from web.board import signature_kinds
from web.errors import WebError
from web.guard import May
from web.looks import SHOWN, Visit, shows
from web.pages import page
from web.parts import Parts
from web.people import names_of
from web.seen import Seen, see

router = APIRouter(include_in_schema=False)

MOST = 20


@router.get("/signatures")
async def signatures(request: Request, visit: Annotated[Visit, Depends(May("board.read", SHOWN))]) -> Response:
    """The page, the first due first."""
    parts = visit.parts
    waiting = await Board(parts.database).owed_of(await signature_kinds(parts), MOST)
    each = {due.episode_id: due for due in waiting}.values()
    found = [one for some in await asyncio.gather(*(subjects(parts, due) for due in each)) for one in some]
    await shows(visit, ((one["due"].episode_id, one["due"].client_ref) for one in found))
    return await page(
        request,
        "signatures.html",
        found=found,
        names=await names_of(parts),
        known=await parts.clients.names(one["due"].client_ref for one in found),
        may_sign=authorize(visit.actor, "episode.act"),
    )


async def subjects(parts: Parts, due: Climbing) -> list[dict[str, Any]]:
    """What waits in one episode; nothing where it can't be seen now."""
    try:
        seen = await see(parts, due.episode_id)
    except WebError:
        return []
    return [
        {"due": due, "subject": name, "revision": seen.episode.revision, **await said(parts, seen, name)}
        for name in waits_for_signature(seen.episode)
    ]


async def said(parts: Parts, seen: Seen, subject: str) -> dict[str, Any]:
    """What was decided, or why a step was left out, as the trail has it."""
    episode, words = seen.episode, seen.words
    record = episode.decisions.get(subject) or episode.steps.get(subject)
    told: dict[str, Any] = {"title": subject, "what": "", "why": "", "advised": "", "by": "", "at": None, "facts": []}
    if record is None:
        return told
    rows = await parts.queries.trail_rows(episode.episode_id, record.sequence - 1, 1)
    event = event_of(rows[0]) if rows and rows[0].payload is not None else None
    told |= {"by": record.by, "at": record.at}
    if isinstance(event, DecisionRecorded):
        advised = words.option(subject, event.advised) if event.advised not in (None, event.option) else ""
        what = words.option(subject, event.option)
        told |= {"title": words.decision(subject), "what": what, "why": event.rationale, "advised": advised}
        facts = seen.program.spec.facts
        told["facts"] = [(facts[name].ask if name in facts else name, value) for name, value in event.seen.items()]
    elif isinstance(event, StepSkipped):
        told |= {"title": words.step(subject), "what": "Left out", "why": event.reason}
    return told
