"""One stream a tab: says that something on the page has changed. What it is, the page asks for itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import StreamingResponse

from web.access import authorize
from web.guard import May, Visit
from web.queue import fingerprint, mine_of
from web.relations import to_episode

router = APIRouter(include_in_schema=False)

KEEP_ALIVE_SECONDS = 20.0
LONGEST_SECONDS = 15 * 60
"""Then the browser connects anew, and who it is is asked again."""
MOST_STREAMS = 500
NO_EPISODE = ""
CHANGED = "event: changed\ndata: 1\n\n"


@router.get("/live")
async def live(
    visit: Annotated[Visit, Depends(May("self"))],
    episode: str = NO_EPISODE,
    board: bool = False,
    seen: Annotated[int | None, Query(ge=0)] = None,
) -> StreamingResponse:
    """The stream of a tab: `changed` for the list, for the episode, or for the board that it shows.

    `seen`: the last entry of the episode that the tab shows.
    """
    parts = visit.parts
    if episode:
        target = await to_episode(parts, visit.actor, episode)
        if not authorize(visit.actor, "episode.read", target):
            episode = NO_EPISODE
    full = parts.pulse.streams >= MOST_STREAMS
    whole = board and authorize(visit.actor, "board.read")
    told = _full() if full else lines(visit, episode, whole=whole, seen=seen)
    return StreamingResponse(told, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _full() -> AsyncGenerator[str]:
    yield "retry: 60000\n\n"


async def lines(visit: Visit, episode: str, *, whole: bool = False, seen: int | None = None) -> AsyncGenerator[str]:
    """What a tab is told, for as long as it listens; at once when entries came after what it shows."""
    parts = visit.parts
    parts.pulse.streams += 1
    try:
        yield "retry: 2000\n\n"
        number, shown = parts.pulse.number, await _state(visit, episode, whole=whole)
        if episode and seen is not None and await parts.owing.revision(episode) > seen:
            yield CHANGED
        until = asyncio.get_running_loop().time() + LONGEST_SECONDS
        while asyncio.get_running_loop().time() < until:
            number = await parts.pulse.after(number, KEEP_ALIVE_SECONDS)
            state = await _state(visit, episode, whole=whole)
            yield CHANGED if state != shown else ": still here\n\n"
            shown = state
    finally:
        parts.pulse.streams -= 1


async def _state(visit: Visit, episode: str, *, whole: bool) -> int:
    engine = visit.parts.engine
    if whole:
        return hash((visit.parts.pulse.number, engine.silent_since, engine.stopped))
    if episode:
        stopped = episode in engine.stopped
        return hash((await visit.parts.owing.revision(episode), engine.silent_since, stopped))
    mine = await mine_of(visit.parts, visit.actor)
    return hash((fingerprint(mine.owed), fingerprint(mine.asked), engine.silent_since, engine.stopped))
