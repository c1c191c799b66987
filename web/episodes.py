"""The episode's page and what one does there. Every act is a command; what it may do is decided by the core alone."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from protocol.commands import DeclareEmergency, HumanCommand
from protocol.decide import decide
from protocol.engine import Receipt
from protocol.events import CommandRefused
from protocol.spec import ProtocolSpec
from web.access import authorize
from web.acting import (
    COMMANDS,
    Malformed,
    check_addressee,
    command_id_of,
    command_of,
    happened_at,
    own_fields,
    role_of,
    told,
    wanted_roles,
)
from web.attempt import Attempt, both_sides, first
from web.drafting import answered, saved
from web.effective import at_hand
from web.episode_page import shown, timeline_page
from web.errors import NotDeclared, NotThere
from web.forms import FACT, Fields, answers_of, asks, fields_of
from web.guard import MOST_FIELDS, May, Visit
from web.looks import CRISIS, NOTHING
from web.pages import fresh_key
from web.records_away import records_away
from web.seen import Seen, see
from web.signing_in import local
from workflows.client import EpisodeError, EpisodeOverError, MalformedCommandError

router = APIRouter(include_in_schema=False)
Reader = Annotated[Visit, Depends(May("episode.read", CRISIS))]
Doer = Annotated[Visit, Depends(May("episode.act", CRISIS))]
Typer = Annotated[Visit, Depends(May("episode.act", NOTHING))]
Toucher = Annotated[Visit, Depends(May("episode.contact", CRISIS))]
Rescuer = Annotated[Visit, Depends(May("episode.emergency", CRISIS))]

MOST_SAID = 8
STOPPED = "Nothing was taken: this episode is stopped."
PRESSED = "Whom to call and what to say stands below. Press Emergency again when the call is made."


@router.get("/episodes/{episode_id}")
async def episode_page(request: Request, visit: Reader, episode_id: str, step: str = "", add: str = "") -> Response:
    """The page."""
    add_to = add if add.isdecimal() and len(add) < 10 else ""
    return await shown(request, visit, await see(visit.parts, episode_id), step=step, add_to=add_to)


@router.post("/episodes/{episode_id}/emergency")
async def emergency(request: Request, visit: Rescuer, episode_id: str) -> Response:
    """Take the emergency path: nothing to fill in, never a conflict, by whoever finds it; without the records too."""
    fields = await form_of(request)
    if visit.records_away:
        return await emergency_alone(request, visit, episode_id, fields)
    try:
        seen = await see(visit.parts, episode_id)
    except SQLAlchemyError:
        return await emergency_alone(request, visit, episode_id, fields)
    command = await declaration(visit, episode_id, fields, seen.program.spec)
    return await sent(request, visit, seen, Attempt("declare-emergency", fields), command)


@router.get("/episodes/{episode_id}/timeline")
async def whole_timeline(
    request: Request, visit: Reader, episode_id: str, number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1
) -> Response:
    """Everything that was written down, a page at a time, the latest first."""
    return await timeline_page(request, visit, await see(visit.parts, episode_id), number)


async def declaration(visit: Visit, episode_id: str, fields: Fields, spec: ProtocolSpec) -> DeclareEmergency:
    """The command of the emergency act."""
    return DeclareEmergency(
        command_id=command_id_of(visit.actor, episode_id, first(fields, "key") or fresh_key()),
        actor=visit.actor.account_id,
        role=role_of(visit.actor, await visit.parts.rota.current(), spec),
        occurred_at=visit.parts.clock(),
    )


async def emergency_alone(request: Request, visit: Visit, episode_id: str, fields: Fields) -> Response:
    """The emergency by way of the engine alone. Nothing of the episode is shown: who may see it is not known."""
    parts = visit.parts
    try:
        view = await parts.engine.view(episode_id)
        pinned = view.episode.protocol_hash if view.episode is not None else ""
        specs = {spec.content_hash: spec for spec in parts.shelf.open_now().values()}
        command = await declaration(visit, episode_id, fields, specs.get(pinned) or at_hand(parts))
        receipt = await parts.engine.submit(episode_id, command)
    except (EpisodeError, SQLAlchemyError):
        return await records_away(request)
    if receipt.refusal is not None:
        return await records_away(request)
    return await records_away(request, declared=True, status=200)


@router.post("/episodes/{episode_id}/acts/record-contact")
async def contact(request: Request, visit: Toucher, episode_id: str) -> Response:
    """Write down a contact or an attempt: whoever opened a client in an emergency may do that too."""
    return await act(request, visit, episode_id, "record-contact")


@router.post("/episodes/{episode_id}/preview/record-contact")
async def preview_contact(request: Request, visit: Toucher, episode_id: str) -> Response:
    """What writing it down would bring about."""
    return await preview(request, visit, episode_id, "record-contact")


@router.post("/episodes/{episode_id}/acts/{act}")
async def act(request: Request, visit: Doer, episode_id: str, act: str) -> Response:
    """Send a command. A refusal comes back as the page, with what was typed and what to mend."""
    attempt = Attempt(known_act(act), await form_of(request))
    seen = await see(visit.parts, episode_id)
    try:
        command = await meant(visit, seen, attempt)
    except Malformed as error:
        attempt.wrong(list(error.problems), seen)
        return await shown(request, visit, seen, attempt=attempt, status=422)
    return await sent(request, visit, seen, attempt, command)


@router.post("/episodes/{episode_id}/preview/{act}")
async def preview(request: Request, visit: Doer, episode_id: str, act: str) -> Response:
    """What sending this would bring about, by the same function that decides it. Nothing is sent."""
    attempt = Attempt(known_act(act), await form_of(request))
    seen = await see(visit.parts, episode_id)
    now = visit.parts.clock()
    try:
        command = await meant(visit, seen, attempt)
    except Malformed as error:
        attempt.wrong(list(error.problems), seen)
        return await shown(request, visit, seen, attempt=attempt, status=422)
    step = decide(seen.program.spec, seen.episode, command, now)
    lines = [line for event in step.events if (line := seen.words.line(event, now)) is not None]
    attempt.preview = [{"label": line.label, "text": line.text} for line in lines]
    attempt.previewed = True
    return await shown(request, visit, seen, attempt=attempt)


@router.post("/episodes/{episode_id}/draft")
async def draft(request: Request, visit: Typer, episode_id: str) -> Response:
    """Keep what was typed so far. Without scripts, back to the page."""
    fields = await form_of(request)
    place = f"{episode_id}/{first(fields, 'draft')[:120]}"
    kept = {name: values for name, values in fields.items() if name != "revision"}
    back = local(first(fields, "back") or f"/episodes/{episode_id}")
    return answered(request, await saved(visit, place, kept), back)


async def meant(visit: Visit, seen: Seen, attempt: Attempt) -> HumanCommand:
    """The command that a form means. Raises Malformed."""
    command, fields, now = COMMANDS[attempt.act], attempt.fields, visit.parts.clock()
    own = own_fields(command, fields)
    if "facts" in command.__dataclass_fields__:
        own["facts"] = answers_of(seen.program, fields, now)
    revision = first(fields, "revision")
    rota, spec = await visit.parts.rota.current(), seen.program.spec
    check_addressee(rota, spec, command.__name__, own)
    common: dict[str, Any] = {
        "command_id": command_id_of(visit.actor, seen.episode.episode_id, first(fields, "key") or fresh_key()),
        "actor": visit.actor.account_id,
        "role": role_of(visit.actor, rota, spec, command.__name__, wanted_roles(spec, command, own)),
        "occurred_at": happened_at(first(fields, "happened_at"), seen.program, now),
        "expected_revision": int(revision) if revision.isdecimal() and len(revision) < 10 else None,
    }
    return command_of(command.__name__, common, own)


async def sent(request: Request, visit: Visit, seen: Seen, attempt: Attempt, command: HumanCommand) -> Response:
    """Send it; on with the page, or back to the form with the reason."""
    parts, episode_id = visit.parts, seen.episode.episode_id
    reads = authorize(visit.actor, "episode.read", visit.target)
    try:
        receipt = await parts.engine.submit(episode_id, command)
    except (MalformedCommandError, EpisodeOverError) as error:
        attempt.problems = [{"field": "", "text": str(error)}]
        if not reads:
            raise NotDeclared from None
        return await shown(request, visit, seen, attempt=attempt, status=422)
    except EpisodeError as error:
        if not reads:
            raise NotDeclared from None
        why = STOPPED if seen.stopped else f"{error}."
        rest = PRESSED if isinstance(command, DeclareEmergency) else "What you typed is still here."
        attempt.problems = [{"field": "", "text": f"{why} {rest}"}]
        attempt.key = first(attempt.fields, "key")
        return await shown(request, visit, seen, attempt=attempt, status=503)
    if not reads:
        return await declared(visit, episode_id, receipt)
    if receipt.refusal is not None:
        return await refused(request, visit, await see(parts, episode_id), attempt, receipt.refusal)
    await accepted(visit, seen, attempt, receipt)
    return RedirectResponse(local(first(attempt.fields, "back") or f"/episodes/{episode_id}"), 303)


async def declared(visit: Visit, episode_id: str, receipt: Receipt) -> Response:
    """To somebody who may not see the episode: that it was taken, and how to open it; nothing of what stands there."""
    if receipt.refusal is not None:
        raise NotDeclared
    if visit.session is not None:
        visit.parts.fresh.say(visit.session.token_hash, ["Done", "The emergency is declared"])
    return RedirectResponse(f"/openings/new/{episode_id}", 303)


async def accepted(visit: Visit, seen: Seen, attempt: Attempt, receipt: Receipt) -> None:
    """Forget the draft, and let the next page say what came about."""
    place = first(attempt.fields, "draft")
    if place:
        await visit.parts.drafts.forget(visit.actor.account_id, f"{seen.episode.episode_id}/{place}")
    if visit.session is not None:
        lines = told(seen, receipt, visit.parts.clock())[:MOST_SAID]
        visit.parts.fresh.say(visit.session.token_hash, ["Done", *lines])


async def refused(request: Request, visit: Visit, seen: Seen, attempt: Attempt, refusal: CommandRefused) -> Response:
    """The form again, with the reason, what is missing, and on a conflict both versions side by side."""
    attempt.problems = [{"field": "", "text": seen.words.refusal(refusal)}]
    attempt.problems += [missing(seen, attempt, name) for name in refusal.missing]
    stale = refusal.code == "stale_revision"
    if stale:
        attempt.conflict = both_sides(seen, attempt, visit.parts.clock())
    return await shown(request, visit, seen, attempt=attempt, status=409 if stale else 422)


def missing(seen: Seen, attempt: Attempt, name: str) -> dict[str, str]:
    """Something that is missing, with the way to where it is asked."""
    spec, step = seen.program.spec, attempt.step if attempt.act == "complete-step" else ""
    if name in spec.steps:
        return {"field": "", "text": spec.steps[name].title, "href": f"/episodes/{seen.episode.episode_id}?step={name}"}
    if name not in spec.facts:
        return {"field": "", "text": name}
    asked_in = {one: asks(seen.program, one) for one in spec.steps}
    field, text = f"{FACT}{name}", spec.facts[name].ask
    if step and name in asked_in.get(step, ()):
        return {"field": field, "text": text}
    elsewhere = next((one for one, asked in asked_in.items() if name in asked), "")
    href = f"/episodes/{seen.episode.episode_id}?step={elsewhere}#f-{field}" if elsewhere else ""
    return {"field": "", "text": text, "href": href}


def known_act(act: str) -> str:
    """The act, if it is one of ours that needs no route of its own. Raises NotThere."""
    if act not in COMMANDS or act == "declare-emergency":
        raise NotThere
    return act


async def form_of(request: Request) -> dict[str, list[str]]:
    """The fields of the form that was sent."""
    return fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())
