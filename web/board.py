"""The supervisor's board: every open episode by risk and lateness, ladders that climb, load and well-being."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import ceil
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from audit.board import Board, Load, Watch, Watched
from audit.versions import running
from practice.roster_gaps import RosterGaps
from practice.wellbeing import DUTIES, flags
from protocol.conditions import Guard, tests_in
from protocol.spec import LEVELS, ProtocolSpec
from web.access import authorize
from web.guard import May, Visit
from web.looks import SHOWN, shows
from web.pages import page
from web.parts import Parts
from web.people import names_of
from web.queue import answers_for, mine_of
from web.shelf import UnknownProtocolError

router = APIRouter(include_in_schema=False)

ROWS = 50
LEVEL = f"^({'|'.join(LEVELS)})?$"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for."""

    owner: Annotated[str, Query(max_length=64)] = ""
    level: Annotated[str, Query(pattern=LEVEL)] = ""
    late: Annotated[str, Query(pattern="^(|1)$")] = ""
    drills: Annotated[str, Query(pattern="^(|0)$")] = ""
    page: Annotated[int, Query(ge=1, le=10_000)] = 1

    @property
    def watch(self) -> Watch:
        """The same as the records understand it."""
        return Watch(self.owner, self.level, late=bool(self.late), drills=not self.drills)

    def address(self) -> str:
        """The board with these filters, ready for a page's number."""
        chosen = {name: value for name, value in asdict(self).items() if value and name != "page"}
        return f"/board?{urlencode({**chosen, 'page': ''})}"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's load as a row."""

    name: str
    load: Load
    flags: tuple[str, ...]


@router.get("/board")
async def board(
    request: Request, visit: Annotated[Visit, Depends(May("board.read", SHOWN))], asked: Annotated[Asked, Depends()]
) -> Response:
    """The board; a script asks for it again when the stream says that something changed."""
    parts, now = visit.parts, visit.parts.clock()
    records = Board(parts.database)
    (rows, total), totals, loads, climbing, names = await asyncio.gather(
        records.page(asked.watch, now, asked.page, ROWS),
        records.totals(now),
        records.loads(now),
        records.climbing(now),
        names_of(parts),
    )
    waiting, support, openings, gaps, (silent, silent_count) = await asyncio.gather(
        records.owed_of(await signature_kinds(parts)),
        records.owed_of(DUTIES),
        parts.reach.openings(unreviewed=True),
        RosterGaps(parts.database).ahead(now),
        records.silent(now, parts.engine.stopped),
    )
    named = (*rows, *climbing, *waiting, *support, *silent)
    await shows(visit, ((one.episode_id, one.client_ref) for one in named))
    known = await names_near(visit, ((one.client_ref, one.owner) for one in named))
    people = [Person(names(load.owner), load, flags(load, now)) for load in loads]
    return await page(
        request,
        "board.html",
        asked=asked,
        rows=rows,
        total=total,
        pages=ceil(total / ROWS),
        totals=totals,
        climbing=climbing,
        names=names,
        people=sorted(people, key=lambda one: not one.flags),
        support=support,
        openings=len(openings) if authorize(visit.actor, "access.review") else 0,
        stages=await stage_titles(parts, rows),
        waiting=waiting,
        gaps=gaps,
        silent=silent,
        silent_count=silent_count,
        stopped=parts.engine.stopped,
        owners=[{"value": load.owner, "label": names(load.owner)} for load in loads],
        known=known,
        may_act=authorize(visit.actor, "episode.act"),
    )


async def names_near(visit: Visit, shown: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The names of those clients, each with the owner of the episode, whom one may know; others stay references.

    Seen are all for whoever may read any client; else one's own, those of whom one stands in for, and who one is asked
    to see to.
    """
    parts, actor, shown = visit.parts, visit.actor, list(shown)
    if authorize(actor, "client.read"):
        return await parts.clients.names(client_ref for client_ref, _ in shown)
    people, _ = answers_for(await parts.rota.current(), actor, parts.clock())
    mine = await mine_of(parts, actor)
    near = {one.client_ref for one in (*mine.owed, *mine.asked)} | await parts.reach.carried_by(people, parts.clock())
    return await parts.clients.names(ref for ref, owner in shown if ref in near or owner in people)


async def stage_titles(parts: Parts, rows: tuple[Watched, ...]) -> dict[str, str]:
    """The titles of the stages that the rows stand in, by `hash/stage`."""
    found: dict[str, str] = {}
    for content_hash, stage in {(row.protocol_hash, row.stage) for row in rows}:
        try:
            spec = (await parts.shelf.pinned(content_hash)).spec
        except UnknownProtocolError:
            continue
        if stage in spec.stages:
            found[f"{content_hash}/{stage}"] = spec.stages[stage].title
    return found


async def signature_kinds(parts: Parts) -> list[str]:
    """The obligations that end when nothing waits for a second signature, as the protocols of open episodes say."""
    specs: list[ProtocolSpec] = []
    for content_hash in await running(parts.database):
        with suppress(UnknownProtocolError):
            specs.append((await parts.shelf.pinned(content_hash)).spec)
    return ended_by_signing(specs)


def ended_by_signing(specs: Iterable[ProtocolSpec]) -> list[str]:
    """Of these protocols."""
    kinds = {
        name
        for spec in specs
        for name, duty in spec.obligations.items()
        if any(_reads_signatures(evidence.when) for evidence in duty.met_by)
    }
    return sorted(kinds)


def _reads_signatures(when: Guard | None) -> bool:
    return when is not None and any(test.name == "cosignature" for test in tests_in(when.condition))
