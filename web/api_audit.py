"""The API for auditors: what the pages under /audit show. Scope `audit.read`; every call leaves its row."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Query
from starlette.responses import JSONResponse

from audit.access import Access, What, count, looked
from audit.search import search
from web.api_commands import given
from web.api_guard import call
from web.api_routes import api_router
from web.looked import LookedAsked
from web.looks import SEARCHED, SHOWN, Visit, look, note, shows
from web.search import SearchAsked

router = api_router("/audit")

Searcher = Annotated[Visit, call("audit.read", SEARCHED)]
ROWS = 200


@router.get("/episodes")
async def episodes(
    visit: Annotated[Visit, call("audit.read", SHOWN)], asked: Annotated[SearchAsked, Query()]
) -> JSONResponse:
    """Episodes by client, therapist, protocol, missed deadline and period, the latest first; 200 a page."""
    parts = visit.parts
    answer = await search(
        parts.database, parts.ring, asked.wanted(parts.zone), limit=ROWS, skip=(asked.page - 1) * ROWS
    )
    await shows(visit, ((one.episode_id, one.client_ref) for one in answer.found))
    return given(
        {"episodes": [asdict(one) for one in answer.found], "total": answer.total, "unreadable": answer.unreadable}
    )


@router.get("/access")
async def access(visit: Searcher, asked: Annotated[LookedAsked, Query()]) -> JSONResponse:
    """Who looked at whom, the latest first; 200 a page."""
    return await _looked(visit, asked, "looks")


@router.get("/disclosures")
async def disclosures(visit: Searcher, asked: Annotated[LookedAsked, Query()]) -> JSONResponse:
    """What was handed out: recipient, purpose, hash, what was withheld; the latest first; 200 a page."""
    return await _looked(visit, asked, "disclosures", "exported")


async def _looked(visit: Visit, asked: LookedAsked, name: str, what: What | None = None) -> JSONResponse:
    await note(visit, look(visit, asked.episode or "", asked.client or "", asked=asked.filters))
    sought = asked.sought(visit, what=what)
    found = await looked(visit.parts.database, sought, ROWS, (asked.page - 1) * ROWS)
    return given({name: [_told(one) for one in found], "total": await count(visit.parts.database, sought)})


def _told(one: Access) -> dict[str, object]:
    return {**asdict(one), "detail": dict(one.detail)}
