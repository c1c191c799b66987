"""What a version would have done with recorded episodes, and moving open ones to it: foreseen, signed, then done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audit.counterfactual import Tried, over_records
from audit.moving import Foreseen, Order, command_for, deadlines, foresee_all, notes, why_not
from audit.trails import episode_ids
from protocol.commands import MAX_TEXT
from protocol.facts import Refused
from protocol.publishing import SignOff
from protocol.spec import ProtocolSpec
from protocol.whatif import load
from protocol.words import Words
from web.access import authorize
from web.acting import command_id_of
from web.guard import May, Visit
from web.looks import Reads, shows
from web.pages import fresh_key, page
from web.parts import Parts
from web.protocols import Hash
from web.studio.desk import DraftId, draft_page, on_desk, typed_in
from web.studio.review import Case, approver, case_of
from web.thread import in_thread
from workflows.client import EpisodeError

router = APIRouter(include_in_schema=False)

REPLAYS = Reads("shown", "replayed")
MOST_COMPARED = 50
"""Recorded episodes that one page compares, the latest."""
MOST_MOVED = 500
PUBLISHED = ("in effect", "superseded")


@dataclass
class Move:
    """Episodes that are being moved by this process."""

    by: str
    total: int
    results: dict[str, str] = field(default_factory=dict[str, str])
    """Episode → what became of it."""
    over: bool = False


_moves: dict[str, Move] = {}
_tasks: set[asyncio.Task[None]] = set()


@router.get("/studio/{draft_id}/whatif")
async def what_if(
    request: Request, visit: Annotated[Visit, Depends(May("protocol.study", REPLAYS))], draft_id: DraftId
) -> Response:
    """What a draft would have done with the latest recorded episodes. Whoever may see no episode sees the sums."""
    desk, parts = await on_desk(visit, draft_id), visit.parts
    spec, found = desk.reading.spec, list[Tried]()
    if spec is not None and desk.reading.usable:
        ids = list(await episode_ids(parts.database, spec.protocol, open_only=False))[-MOST_COMPARED:]
        await shows(visit, [(one, "") for one in ids])
        found = await in_thread(_compared, parts, spec, ids)
    compared = [one.comparison for one in found if one.comparison is not None]
    return await draft_page(
        request,
        visit,
        desk,
        "studio/whatif.html",
        "whatif",
        compared=compared,
        differ=[one for one in compared if one.first is not None],
        missed=sum(one.missed_contacts for one in compared),
        load=load(compared),
        not_compared=[one for one in found if one.comparison is None],
        may_see=authorize(visit.actor, "episode.read"),
        most=MOST_COMPARED,
    )


def _compared(parts: Parts, spec: ProtocolSpec, ids: Sequence[str]) -> list[Tried]:
    async def collect() -> list[Tried]:
        return [one async for one in over_records(parts.database, parts.ring, spec, ids)]

    return asyncio.run(collect())


@router.get("/protocols/{content_hash}/moving")
async def moving(
    request: Request, visit: Annotated[Visit, Depends(May("protocol.approve", REPLAYS))], content_hash: Hash
) -> Response:
    """What moving the open episodes of other versions to this one would change, deadline by deadline."""
    return await _shown(request, visit, await case_of(visit, content_hash))


@router.post("/protocols/{content_hash}/moving")
async def move(
    request: Request, visit: Annotated[Visit, Depends(May("protocol.approve", REPLAYS))], content_hash: Hash
) -> Response:
    """Move them. Nothing at all is moved while a deadline would come later or be dropped and nobody signs for it."""
    case, typed = await case_of(visit, content_hash), await typed_in(request)
    found, reason = await _foreseen(visit, case.spec), typed.get("reason", "").strip()
    refused = _unfit(case, found, typed, reason)
    actor = await approver(visit, case)
    if refused is None and isinstance(actor, Refused):
        refused = actor
    if refused is not None or isinstance(actor, Refused):
        return await _shown(request, visit, case, refused, status=422)
    order = Order(actor.by, actor.role, SignOff(actor.by, actor.role, reason) if reason else None)
    movable = [one for one in found if not isinstance(one.found, Refused)]
    under_way = _moves.get(content_hash)
    if under_way is None or under_way.over:
        _moves[content_hash] = Move(actor.by, len(movable))
        key = typed.get("key", "")
        task = asyncio.create_task(_move(visit, case.spec, movable, order, key, _moves[content_hash]))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
    return RedirectResponse(f"/protocols/{content_hash}/moving", 303)


def _unfit(case: Case, found: Sequence[Foreseen], typed: dict[str, str], reason: str) -> Refused | None:
    if case.state not in PUBLISHED:
        return Refused("not_published", f"It is {case.state}.", "Publish it first.")
    if typed.get("seen", "") != _marks(found):
        return Refused("changed", "What would change is not what you saw any more.", "Look at it again.")
    if len(reason) > MAX_TEXT:
        return Refused("too_long", f"The reason has more than {MAX_TEXT} characters.", "Shorten it.")
    if any(one.needs_sign_off for one in found) and not reason:
        message = "A deadline would come later, be dropped or weaken, and nobody signs for it."
        return Refused("unsigned", message, "Say why; you answer for it by name.")
    return None


async def _move(
    visit: Visit, new: ProtocolSpec, movable: Sequence[Foreseen], order: Order, key: str, progress: Move
) -> None:
    try:
        for one in movable:
            progress.results[one.episode_id] = await _moved(visit, new, one, order, key)
    finally:
        progress.over = True


async def _moved(visit: Visit, new: ProtocolSpec, one: Foreseen, order: Order, key: str) -> str:
    command_id = command_id_of(visit.actor, one.episode_id, f"{new.content_hash}/{key}")
    command = command_for(new, one, order, command_id, visit.parts.clock())
    try:
        receipt = await (await visit.parts.engine.commands()).migrate(one.episode_id, command, new)
    except EpisodeError as error:
        return f"not moved: {error}"
    refused = receipt.refusal
    return "moved" if refused is None else f"refused: {refused.message} {refused.remedy}"


async def _foreseen(visit: Visit, new: ProtocolSpec) -> list[Foreseen]:
    parts = visit.parts
    ids = list(await episode_ids(parts.database, new.protocol, open_only=True))[:MOST_MOVED]
    await shows(visit, [(one, "") for one in ids])
    return [one async for one in foresee_all(parts.database, parts.ring, new, ids, parts.clock())]


def _marks(found: Sequence[Foreseen]) -> str:
    """What was seen, so that nobody signs for something else: the episodes, and which need a signature."""
    return " ".join(f"{one.episode_id}{'*' if one.needs_sign_off else ''}" for one in found)


async def _shown(
    request: Request, visit: Visit, case: Case, refused: Refused | None = None, status: int = 200
) -> Response:
    found, words = await _foreseen(visit, case.spec), Words(case.spec)
    actor = await approver(visit, case)
    rows: list[dict[str, Any]] = [row for one in found for row in deadlines(one, case.spec)]
    return await page(
        request,
        "studio/moving.html",
        status=status,
        case=case,
        spec=case.spec,
        found=found,
        rows=[row for row in rows if row["effect"] != "kept"],
        kept=sum(row["effect"] == "kept" for row in rows),
        stuck={one.episode_id: why_not(one.found) for one in found if isinstance(one.found, Refused)},
        notes={one.episode_id: told for one in found if (told := notes(one, case.spec))},
        unsigned=sum(one.needs_sign_off for one in found),
        marks=_marks(found),
        move=_moves.get(case.spec.content_hash),
        refused=refused,
        unable=actor if isinstance(actor, Refused) else None,
        published=case.state in PUBLISHED,
        words=words,
        key=fresh_key(),
    )
