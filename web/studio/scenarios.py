"""The scenarios of a draft: read their stories, add, change and remove them, have the missing ones made."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from practice.protocol_drafts import DraftError
from practice.protocol_results import Found
from protocol.spec import ProtocolSpec
from protocol_specs.loader import read_yaml
from protocol_specs.located import Located, SpecErrors
from protocol_specs.suite import Result, try_text
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario
from rehearsal.transcript import transcript
from web.errors import NotThere
from web.guard import Visit
from web.studio.desk import DraftId, OnDesk, Studying, Writing, draft_page, on_desk, typed_in
from web.studio.trials import scenarios_on
from web.studio.trying import tried
from web.thread import in_thread

router = APIRouter(include_in_schema=False)

Name = Annotated[str, Path(max_length=48)]
NEW = """\
scenario: NAME
title: What happens, in a sentence
protocol: PROTOCOL
starts: 2026-12-01 14:05
people: {ana: ROLE}
open: {by: ana}
steps:
  - {at: +5m, wait: yes}
"""


@router.get("/studio/{draft_id}/scenarios")
async def listed(request: Request, visit: Studying, draft_id: DraftId) -> Response:
    """All of them, with how the last test of the draft as it is went."""
    return await _listed(request, visit, await on_desk(visit, draft_id))


@router.get("/studio/{draft_id}/scenarios/{name}")
async def one(request: Request, visit: Studying, draft_id: DraftId, name: Name) -> Response:
    """One of them, played just now; `new` begins one."""
    desk = await on_desk(visit, draft_id)
    if name == "new":
        role = next(iter(desk.reading.spec.roles), "therapist") if desk.reading.spec is not None else "therapist"
        begin = NEW.replace("NAME", "first_story").replace("PROTOCOL", desk.draft.protocol).replace("ROLE", role)
        return await _shown(request, visit, desk, "", begin)
    text = (await scenarios_on(visit, draft_id)).get(name)
    if text is None:
        raise NotThere
    return await _shown(request, visit, desk, name, text)


@router.post("/studio/{draft_id}/scenarios/{name}")
async def keep(request: Request, visit: Writing, draft_id: DraftId, name: Name) -> Response:
    """Keep what was typed under the name that it gives itself."""
    typed, desk = await typed_in(request), await on_desk(visit, draft_id)
    text, before = typed.get("text", ""), "" if name == "new" else name
    there = await scenarios_on(visit, draft_id)
    if before and typed.get("seen") != there.get(before):
        wrong = "Somebody changed this scenario meanwhile. Yours stands here; press Keep again to put it in place."
        return await _shown(request, visit, desk, before, text, wrong=wrong, status=409)
    try:
        called = (await in_thread(read_yaml, text)).validate(Scenario).scenario
    except SpecErrors:
        return await _shown(request, visit, desk, before, text, wrong="It was not kept: mend it first.", status=422)
    if called != before and called in there:
        wrong = f"There is a scenario {called} already. Name this one otherwise."
        return await _shown(request, visit, desk, before, text, wrong=wrong, status=422)
    if called == "new":
        return await _shown(request, visit, desk, before, text, wrong="Name it otherwise than `new`.", status=422)
    drafts, by, now = visit.parts.protocol_drafts, visit.actor.account_id, visit.parts.clock()
    try:
        await drafts.keep_scenarios(draft_id, {called: text}, by, now)
    except DraftError as error:
        return await _shown(request, visit, desk, before, text, wrong=str(error), status=422)
    if before and called != before:
        await drafts.drop_scenario(draft_id, before)
    return RedirectResponse(f"/studio/{draft_id}/scenarios/{called}", 303)


@router.post("/studio/{draft_id}/scenarios/{name}/remove")
async def remove(visit: Writing, draft_id: DraftId, name: Name) -> Response:
    """Take a scenario out of the draft."""
    await on_desk(visit, draft_id)
    await visit.parts.protocol_drafts.drop_scenario(draft_id, name)
    return RedirectResponse(f"/studio/{draft_id}/scenarios", 303)


@router.post("/studio/{draft_id}/take-made")
async def take_made(request: Request, visit: Writing, draft_id: DraftId) -> Response:
    """Take the scenarios that were made for the draft and show what none of its own shows."""
    desk = await on_desk(visit, draft_id)
    made = await visit.parts.results.get("scenarios", desk.draft.content_hash)
    if made is None:
        raise NotThere
    given = await _wanted(visit, desk, made)
    if given:
        by, now = visit.actor.account_id, visit.parts.clock()
        try:
            await visit.parts.protocol_drafts.keep_scenarios(draft_id, given, by, now)
        except DraftError as error:
            return await _listed(request, visit, desk, wrong=str(error), status=422)
    return RedirectResponse(f"/studio/{draft_id}/scenarios", 303)


async def _wanted(visit: Visit, desk: OnDesk, made: Found) -> dict[str, str]:
    """Of the scenarios that were made, those that the draft has not."""
    there = await scenarios_on(visit, desk.draft.draft_id)
    return {name: text for name, text in made.result["scenarios"].items() if name not in there}


async def _listed(request: Request, visit: Visit, desk: OnDesk, *, wrong: str = "", status: int = 200) -> Response:
    kept = await visit.parts.protocol_drafts.scenarios(desk.draft.draft_id)
    found = await tried(visit, desk.draft.content_hash, {one.name: one.text for one in kept})
    results = {one["file"]: one for one in found.tests.result["results"]} if found.tests else {}
    made = await visit.parts.results.get("scenarios", desk.draft.content_hash) if desk.draft.content_hash else None
    return await draft_page(
        request,
        visit,
        desk,
        "studio/scenarios.html",
        "scenarios",
        status=status,
        kept=kept,
        results=results,
        tried=found,
        made=made,
        fresh=len(await _wanted(visit, desk, made)) if made is not None else 0,
        wrong=wrong,
    )


async def _shown(
    request: Request, visit: Visit, desk: OnDesk, name: str, text: str, *, wrong: str = "", status: int = 200
) -> Response:
    spec = desk.reading.spec if desk.reading.usable else None
    played = await in_thread(_played, spec, name or "new", text, visit)
    return await draft_page(
        request,
        visit,
        desk,
        "studio/scenario.html",
        "scenarios",
        status=status,
        name=name,
        text=text,
        seen=(await scenarios_on(visit, desk.draft.draft_id)).get(name, ""),
        wrong=wrong,
        **played,
    )


def _played(spec: ProtocolSpec | None, name: str, text: str, visit: Visit) -> dict[str, Any]:
    """What a scenario tells on the draft as it is; without a usable draft, only what is wrong in itself."""
    if spec is None:
        try:
            read_yaml(text).validate(Scenario)
        except SpecErrors as errors:
            return {"findings": list(errors.found), "story": ""}
        return {"findings": list[Located](), "story": ""}
    result: Result = try_text(spec, name, text, lambda one: rehearse(spec, one, visit.parts.directory))
    return {"findings": list(result.found), "story": transcript(result.report) if result.report is not None else ""}
