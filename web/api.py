"""The API, version 1: everything that the pages do, for other systems. Each call carries a token."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from starlette.requests import Request
from starlette.responses import JSONResponse

from audit.queries import Filter
from practice.accounts import AccountError
from protocol.commands import OpenEpisode
from protocol.decide import decide
from protocol.directory import look_up
from protocol.episode import EPISODE
from protocol.words import Words
from web.acting import command_id_of, role_of
from web.api_bodies import ACCOUNT, BODIES, COMMAND_BODY, EMERGENCY, OPENING, REASON, description, takes
from web.api_commands import answer, as_problem, command_from, given, sent
from web.api_guard import SCHEME, Problem, body_of, call
from web.effective import effective, usual
from web.errors import NotThere
from web.guard import Anybody, Visit
from web.looks import CRISIS, ITS_EPISODE, NOTHING, REPORT, SHOWN, look, note, shows
from web.openings import opened
from web.queue import mine_of
from web.report import episode_id_of
from web.seen import see
from workflows.client import EpisodeError

router = APIRouter(prefix="/api/v1", tags=["v1"])

Key = Annotated[str, Header(alias="Idempotency-Key", min_length=8, max_length=200, pattern=r"^[!-~]+$")]
"""Sent again with the same key, a call changes nothing and gets the same answer."""
Revision = Annotated[str | None, Header(alias="If-Match", pattern=r'^"\d{1,9}"$')]
EpisodeId = str
PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {"application/problem+json": {}}}
    for code, text in {
        401: "no valid token",
        403: "not allowed",
        404: "nothing of that name",
        409: "changed meanwhile",
        413: "too much",
        422: "refused, with the remedy",
        503: "the engine does not answer",
    }.items()
}
SECURE: dict[str, Any] = {"responses": PROBLEMS, "dependencies": [Depends(SCHEME)]}
"""What every route of the API says of itself."""


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, _visit: Annotated[Visit, Depends(Anybody())]) -> JSONResponse:
    """The description of this API."""
    return JSONResponse(description(request.app))


@router.get("/me", **SECURE)
async def me(visit: Annotated[Visit, call("self")]) -> JSONResponse:
    """Whose token this is and what it may do."""
    scopes = sorted(visit.actor.scopes or ())
    return JSONResponse({"account": visit.actor.account_id, "roles": list(visit.actor.roles), "scopes": scopes})


@router.get("/queue", **SECURE)
async def queue(visit: Annotated[Visit, call("queue.read", SHOWN)]) -> JSONResponse:
    """What the person owes, and what pages have asked of them; by deadline."""
    mine = await mine_of(visit.parts, visit.actor)
    await shows(visit, ((one.episode_id, one.client_ref) for one in (*mine.owed, *mine.asked)))
    return given({"owed": [asdict(one) for one in mine.owed], "asked": [asdict(one) for one in mine.asked]})


@router.get("/episodes", **SECURE)
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


@router.post("/episodes", status_code=201, openapi_extra=takes("OpeningBody"), **SECURE)
async def open_episode(
    request: Request, visit: Annotated[Visit, call("episode.open", REPORT)], key: Key
) -> JSONResponse:
    """Report a crisis. A client's open episode is named instead, unless another one is really meant."""
    body, parts, now = await body_of(request, OPENING), visit.parts, visit.parts.clock()
    spec = await usual(parts, body.protocol or "")
    if body.protocol is not None and spec.protocol != body.protocol:
        raise Problem(422, f"There is no protocol {body.protocol}", "GET /api/v1/protocols lists them.")
    episode_id = episode_id_of(visit.actor, key)
    there = [one for one in await parts.owing.open_of_client(body.client_ref) if one != episode_id]
    if there and not body.another and not body.drill:
        await shows(visit, ((one, body.client_ref) for one in there))
        remedy = "Go on there, or send it again with another: true."
        raise Problem(409, "The client has an open episode", remedy, code="open_episode", episodes=there)
    role = role_of(visit.actor, await parts.rota.current(), spec)
    command = OpenEpisode(
        command_id=command_id_of(visit.actor, episode_id, "open"),
        actor=visit.actor.account_id,
        role=role,
        occurred_at=body.occurred_at or now,
        episode_id=episode_id,
        client_ref=body.client_ref,
        owner=visit.actor.account_id,
        crisis_types=body.crisis_types,
        facts=body.facts,
        drill=body.drill,
    )
    try:
        receipt = await (await parts.engine.commands()).open(spec, command)
    except EpisodeError as error:
        raise as_problem(error) from None
    parts.fresh.note_opened(episode_id, visit.actor.account_id)
    if receipt.refusal is None and body.said:
        words = COMMAND_BODY.validate_python({"kind": "AddAddendum", "refers_to": 1, "text": body.said})
        await sent(visit, episode_id, await command_from(visit, await see(parts, episode_id), words, "said", None))
    return answer(receipt, 201)


@router.get("/episodes/{episode_id}", **SECURE)
async def episode(visit: Annotated[Visit, call("episode.read", CRISIS)], episode_id: EpisodeId) -> JSONResponse:
    """The episode as it is now; its revision is the ETag."""
    seen = await see(visit.parts, episode_id)
    told = {
        "episode": EPISODE.dump_python(seen.episode, mode="json"),
        "missing_steps": seen.program.missing_steps(seen.episode),
        "stale_since": seen.stale_since,
    }
    answered = given(told)
    answered.headers["ETag"] = f'"{seen.episode.revision}"'
    return answered


@router.get("/episodes/{episode_id}/trail", **SECURE)
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


@router.post("/episodes/{episode_id}/commands", openapi_extra=takes("CommandBody"), **SECURE)
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


@router.post("/episodes/{episode_id}/preview", openapi_extra=takes("CommandBody"), **SECURE)
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


@router.post("/episodes/{episode_id}/emergency", openapi_extra=takes("EmergencyBody"), **SECURE)
async def emergency(
    request: Request, visit: Annotated[Visit, call("episode.emergency", CRISIS)], episode_id: EpisodeId, key: Key
) -> JSONResponse:
    """Take the emergency path; never a conflict."""
    body = await body_of(request, EMERGENCY)
    seen = await see(visit.parts, episode_id)
    said = BODIES["DeclareEmergency"].model_validate({"kind": "DeclareEmergency", "reason": body.reason})
    return await sent(visit, episode_id, await command_from(visit, seen, said, key, None))


@router.get("/protocols", **SECURE)
async def protocols(visit: Annotated[Visit, call("protocol.read")]) -> JSONResponse:
    """The version of each protocol that a new episode takes."""
    known = (await effective(visit.parts)).values()
    return given([{"protocol": one.protocol, "version": one.version, "hash": one.content_hash} for one in known])


@router.get("/protocols/{name}", **SECURE)
async def protocol(visit: Annotated[Visit, call("protocol.read")], name: str) -> JSONResponse:
    """The version of a protocol that a new episode takes, as a document."""
    spec = (await effective(visit.parts)).get(name)
    if spec is None:
        raise NotThere
    return JSONResponse(spec.model_dump(mode="json", exclude_defaults=True))


@router.get("/resources", **SECURE)
async def resources(
    visit: Annotated[Visit, call("directory.read")],
    county: Annotated[str | None, Query(max_length=48)] = None,
    life_in_danger: bool = False,
) -> JSONResponse:
    """Whom to call in a county today. Nothing here calls anybody."""
    today = visit.parts.clock().astimezone(visit.parts.zone).date()
    return given(asdict(look_up(visit.parts.directory, county, today, life_in_danger=life_in_danger)))


@router.get("/openings", **SECURE)
async def openings(visit: Annotated[Visit, call("access.review", SHOWN)], everything: bool = False) -> JSONResponse:
    """Emergency openings that wait for a review, or all."""
    found = await visit.parts.reach.openings(unreviewed=not everything)
    await shows(visit, (("", one.client_ref) for one in found))
    return given([asdict(one) for one in found])


@router.post("/openings/new/{episode_id}", status_code=201, openapi_extra=takes("ReasonBody"), **SECURE)
async def break_glass(
    request: Request, visit: Annotated[Visit, call("access.break_glass", REPORT)], episode_id: EpisodeId
) -> JSONResponse:
    """Open somebody else's client in an emergency; it is written down and reviewed."""
    reason = (await body_of(request, REASON)).reason
    summary = await visit.parts.queries.get_episode(episode_id)
    if summary is None:
        raise NotThere
    await note(visit, look(visit, episode_id, purpose="emergency opening"))
    access_id, telling = await opened(visit, summary.client_ref, reason)
    return JSONResponse({"access_id": access_id}, 201, background=telling)


@router.post("/openings/{access_id}/review", **SECURE)
async def review(visit: Annotated[Visit, call("access.review", NOTHING)], access_id: str) -> JSONResponse:
    """Note that one has looked at an opening that was not one's own."""
    if not await visit.parts.reach.review(access_id, visit.actor.account_id, visit.parts.clock()):
        raise NotThere
    return JSONResponse({"reviewed": True})


@router.get("/accounts", **SECURE)
async def accounts(visit: Annotated[Visit, call("account.manage")]) -> JSONResponse:
    """Everybody who may sign in."""
    return given([asdict(one) for one in await visit.parts.accounts.everybody()])


@router.post("/accounts", status_code=201, openapi_extra=takes("AccountBody"), **SECURE)
async def add_account(request: Request, visit: Annotated[Visit, call("account.manage")]) -> JSONResponse:
    """Make an account."""
    body = await body_of(request, ACCOUNT)
    try:
        await visit.parts.accounts.add(body.account_id, body.name, body.roles, body.password, visit.parts.clock())
    except AccountError as error:
        raise Problem(422, str(error), "Choose another.") from None
    return JSONResponse({"account_id": body.account_id}, 201)
