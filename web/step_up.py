"""Step-up of care: the decision with its criteria and the facts behind it, then the search until admission."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from practice.facilities import KINDS, Kept
from protocol import saying
from protocol.words import cited
from web.errors import NotThere
from web.face import Look, advice, banner, duty
from web.guard import May, Visit
from web.looks import ITS_EPISODE
from web.pages import fresh_key, page
from web.people import names_of
from web.seen import Seen, see

router = APIRouter(include_in_schema=False)

DECISION = "step_up"
STEPS = (
    "level_of_care",
    "facility_search",
    "alternatives_review",
    "interim_plan",
    "admission",
    "psychiatric_evaluation",
)
"""The way from the criteria to the admission, as our protocols name its steps; those that a protocol has are shown."""
HIGHER = ("php", "crisis_residential", "detox", "hospital")
COUNTY = "present_county"
MOST_FACILITIES = 30


@router.get("/episodes/{episode_id}/step-up")
async def step_up(
    request: Request, visit: Annotated[Visit, Depends(May("episode.read", ITS_EPISODE))], episode_id: str
) -> Response:
    """The page."""
    parts, now = visit.parts, visit.parts.clock()
    seen = await see(parts, episode_id)
    spec = seen.program.spec
    decision = spec.decisions.get(DECISION)
    if decision is None:
        raise NotThere
    names = await names_of(parts)
    look = Look(seen, await parts.numbers.current(parts.directory), names, now)
    client = await parts.clients.get(seen.episode.client_ref)
    kept = await parts.facilities.listed()
    return await page(
        request,
        "step_up.html",
        episode=seen.episode,
        client=client,
        banner=banner(look)[:4],
        decision=decision,
        source=cited(decision.source),
        advice=advice(look, DECISION),
        rows=list(rules(seen)),
        facts=list(answered(seen, decision.shows)),
        record=seen.episode.decisions.get(DECISION),
        options=[{"value": name, "label": option.title} for name, option in decision.options.items()],
        steps=list(stations(look)),
        duties=[duty(look, one) for one in seen.episode.obligations.values() if _about(seen, one.obligation)],
        facilities=nearest(kept, seen)[:MOST_FACILITIES],
        kinds=KINDS,
        today=now.astimezone(parts.zone).date(),
        names=names,
        key=fresh_key(),
    )


def rules(seen: Seen) -> Iterator[dict[str, Any]]:
    """The rows of the advising table in words; those that lead to what is advised now are marked."""
    spec = seen.program.spec
    table = spec.decisions[DECISION].advice
    if table is None:
        return
    outcome = seen.program.readers.reader(table)(seen.episode)
    for row in spec.tables[table].rows:
        yield {
            "then": spec.decisions[DECISION].options[row.then].title,
            "because": row.because,
            "when": saying.condition(row.when.condition),
            "holds": row.then == outcome,
        }


def answered(seen: Seen, facts: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Facts with their answers; what is not known says so."""
    for name in facts:
        known = seen.episode.facts.get(name)
        answer = seen.words.answer(known.value) if known is not None else ""
        yield {"ask": seen.program.spec.facts[name].ask, "answer": answer}


def stations(look: Look) -> Iterator[dict[str, Any]]:
    """The steps between the decision and the admission, with what was written in each."""
    spec, episode = look.seen.program.spec, look.seen.episode
    for name in STEPS:
        step = spec.steps.get(name)
        if step is None:
            continue
        record = episode.steps.get(name)
        yield {
            "name": name,
            "title": step.title,
            "purpose": step.purpose or "",
            "done": look.at(record.at) if record is not None and record.status == "done" else "",
            "answers": [one for one in answered(look.seen, (*step.form, *step.optional)) if one["answer"]],
        }


def _about(seen: Seen, kind: str) -> bool:
    """Whether an obligation is met by one of these steps or by the decision."""
    duty_spec = seen.program.spec.obligations.get(kind)
    met_by = duty_spec.met_by if duty_spec is not None else ()
    return any(evidence.done in STEPS or evidence.decided == DECISION for evidence in met_by)


def nearest(kept: tuple[Kept, ...], seen: Seen) -> list[Kept]:
    """Facilities of higher care, those in the county where the client is now first."""
    known = seen.episode.facts.get(COUNTY)
    county = str(known.value).replace("_", " ").casefold() if known is not None else ""
    higher = [one for one in kept if one.facility.kind in HIGHER]
    return sorted(higher, key=lambda one: (one.facility.county.casefold() != county, HIGHER.index(one.facility.kind)))
