"""Trying a draft by hand: begin an episode, do things, let time pass, take back, keep the run as a scenario."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from practice.protocol_drafts import DraftError
from protocol.findings import did_you_mean
from protocol.local_time import to_utc
from protocol_specs.workbench import file_of
from rehearsal.simulation import Simulation, SimulationError
from web.forms import Fields, fields_of
from web.guard import MOST_FIELDS, Visit
from web.studio.by_hand import Replayed, Run, choices_of, do, kept_as, replay, run_of, standing, story
from web.studio.desk import DraftId, OnDesk, Studying, Writing, draft_page, on_desk
from web.studio.trials import scenarios_on
from web.thread import in_thread

router = APIRouter(include_in_schema=False)

WAITS = (
    ("15 min later", "15 min later"),
    ("1 h later", "1 h later"),
    ("8 h later", "8 h later"),
    ("tomorrow 09:00", "Tomorrow 09:00"),
    ("next", "Until the next page or deadline"),
    ("until next deadline", "Until the next deadline"),
)


@router.get("/studio/{draft_id}/simulation")
async def by_hand(request: Request, visit: Studying, draft_id: DraftId) -> Response:
    """The episode as it is after what was done so far."""
    return await _shown(request, visit, await on_desk(visit, draft_id))


@router.post("/studio/{draft_id}/simulation/begin")
async def begin(request: Request, visit: Studying, draft_id: DraftId) -> Response:
    """Begin anew."""
    desk, typed = await on_desk(visit, draft_id), await _typed(request)
    spec = desk.reading.spec
    if spec is None or not desk.reading.usable:
        return await _shown(request, visit, desk, wrong="The draft has errors. Mend them first.", status=422)
    starts = visit.parts.clock().replace(second=0, microsecond=0)
    if written := _first(typed, "starts"):
        try:
            starts = to_utc(written.replace("T", " "), ZoneInfo(spec.time_zone))
        except (ValueError, OverflowError):
            wrong = "The beginning can't be read. Write it as 2026-12-01 14:05."
            return await _shown(request, visit, desk, wrong=wrong, status=422)
    types = tuple(typed.get("crisis", ()))
    if unknown := next((one for one in types if one not in spec.crisis_types), ""):
        remedy = did_you_mean(unknown[:40], spec.crisis_types)
        return await _shown(request, visit, desk, wrong=f"There is no such crisis type; {remedy}", status=422)
    run = Run(starts, types)
    try:
        await in_thread(replay, spec, run)
    except SimulationError as error:
        return await _shown(request, visit, desk, wrong=_words(error), status=422)
    return await _kept(visit, desk, run)


@router.post("/studio/{draft_id}/simulation/act")
async def act(request: Request, visit: Studying, draft_id: DraftId) -> Response:
    """Do something, or let time pass."""
    desk, typed = await on_desk(visit, draft_id), await _typed(request)
    run, played = await _played(visit, desk)
    if run is None or played is None:
        return RedirectResponse(f"/studio/{draft_id}/simulation", 303)
    if _first(typed, "seen") != str(len(played.simulation.entries)):
        wrong = "The run went on in another window. Look at it again."
        return await _shown(request, visit, desk, wrong=wrong, status=409)
    try:
        await in_thread(_go_on, played.simulation, typed)
    except (SimulationError, ValueError) as error:
        return await _shown(request, visit, desk, wrong=_words(error), status=422, open_form=_first(typed, "choice"))
    return await _kept(visit, desk, Run(run.starts, run.crisis_types, tuple(played.simulation.entries)))


@router.post("/studio/{draft_id}/simulation/undo")
async def undo(visit: Studying, draft_id: DraftId) -> Response:
    """Take back the last thing; what can't be played any more goes first."""
    desk = await on_desk(visit, draft_id)
    run, played = await _played(visit, desk)
    if run is None or played is None:
        return RedirectResponse(f"/studio/{draft_id}/simulation", 303)
    entries = run.entries[: len(run.entries) - max(played.left, 1)]
    return await _kept(visit, desk, Run(run.starts, run.crisis_types, entries))


@router.post("/studio/{draft_id}/simulation/leave")
async def leave(visit: Studying, draft_id: DraftId) -> Response:
    """Forget the run."""
    desk = await on_desk(visit, draft_id)
    await visit.parts.simulations.keep(desk.draft.draft_id, visit.actor.account_id, None, visit.parts.clock())
    return RedirectResponse(f"/studio/{draft_id}/simulation", 303)


@router.post("/studio/{draft_id}/simulation/keep")
async def keep(request: Request, visit: Writing, draft_id: DraftId) -> Response:
    """Keep the run as a scenario of the draft."""
    desk, typed = await on_desk(visit, draft_id), await _typed(request)
    _, played = await _played(visit, desk)
    if played is None:
        return RedirectResponse(f"/studio/{draft_id}/simulation", 303)
    name, there = _first(typed, "name"), await scenarios_on(visit, draft_id)
    if name in there or name == "new":
        wrong = f"There is a scenario {name} already; name this one otherwise."
        return await _shown(request, visit, desk, wrong=wrong, status=422)
    try:
        text = file_of(kept_as(played.simulation, name, _first(typed, "title")))
        by, now = visit.actor.account_id, visit.parts.clock()
        await visit.parts.protocol_drafts.keep_scenarios(draft_id, {name: text}, by, now)
    except SimulationError as error:
        return await _shown(request, visit, desk, wrong=_words(error), status=422)
    except DraftError as error:
        return await _shown(request, visit, desk, wrong=str(error), status=422)
    return RedirectResponse(f"/studio/{draft_id}/scenarios/{name}", 303)


def _go_on(simulation: Simulation, typed: Fields) -> None:
    wait = _first(typed, "wait")
    if wait:
        simulation.wait(wait)
    else:
        number = _first(typed, "choice")
        do(simulation, int(number) if number.isdecimal() and len(number) < 6 else -1, typed)


async def _played(visit: Visit, desk: OnDesk) -> tuple[Run | None, Replayed | None]:
    """The run of this person, played on the draft as it is."""
    kept = await visit.parts.simulations.get(desk.draft.draft_id, visit.actor.account_id)
    spec = desk.reading.spec
    if kept is None or spec is None or not desk.reading.usable:
        return None, None
    run = run_of(kept)
    try:
        return run, await in_thread(replay, spec, run)
    except SimulationError:
        return None, None


async def _kept(visit: Visit, desk: OnDesk, run: Run) -> Response:
    draft_id = desk.draft.draft_id
    await visit.parts.simulations.keep(draft_id, visit.actor.account_id, run.as_document(), visit.parts.clock())
    return RedirectResponse(f"/studio/{draft_id}/simulation", 303)


async def _shown(
    request: Request, visit: Visit, desk: OnDesk, *, wrong: str = "", status: int = 200, open_form: str = ""
) -> Response:
    _, played = await _played(visit, desk)
    told: dict[str, Any] = {}
    if played is not None:
        told = {
            "standing": standing(played.simulation),
            "choices": choices_of(played.simulation),
            "story": story(played.simulation),
            "stuck": played.stuck,
            "left": played.left,
        }
    now: datetime = visit.parts.clock()
    return await draft_page(
        request,
        visit,
        desk,
        "studio/simulation.html",
        "simulation",
        status=status,
        played=played is not None,
        waits=WAITS,
        wrong=wrong,
        open_form=open_form,
        begins=now.astimezone(visit.parts.zone).strftime("%Y-%m-%dT%H:%M"),
        **told,
    )


async def _typed(request: Request) -> Fields:
    return fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())


def _first(typed: Fields, name: str) -> str:
    return (typed.get(name) or [""])[0].strip()


def _words(error: Exception) -> str:
    said = f"{error}. {error.remedy}." if isinstance(error, SimulationError) else f"{error}."
    return said[:1].upper() + said[1:]
