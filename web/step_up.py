"""Step-up of care: the decision with its criteria and the facts behind it, then the search until admission."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from practice.facilities import KINDS, Kept, Kind
from protocol import saying
from protocol.pages import StepUpPages
from protocol.trail import TrailRow
from protocol.words import cited
from web import places, rescue
from web.access import authorize
from web.errors import NotThere
from web.face import Look, advice, banner, county_of, duty
from web.forms import Fields
from web.guard import May, Visit
from web.looks import ITS_EPISODE
from web.pages import fresh_key, page
from web.people import names_of
from web.seen import Seen, see

router = APIRouter(include_in_schema=False)

HIGHER: tuple[Kind, ...] = ("php", "crisis_residential", "detox", "hospital")
TAKERS = {"dual": "Dual diagnosis", "minors": "Minors"}
MOST_FACILITIES = 30


@router.get("/episodes/{episode_id}/step-up")
async def step_up(
    request: Request,
    visit: Annotated[Visit, Depends(May("episode.read", ITS_EPISODE))],
    episode_id: str,
    kind: Annotated[str, Query(max_length=30)] = "",
    takes: Annotated[str, Query(max_length=30)] = "",
) -> Response:
    """The page."""
    parts, now = visit.parts, visit.parts.clock()
    seen = await see(parts, episode_id)
    way = way_of(seen)
    decision = seen.program.spec.decisions[way.decision]
    names = await names_of(parts)
    look = Look(seen, await parts.numbers.current(parts.directory), names, now)
    client = await parts.clients.get(seen.episode.client_ref)
    rows = await parts.queries.trail_rows(episode_id)
    drafts = await parts.drafts.under(visit.actor.account_id, episode_id)
    kept_fields = {name: one.fields for name, one in drafts.items()}
    typed = {name.removeprefix("complete-step/"): fields for name, fields in kept_fields.items()}
    kept = nearest(chosen(await parts.facilities.listed(), kind, takes), seen)[:MOST_FACILITIES]
    return await page(
        request,
        "step_up.html",
        episode=seen.episode,
        client=client,
        banner=banner(look)[:4],
        decision=decision,
        source=cited(decision.source),
        advice=advice(look, way.decision),
        rows=list(rules(seen)),
        facts=list(answered(seen, decision.shows)),
        record=seen.episode.decisions.get(way.decision),
        decided=way.decision,
        search=way.search,
        options=[{"value": name, "label": option.title} for name, option in decision.options.items()],
        stations=stations(look, typed, rows),
        typed={name: {key: values[0] for key, values in one.fields.items() if values} for name, one in drafts.items()},
        asked=places.asked(look, rows),
        revision=seen.episode.revision,
        may_act=authorize(visit.actor, "episode.act", visit.target) and seen.episode.closed_at is None,
        may_rescue=authorize(visit.actor, "episode.emergency", visit.target) and seen.episode.closed_at is None,
        duties=[duty(look, one) for one in seen.episode.obligations.values() if _about(seen, one.obligation)],
        facilities=[(one, places.asking(look, one, kept_fields)) for one in kept],
        kind=kind,
        takes=takes,
        kind_choices=[{"value": one, "label": KINDS[one]} for one in HIGHER],
        taker_choices=[{"value": one, "label": said} for one, said in TAKERS.items()],
        kinds=KINDS,
        today=now.astimezone(parts.zone).date(),
        names=names,
        key=fresh_key(),
    )


def way_of(seen: Seen) -> StepUpPages:
    """What the protocol says of this page. Raises NotThere where it has none."""
    told = seen.program.spec.pages.step_up
    if told is None:
        raise NotThere
    return told


def told(seen: Seen) -> dict[str, Any]:
    """The decision as data: options, rules, facts, what was decided. Raises NotThere where the protocol has none."""
    name = way_of(seen).decision
    decision = seen.program.spec.decisions[name]
    return {
        "title": decision.title,
        "options": {name: option.title for name, option in decision.options.items()},
        "rules": list(rules(seen)),
        "facts": list(answered(seen, decision.shows)),
        "decided": seen.episode.decisions.get(name),
    }


def rules(seen: Seen) -> Iterator[dict[str, Any]]:
    """The rows of the advising table in words; those that lead to what is advised now are marked."""
    spec = seen.program.spec
    decision = spec.decisions[way_of(seen).decision]
    table = decision.advice
    if table is None:
        return
    outcome = seen.program.readers.reader(table)(seen.episode)
    for row in spec.tables[table].rows:
        yield {
            "then": decision.options[row.then].title,
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


def stations(look: Look, typed: Mapping[str, Fields], rows: tuple[TrailRow, ...]) -> list[dict[str, Any]]:
    """The steps between the decision and the admission, each with its form and what was written; the next one open."""
    return rescue.stations(look, typed, rows, names=way_of(look.seen).steps)


def chosen(kept: tuple[Kept, ...], kind: str, takes: str) -> tuple[Kept, ...]:
    """Facilities of a kind that take whom the filter names; an unknown filter filters nothing."""
    return tuple(
        one
        for one in kept
        if (kind not in KINDS or one.facility.kind == kind)
        and (takes != "dual" or one.facility.dual_diagnosis)
        and (takes != "minors" or one.facility.minors)
    )


def _about(seen: Seen, kind: str) -> bool:
    """Whether an obligation is met by one of these steps or by the decision."""
    way = way_of(seen)
    duty_spec = seen.program.spec.obligations.get(kind)
    met_by = duty_spec.met_by if duty_spec is not None else ()
    return any(evidence.done in (*way.steps, way.search) or evidence.decided == way.decision for evidence in met_by)


def nearest(kept: tuple[Kept, ...], seen: Seen) -> list[Kept]:
    """Facilities of higher care, those in the county where the client is now first."""
    county = county_of(seen).replace("_", " ").casefold()
    higher = [one for one in kept if one.facility.kind in HIGHER]
    return sorted(higher, key=lambda one: (one.facility.county.casefold() != county, HIGHER.index(one.facility.kind)))
