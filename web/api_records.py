"""The supervisor's board, insight, and the auditor's replay through the API."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import Query
from starlette.responses import JSONResponse

from audit.board import Board
from audit.history import HistoryError, history
from audit.trends import trends
from practice.roster_gaps import RosterGaps
from practice.wellbeing import flags
from web.api_commands import given
from web.api_guard import call
from web.api_routes import EpisodeId, api_router
from web.board import LEVEL, ROWS, Asked, signature_kinds
from web.errors import NotThere
from web.guard import Visit
from web.looks import REPLAYED, SHOWN, shows

router = api_router()


@router.get("/board")
async def board(
    visit: Annotated[Visit, call("board.read", SHOWN)],
    owner: Annotated[str, Query(max_length=64)] = "",
    level: Annotated[str, Query(pattern=LEVEL)] = "",
    late: bool = False,
    drills: bool = True,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> JSONResponse:
    """Open episodes by risk and lateness, ladders that climb, waiting signatures, gaps of the rota, load."""
    parts, now, records = visit.parts, visit.parts.clock(), Board(visit.parts.database)
    watch = Asked(owner, level, "1" if late else "", "" if drills else "0", page).watch
    (rows, total), totals, loads, climbing = await asyncio.gather(
        records.page(watch, now, page, ROWS), records.totals(now), records.loads(now), records.climbing(now)
    )
    waiting = await records.owed_of(await signature_kinds(parts))
    gaps = await RosterGaps(parts.database).ahead(now)
    silent, _ = await records.silent(now, parts.engine.stopped, ROWS)
    await shows(visit, ((one.episode_id, one.client_ref) for one in (*rows, *climbing, *waiting, *silent)))
    told = {
        "total": total,
        "totals": totals,
        "episodes": rows,
        "climbing": climbing,
        "signatures": waiting,
        "gaps": gaps,
        "silent": silent,
        "load": [{**asdict(one), "flags": flags(one, now)} for one in loads],
    }
    return given(told)


@router.get("/insight")
async def insight(visit: Annotated[Visit, call("insight.read")]) -> JSONResponse:
    """A year of the program without anybody in it; null where a number is too small to be told."""
    return given(asdict(await trends(visit.parts.database, visit.parts.clock())))


@router.get("/audit/episodes/{episode_id}")
async def replay(visit: Annotated[Visit, call("audit.read", REPLAYED)], episode_id: EpisodeId) -> JSONResponse:
    """An episode read from the records alone, every decision made anew: its entries, what it missed, what differs."""
    try:
        told = await history(visit.parts.database, visit.parts.ring, episode_id, visit.parts.witness)
    except HistoryError:
        raise NotThere from None
    entries = [{"sequence": one.sequence, "at": one.known_at, "actor": one.actor, "role": one.role,
                "label": one.line.label, "text": one.line.text} for one in told.entries]  # fmt: skip
    return given({"entries": entries, "breaches": told.breaches})
