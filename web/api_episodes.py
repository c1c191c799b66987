"""Episodes through the API: reported, read, led, previewed; drafts, the safety plan and the step-up beside them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from audit.queries import Filter
from protocol.decide import decide
from protocol.episode import EPISODE
from protocol.words import Words
from web import plan as plans
from web import step_up as steps_up
from web.api_bodies import BODIES, COMMAND_BODY, CONTACT, EMERGENCY, OPENING, TYPED, takes
from web.api_commands import answer, as_problem, command_from, given, sent
from web.api_guard import Problem, body_of, call
from web.api_routes import EpisodeId, Key, Revision, api_router
from web.effective import usual
from web.guard import Visit
from web.leading import lead_of
from web.looks import CRISIS, EXPORTED, ITS_EPISODE, NOTHING, REPORT, SHOWN, shows
from web.reporting import Report, reported
from web.seen import see
from workflows.client import EpisodeError

router = api_router()


@router.get("/episodes")
async def episodes(
    visit: Annotated[Visit, call("board.read", SHOWN)],
    owner: Annotated[str | None, Query(max_length=64)] = None,
    everything: bool = False,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> JSONResponse:
    """Episodes by next deadline; open ones, or all."""
    which = Filter(open=None if everything else True, owner=owner)
    found = await visit.parts.queries.list_episodes(which, limit)
    await shows(visit, ((one.episode_id, one.client_ref) for one in found))
    return given([asdict(one) for one in found])


@router.post("/episodes", status_code=201, openapi_extra=takes("OpeningBody"))
async def open_episode(
    request: Request, visit: Annotated[Visit, call("episode.open", REPORT)], key: Key
) -> JSONResponse:
    """Report a crisis. A client's open episode is named instead, unless another one is really meant."""
    body, parts, now = await body_of(request, OPENING), visit.parts, visit.parts.clock()
    spec = await usual(parts, body.protocol or "")
    if body.protocol is not None and spec.protocol != body.protocol:
        raise Problem(422, f"There is no protocol {body.protocol}", "GET /api/v1/protocols lists them.")
    lead = await lead_of(parts, visit.actor, spec, body.client_ref)
    own = body.model_dump(include={"client_ref", "crisis_types", "facts", "said", "drill", "another"})
    owner = visit.actor.account_id if body.lead == "me" else lead.account_id
    try:
        became = await reported(visit, spec, Report(key, owner=owner, received_at=body.occurred_at or now, **own))
    except EpisodeError as error:
        raise as_problem(error) from None
    if became.receipt is None:
        await shows(visit, ((one, body.client_ref) for one in became.there))
        remedy = "Go on there, or send it again with another: true."
        raise Problem(409, "The client has an open episode", remedy, code="open_episode", episodes=became.there)
    return answer(became.receipt, 201)


@router.get("/episodes/{episode_id}")
async def episode(visit: Annotated[Visit, call("episode.read", CRISIS)], episode_id: EpisodeId) -> JSONResponse:
    """The episode as it is now; its revision is the ETag."""
    seen = await see(visit.parts, episode_id)
    told = {
        "episode": EPISODE.dump_python(seen.episode, mode="json"),
        "missing_steps": seen.program.missing_steps(seen.episode),
        "stale_since": seen.stale_since,
        "stopped": seen.stopped,
    }
    answered = given(told)
    answered.headers["ETag"] = f'"{seen.episode.revision}"'
    return answered


@router.get("/episodes/{episode_id}/trail")
async def trail(
    visit: Annotated[Visit, call("episode.read", ITS_EPISODE)],
    episode_id: EpisodeId,
    after: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> JSONResponse:
    """Entries of the trail in order, from the one after `after`."""
    await see(visit.parts, episode_id)
    rows = await visit.parts.queries.trail_rows(episode_id, after, limit)
    shown = ("sequence", "occurred_at", "recorded_at", "actor", "role", "command_id", "kind", "payload", "hash")
    return given([{name: getattr(row, name) for name in shown} for row in rows])


@router.post("/episodes/{episode_id}/commands", openapi_extra=takes("CommandBody"))
async def command(
    request: Request,
    visit: Annotated[Visit, call("episode.act", CRISIS)],
    episode_id: EpisodeId,
    key: Key,
    if_match: Revision = None,
) -> JSONResponse:
    """Send a command. The receipt says what it brought about; a refusal is a problem with its remedy."""
    body = await body_of(request, COMMAND_BODY)
    seen = await see(visit.parts, episode_id)
    meant = await command_from(visit, seen, body, key, if_match)
    return await sent(visit, episode_id, meant)


@router.post("/episodes/{episode_id}/contacts", openapi_extra=takes("RecordContact"))
async def contact(
    request: Request,
    visit: Annotated[Visit, call("episode.contact", CRISIS)],
    episode_id: EpisodeId,
    key: Key,
    if_match: Revision = None,
) -> JSONResponse:
    """Write down a contact or an attempt: whoever opened a client in an emergency may do that too."""
    body = await body_of(request, CONTACT)
    seen = await see(visit.parts, episode_id)
    return await sent(visit, episode_id, await command_from(visit, seen, body, key, if_match))


@router.post("/episodes/{episode_id}/preview", openapi_extra=takes("CommandBody"))
async def preview(
    request: Request, visit: Annotated[Visit, call("episode.act", CRISIS)], episode_id: EpisodeId
) -> JSONResponse:
    """What a command would bring about, by the function that decides it. Nothing is sent."""
    body = await body_of(request, COMMAND_BODY)
    seen, now = await see(visit.parts, episode_id), visit.parts.clock()
    step = decide(seen.program.spec, seen.episode, await command_from(visit, seen, body, "preview", None), now)
    words = Words(seen.program.spec)
    lines = [line for event in step.events if (line := words.line(event, now)) is not None]
    return given({"refused": step.refusal is not None, "lines": [asdict(line) for line in lines]})


@router.post("/episodes/{episode_id}/emergency", openapi_extra=takes("EmergencyBody"))
async def emergency(
    request: Request, visit: Annotated[Visit, call("episode.emergency", CRISIS)], episode_id: EpisodeId, key: Key
) -> JSONResponse:
    """Take the emergency path; never a conflict."""
    body = await body_of(request, EMERGENCY)
    seen = await see(visit.parts, episode_id)
    said = BODIES["DeclareEmergency"].model_validate({"kind": "DeclareEmergency", "reason": body.reason})
    return await sent(visit, episode_id, await command_from(visit, seen, said, key, None))


@router.get("/episodes/{episode_id}/drafts")
async def drafts(visit: Annotated[Visit, call("episode.act", NOTHING)], episode_id: EpisodeId) -> JSONResponse:
    """What the token's person has typed there and not sent yet, by the form it stands in."""
    found = await visit.parts.drafts.under(visit.actor.account_id, episode_id)
    return given({place: asdict(one) for place, one in found.items()})


@router.put("/episodes/{episode_id}/drafts/{place:path}", openapi_extra=takes("TypedBody"))
async def save_draft(
    request: Request, visit: Annotated[Visit, call("episode.act", NOTHING)], episode_id: EpisodeId, place: str, key: Key
) -> JSONResponse:
    """Keep what was typed so far; no fields at all forget it."""
    fields = {name: list(values) for name, values in (await body_of(request, TYPED)).fields.items()}
    mine, where = visit.actor.account_id, f"{episode_id}/{place[:120]}"
    if fields:
        await visit.parts.drafts.save(mine, where, fields, visit.parts.clock())
    else:
        await visit.parts.drafts.forget(mine, where)
    return JSONResponse({"kept": bool(fields)})


@router.get("/episodes/{episode_id}/plan")
async def plan(visit: Annotated[Visit, call("episode.read", ITS_EPISODE)], episode_id: EpisodeId) -> JSONResponse:
    """The safety plan as it stands, and every version of it."""
    seen, versions = await plans.plan_of(visit, episode_id)
    told = {"parts": plans.parts_of(seen), "kept_back": plans.kept_back(seen), "versions": [*map(asdict, versions)]}
    return given(told)


@router.get("/episodes/{episode_id}/plan.pdf", response_class=Response)
async def plan_copy(visit: Annotated[Visit, call("episode.export", EXPORTED)], episode_id: EpisodeId) -> Response:
    """The client's copy. Not there while the plan is kept back."""
    return await plans.client_copy(visit, episode_id)


@router.get("/episodes/{episode_id}/step-up")
async def step_up(visit: Annotated[Visit, call("episode.read", ITS_EPISODE)], episode_id: EpisodeId) -> JSONResponse:
    """The decision on a step-up: its criteria, the facts behind them, and what was decided."""
    return given(steps_up.told(await see(visit.parts, episode_id)))
