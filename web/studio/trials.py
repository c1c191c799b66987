"""Proving and testing a draft from its page: begin, watch, stop, read what was found."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from practice.protocol_drafts import DraftError
from practice.protocol_results import Kind
from web.errors import NotThere
from web.guard import Visit
from web.jobs import Busy
from web.studio.desk import DraftId, OnDesk, Studying, Writing, draft_page, on_desk, typed_in
from web.studio.reading import line_of
from web.studio.trying import keys_of, start, tried

router = APIRouter(include_in_schema=False)

WHAT: dict[str, tuple[Kind, ...]] = {
    "both": ("tests", "proof"),
    "tests": ("tests",),
    "proof": ("proof",),
    "scenarios": ("scenarios",),
}


@router.get("/studio/{draft_id}/trials")
async def trials(request: Request, visit: Studying, draft_id: DraftId) -> Response:
    """What was found about the draft as it is, and what is under way."""
    return await shown(request, visit, await on_desk(visit, draft_id))


@router.post("/studio/{draft_id}/trials")
async def begin(request: Request, visit: Writing, draft_id: DraftId) -> Response:
    """Prove it, test it, or both; or make scenarios for it."""
    typed, desk = await typed_in(request), await on_desk(visit, draft_id)
    kinds = WHAT.get(typed.get("what", ""))
    if kinds is None or not desk.reading.usable or desk.reading.spec is None:
        return await shown(request, visit, desk, wrong="Mend the errors of the draft first.", status=422)
    try:
        start(visit, desk.reading.spec, await scenarios_on(visit, draft_id), kinds)
    except Busy as error:
        return await shown(request, visit, desk, wrong=str(error), status=409)
    return RedirectResponse(f"/studio/{draft_id}/trials", 303)


@router.post("/studio/{draft_id}/trials/stop")
async def stop(visit: Writing, draft_id: DraftId) -> Response:
    """Give up what is under way about the draft."""
    desk = await on_desk(visit, draft_id)
    keys = keys_of(desk.draft.content_hash, await scenarios_on(visit, draft_id))
    await visit.parts.jobs.stop(keys["tests"])
    return RedirectResponse(f"/studio/{draft_id}/trials", 303)


@router.post("/studio/{draft_id}/trials/stop-mine")
async def stop_mine(visit: Writing, draft_id: DraftId) -> Response:
    """Give up what one has under way elsewhere."""
    job = visit.parts.jobs.of(visit.actor.account_id)
    if job is not None:
        await visit.parts.jobs.stop(job.key)
    return RedirectResponse(f"/studio/{draft_id}/trials", 303)


@router.get("/studio/{draft_id}/trials/{story}.yaml")
async def story_file(visit: Studying, draft_id: DraftId, story: str) -> Response:
    """The scenario of a fault, to keep beside the others."""
    desk = await on_desk(visit, draft_id)
    proof = await visit.parts.results.get("proof", desk.draft.content_hash)
    found = proof.result["stories"].get(story) if proof is not None else None
    if found is None:
        raise NotThere
    headers = {"Content-Disposition": f'attachment; filename="{story}.yaml"'}
    return Response(found["file"], media_type="application/yaml", headers=headers)


@router.post("/studio/{draft_id}/trials/{story}/keep")
async def keep_story(request: Request, visit: Writing, draft_id: DraftId, story: str) -> Response:
    """Keep the scenario of a fault with the draft: it fails until the draft is mended."""
    desk = await on_desk(visit, draft_id)
    proof = await visit.parts.results.get("proof", desk.draft.content_hash)
    found = proof.result["stories"].get(story) if proof is not None else None
    if found is None:
        raise NotThere
    given = {story: str(found["file"])}
    try:
        await visit.parts.protocol_drafts.keep_scenarios(draft_id, given, visit.actor.account_id, visit.parts.clock())
    except DraftError as error:
        return await shown(request, visit, desk, wrong=str(error), status=422)
    return RedirectResponse(f"/studio/{draft_id}/scenarios/{story}", 303)


async def scenarios_on(visit: Visit, draft_id: str) -> dict[str, str]:
    """The scenarios of a draft by name."""
    return {one.name: one.text for one in await visit.parts.protocol_drafts.scenarios(draft_id)}


async def shown(request: Request, visit: Visit, desk: OnDesk, *, wrong: str = "", status: int = 200) -> Response:
    """The page."""
    scenarios = await scenarios_on(visit, desk.draft.draft_id)
    found = await tried(visit, desk.draft.content_hash, scenarios)
    text = desk.draft.text
    places = (
        {
            ".".join(map(str, doubt["path"])): line_of(text, tuple(doubt["path"]))
            for claim in found.proof.result["claims"]
            for doubt in claim["doubts"]
        }
        if found.proof is not None
        else {}
    )
    return await draft_page(
        request,
        visit,
        desk,
        "studio/trials.html",
        "trials",
        status=status,
        tried=found,
        lines=places,
        scenarios=len(scenarios),
        wrong=wrong,
        mine=visit.parts.jobs.of(visit.actor.account_id),
    )
