"""Drafts of protocols: begin one, write, check, lay out, go back to an earlier save, put away."""

from __future__ import annotations

from difflib import unified_diff
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from practice.protocol_drafts import LONGEST, TYPED, ConflictError, Draft, DraftError
from protocol_specs.located import SpecErrors
from protocol_specs.schema import schema_text
from protocol_specs.starting import tidied
from web.errors import NotThere
from web.guard import Visit
from web.pages import page, when
from web.studio.begin import begun, offered
from web.studio.beside import SIDES, Side, beside
from web.studio.desk import DraftId, OnDesk, Studying, Writing, draft_page, on_desk, typed_in
from web.studio.reading import Reading, reading
from web.thread import in_thread

router = APIRouter(include_in_schema=False)

MOST_DIFFERING = 400
"""Lines of a comparison that are shown."""


Start = Annotated[str, Query(alias="from", max_length=80)]


@router.get("/studio/new")
async def new(request: Request, visit: Writing, start: Start = "") -> Response:
    """What a draft can begin with."""
    return await page(request, "studio/new.html", offered=await offered(visit), typed={"start": start}, wrong="")


@router.post("/studio/new")
async def begin(request: Request, visit: Writing) -> Response:
    """Begin a draft."""
    typed = await typed_in(request)
    made = await begun(visit, typed)
    if isinstance(made, Draft):
        return RedirectResponse(f"/studio/{made.draft_id}", 303)
    return await page(
        request,
        "studio/new.html",
        status=422,
        offered=await offered(visit),
        typed=typed,
        wrong=made.message,
        place=made.field,
    )


@router.get("/studio/schema.json")
async def schema(visit: Studying) -> Response:
    """What a protocol may consist of, for completion while typing."""
    return Response(schema_text("protocol"), media_type="application/json")


@router.get("/studio/{draft_id}")
async def write(request: Request, visit: Studying, draft_id: DraftId, side: Side = "diagram") -> Response:
    """The editor, and beside it what the draft amounts to."""
    return await shown(request, visit, await on_desk(visit, draft_id), side)


@router.post("/studio/{draft_id}/lint")
async def lint(request: Request, visit: Writing, draft_id: DraftId) -> Response:
    """What is wrong in a text as it is typed. Nothing is kept."""
    return JSONResponse(_told(await reading((await typed_in(request)).get("text", "")[: LONGEST + 1])))


@router.post("/studio/{draft_id}/save")
async def save(request: Request, visit: Writing, draft_id: DraftId) -> Response:
    """Keep what was typed; or show both where somebody else saved meanwhile."""
    typed, parts = await typed_in(request), visit.parts
    text, desk = typed.get("text", ""), await on_desk(visit, draft_id)
    quiet = "application/json" in request.headers.get("accept", "")
    read = await reading(text)
    try:
        draft = await parts.protocol_drafts.save(
            draft_id, text, read.about, seen_in(typed), visit.actor.account_id, parts.clock(), TYPED
        )
    except ConflictError as error:
        if quiet:
            return JSONResponse({"said": f"Not saved: {error}. Press Save to see both."}, 409)
        return await conflict(request, visit, desk, error.there, text)
    except DraftError as error:
        if quiet:
            return JSONResponse({"said": f"Not saved: {error}"}, 422)
        return await shown(request, visit, desk, text=text, wrong=str(error), status=422)
    if quiet:
        said = f"Saved {when(parts, parts.clock(), draft.saved_at)}"
        return JSONResponse({**_told(read), "revision": draft.revision, "said": said})
    return RedirectResponse(f"/studio/{draft_id}#findings", 303)


@router.post("/studio/{draft_id}/tidy")
async def tidy(request: Request, visit: Writing, draft_id: DraftId) -> Response:
    """Put what was typed into the canonical layout and keep it."""
    typed, desk = await typed_in(request), await on_desk(visit, draft_id)
    text = typed.get("text", "")
    try:
        text = await in_thread(tidied, text)
    except SpecErrors:
        return await shown(request, visit, desk, text=text, wrong="Mend what can't be read first.", status=422)
    return await _kept(request, visit, desk, text, seen_in(typed), "laid out")


@router.get("/studio/{draft_id}/history")
async def history(
    request: Request, visit: Studying, draft_id: DraftId, revision: Annotated[int, Query(ge=0, le=10**9)] = 0
) -> Response:
    """Every save, and what it differs in from the draft as it is."""
    desk = await on_desk(visit, draft_id)
    kept = await visit.parts.protocol_drafts.history(draft_id)
    chosen = await visit.parts.protocol_drafts.text_of(draft_id, revision) if revision else None
    lines = differing(chosen, desk.draft.text) if chosen is not None else []
    return await draft_page(
        request, visit, desk, "studio/history.html", "history", saves=kept, revision=revision, lines=lines
    )


@router.post("/studio/{draft_id}/restore")
async def restore(request: Request, visit: Writing, draft_id: DraftId) -> Response:
    """Go back to an earlier save. What was there stays in the history."""
    typed, desk = await typed_in(request), await on_desk(visit, draft_id)
    wanted = typed.get("wanted", "")
    text = await visit.parts.protocol_drafts.text_of(draft_id, int(wanted) if wanted.isdecimal() else 0)
    if text is None:
        raise NotThere
    return await _kept(request, visit, desk, text, seen_in(typed), f"back to {wanted}")


@router.post("/studio/{draft_id}/put-away")
async def put_away(visit: Writing, draft_id: DraftId) -> Response:
    """Take a draft from the list, or bring it back."""
    draft = await visit.parts.protocol_drafts.get(draft_id)
    if draft is None:
        raise NotThere
    back = draft.put_away_at is not None
    await visit.parts.protocol_drafts.put_away(draft_id, None if back else visit.parts.clock())
    return RedirectResponse(f"/studio/{draft_id}" if back else "/protocols", 303)


async def _kept(request: Request, visit: Visit, desk: OnDesk, text: str, seen: int, what: str) -> Response:
    about, parts = (await reading(text)).about, visit.parts
    try:
        await parts.protocol_drafts.save(
            desk.draft.draft_id, text, about, seen, visit.actor.account_id, parts.clock(), what
        )
    except ConflictError as error:
        return await conflict(request, visit, desk, error.there, text)
    except DraftError as error:
        return await shown(request, visit, desk, text=text, wrong=str(error), status=422)
    return RedirectResponse(f"/studio/{desk.draft.draft_id}", 303)


async def shown(
    request: Request,
    visit: Visit,
    desk: OnDesk,
    side: Side = "diagram",
    *,
    text: str | None = None,
    wrong: str = "",
    status: int = 200,
) -> Response:
    """The editor with a text: the draft's, or one that was typed and not kept."""
    read = desk.reading if text is None else await reading(text)
    return await draft_page(
        request,
        visit,
        desk,
        "studio/draft.html",
        "write",
        status=status,
        text=desk.draft.text if text is None else text,
        found=read.found,
        counted=read.counted,
        wrong=wrong,
        looked_at=side,
        sides=SIDES,
        beside=await beside(visit, desk, side, request.state.nonce),
    )


async def conflict(request: Request, visit: Visit, desk: OnDesk, there: Draft, text: str) -> Response:
    """Both texts side by side, where they differ; either may be kept."""
    lines = differing(there.text, text)
    return await draft_page(
        request, visit, desk, "studio/conflict.html", "write", status=409, there=there, text=text, lines=lines
    )


def differing(before: str, after: str) -> list[tuple[str, str]]:
    """Where two texts differ: (kind, line), kind one of `@` for a place, `-`, `+` and a space."""
    lines = list(unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm=""))[2:]
    return [_line(line) for line in lines[:MOST_DIFFERING]]


def _line(line: str) -> tuple[str, str]:
    if line[0] != "@":
        return line[0], line[1:]
    return "@", f"Line {line.partition('+')[2].partition(',')[0].partition(' ')[0]}"


def seen_in(typed: dict[str, str]) -> int:
    """The revision that the author saw; 0, which none is, where the form does not say."""
    seen = typed.get("revision", "")
    return int(seen) if seen.isdecimal() and len(seen) < 10 else 0


def _told(read: Reading) -> dict[str, Any]:
    return {"found": read.found, "counted": read.counted, "usable": read.usable}
