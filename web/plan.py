"""The safety plan: its parts as the protocol asks for them, every version, a shared screen, and the client's copy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typst
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from protocol.chronicle import event_of
from protocol.directory import retired_mentions
from protocol.episode import Episode, OpenObligation
from protocol.events import StepCompleted
from protocol.evolve import evolve
from protocol.local_time import show_day
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow
from protocol.words import Words
from web.access import authorize
from web.errors import NotThere
from web.guard import May, Visit
from web.looks import EXPORTED, ITS_EPISODE, look, note
from web.pages import page
from web.people import names_of
from web.seen import MOST_ROWS, Seen, see

router = APIRouter(include_in_schema=False)
Reader = Annotated[Visit, Depends(May("episode.read", ITS_EPISODE))]
Copier = Annotated[Visit, Depends(May("episode.export", EXPORTED))]

COPY = (Path(__file__).parent / "templates" / "plan.typ").read_bytes()


@dataclass(frozen=True, slots=True)
class Version:
    """The plan as it stood when somebody completed it."""

    number: int
    at: datetime
    by: str
    parts: tuple[dict[str, Any], ...]


@router.get("/episodes/{episode_id}/plan")
async def plan(request: Request, visit: Reader, episode_id: str) -> Response:
    """The plan with its versions, for the staff."""
    seen, versions = await plan_of(visit, episode_id)
    steps = steps_of(seen.program.spec)
    text = "\n".join(line for part in parts_of(seen) for line in part["lines"])
    return await page(
        request,
        "plan.html",
        episode=seen.episode,
        client=await visit.parts.clients.get(seen.episode.client_ref),
        parts=parts_of(seen),
        versions=list(reversed(versions)),
        names=await names_of(visit.parts),
        kept_back=kept_back(seen),
        may_copy=authorize(visit.actor, "episode.export", visit.target),
        may_rescue=authorize(visit.actor, "episode.emergency", visit.target) and seen.episode.closed_at is None,
        may_act=authorize(visit.actor, "episode.act", visit.target) and seen.episode.closed_at is None,
        reviews=[(seen.words.obligation(one.obligation), one.due_at) for one in owed_of(seen, steps)],
        retired=retired_mentions(visit.parts.directory, text),
        steps=[(name, seen.words.step(name)) for name in steps],
    )


@router.get("/episodes/{episode_id}/plan/shared")
async def shared(request: Request, visit: Reader, episode_id: str) -> Response:
    """The plan alone, large, for a shared screen: no name, no number of the episode, a way out at once."""
    seen, versions = await plan_of(visit, episode_id)
    if kept_back(seen):
        raise NotThere
    return await page(
        request,
        "plan_shared.html",
        parts=parts_of(seen),
        dated=_dated(seen, versions),
        back=f"/episodes/{episode_id}/plan",
    )


@router.get("/episodes/{episode_id}/plan.pdf")
async def copy(visit: Copier, episode_id: str) -> Response:
    """The client's copy."""
    return await client_copy(visit, episode_id)


async def client_copy(visit: Visit, episode_id: str) -> Response:
    """The client's copy as PDF. That it was made is written down first. Raises NotThere."""
    seen, versions = await plan_of(visit, episode_id)
    if not versions or kept_back(seen):
        raise NotThere
    await note(visit, look(visit, episode_id, purpose="client's copy", to="the client", of="safety plan"))
    document = {"title": "My safety plan", "dated": _dated(seen, versions), "parts": parts_of(seen)}
    made = await asyncio.to_thread(pdf, document)
    return Response(made, media_type="application/pdf", headers={"Content-Disposition": 'inline; filename="plan.pdf"'})


async def plan_of(visit: Visit, episode_id: str) -> tuple[Seen, list[Version]]:
    """The episode and every version of its plan. Raises NotThere where the protocol has none."""
    seen = await see(visit.parts, episode_id)
    if not steps_of(seen.program.spec):
        raise NotThere
    rows = await visit.parts.queries.trail_rows(episode_id, limit=MOST_ROWS)
    return seen, list(versions_in(seen.program.spec, rows))


def steps_of(spec: ProtocolSpec) -> tuple[str, ...]:
    """The steps that write and go through the plan; none where the protocol has no plan."""
    told = spec.pages.plan
    return () if told is None else (told.written_in, *told.reviewed_in)


def owed_of(seen: Seen, steps: Collection[str]) -> list[OpenObligation]:
    """What is owed that one of these steps ends."""
    declared = seen.program.spec.obligations
    return [
        one
        for one in seen.episode.obligations.values()
        if one.obligation in declared and any(proof.done in steps for proof in declared[one.obligation].met_by)
    ]


def versions_in(spec: ProtocolSpec, rows: Sequence[TrailRow]) -> Iterator[Version]:
    """Each time that somebody completed the plan or its review."""
    episode: Episode | None = None
    steps, number = steps_of(spec), 0
    for row in rows:
        if row.payload is None:
            return
        event = event_of(row)
        episode = evolve(episode, event)
        if isinstance(event, StepCompleted) and event.step in steps:
            number += 1
            yield Version(number, event.at, row.actor, tuple(_parts(spec, Words(spec), episode)))


def parts_of(seen: Seen) -> list[dict[str, Any]]:
    """The parts of the plan as they stand."""
    return list(_parts(seen.program.spec, seen.words, seen.episode))


def _parts(spec: ProtocolSpec, words: Words, episode: Episode) -> Iterator[dict[str, Any]]:
    if spec.pages.plan is None:
        return
    step = spec.steps[spec.pages.plan.written_in]
    for name in (*step.form, *step.optional):
        fact, known = spec.facts[name], episode.facts.get(name)
        if fact.type == "text":
            value = known.value if known is not None and isinstance(known.value, str) else ""
            title = fact.ask.lstrip("0123456789. ") or fact.ask
            yield {"title": title, "lines": [line.strip() for line in value.splitlines() if line.strip()]}


def kept_back(seen: Seen) -> bool:
    """Whether the plan must not be shown or handed out where somebody else could see it."""
    told = seen.program.spec.pages.plan
    if told is None or told.kept_back is None:
        return False
    return seen.program.readers.predicate(told.kept_back)(seen.episode)


def _dated(seen: Seen, versions: Sequence[Version]) -> str:
    return f"{show_day(versions[-1].at, seen.words.zone)}, version {versions[-1].number}" if versions else ""


def pdf(document: Mapping[str, Any]) -> bytes:
    """The client's copy as a tagged PDF on one page or two; what was typed stands in it as text, never as markup."""
    return typst.compile(COPY, sys_inputs={"plan": json.dumps(document)}, pdf_standards=["ua-1"])
