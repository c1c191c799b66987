"""Verifying the records from the browser: begin, watch, read what was found, take the account along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from textwrap import wrap
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audit.access import Access, Sought, looked
from audit.releases import present
from protocol.canonical import rfc3339
from web.account import fields
from web.errand import Errand, Order
from web.errands import Busy
from web.errors import NotThere, Refused
from web.guard import May
from web.looks import NOTHING, Visit
from web.pages import page
from web.people import names_of

router = APIRouter(include_in_schema=False)
Reader = Annotated[Visit, Depends(May("audit.read", NOTHING))]

KEPT = 10
"""Former results that the page lists."""
UNSEEN = ("Window", "Not covered")
NOT_DONE = ("not checked", "not asked", "not compared", "NOT asked", "Not compared")
WIDTH = 96


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was checked."""

    what: str
    text: str
    kind: str
    """`yes`, `no` for bad, `not` for not checked."""


@dataclass(frozen=True, slots=True)
class Result:
    """A verification as the access trail keeps it."""

    at: datetime
    by: str
    good: bool
    said: Sequence[str]
    found: Sequence[dict[str, Any]]
    count: int
    begun: datetime

    @property
    def checked(self) -> list[Line]:
        """What was checked, and how that went."""
        return [_line(one) for one in self.said if not one.startswith(UNSEEN)]

    @property
    def unseen(self) -> list[str]:
        """What could have been done and not be seen."""
        return [one for one in self.said if one.startswith(UNSEEN)]


def _line(said: str) -> Line:
    what, _, text = said.partition(": ")
    kind = "no" if "BAD" in text else "not" if any(one in text for one in NOT_DONE) else "yes"
    return Line(what, text, kind)


async def results(visit: Visit, at: datetime | None = None, most: int = KEPT) -> list[Result]:
    """Former verifications, the latest first; `at`: the one of this moment."""
    # Of no episode, which there is an index for: the access trail is long.
    sought = Sought(episode_id="", what="verified", begins=at, ends=at and at + timedelta(microseconds=1))
    return [result_of(one) for one in await looked(visit.parts.database, sought, most) if "good" in one.detail]


def result_of(one: Access) -> Result:
    """A row of the access trail as a result."""
    told = one.detail
    begun = datetime.fromisoformat(told["begun"])
    return Result(one.at, one.who, told["good"], told["said"], told["found"], told["count"], begun)


def under_way(visit: Visit) -> Errand | None:
    """The verification that somebody began and that goes on."""
    found = visit.parts.errands.everything(visit.parts.clock())
    return next((one for one in found if one.order.kind == "verification" and not one.over), None)


def begin(visit: Visit, *, workflows: bool) -> Errand:
    """Begin a verification, or join the one that goes on. Raises Busy."""
    order = Order(
        kind="verification",
        by=visit.actor.account_id,
        role=visit.actor.roles[0],
        asked_at=visit.parts.clock(),
        workflows=workflows,
    )
    return under_way(visit) or visit.parts.errands.begin(order)


@router.get("/audit/verify")
async def verify(request: Request, visit: Reader) -> Response:
    """The last result, what is under way, and the button."""
    return await shown(request, visit)


@router.post("/audit/verify")
async def start(request: Request, visit: Reader) -> Response:
    """Begin."""
    form = await fields(request)
    try:
        begin(visit, workflows=form.get("workflows") == "yes")
    except Busy as error:
        return await shown(request, visit, wrong=str(error), status=409)
    return RedirectResponse("/audit/verify", 303)


@router.post("/audit/errands/{errand_id}/stop")
async def stop(visit: Reader, errand_id: str) -> Response:
    """Give up what one has under way."""
    errand = visit.parts.errands.get(errand_id, visit.actor.account_id, visit.parts.clock())
    if errand is None:
        raise NotThere
    visit.parts.errands.stop(errand)
    places = {"verification": "/audit/verify", "export": f"/audit/exports/{errand_id}"}
    return RedirectResponse(places.get(errand.order.kind, f"/audit/conformance/{errand_id}"), 303)


@router.get("/audit/verify/account.txt")
async def account(visit: Reader, at: Annotated[datetime, Query()]) -> Response:
    """One result as a text to keep."""
    if at.tzinfo is None:
        raise Refused("which result?", "take the link beside it")
    found = await results(visit, at)
    if not found:
        raise NotThere
    names = await names_of(visit.parts)
    text = "\n".join(as_text(found[0], names(found[0].by)))
    headers = {"Content-Disposition": f'attachment; filename="verification-{at:%Y-%m-%d-%H%M}.txt"'}
    return Response(text + "\n", media_type="text/plain; charset=utf-8", headers=headers)


def as_text(one: Result, by: str) -> Iterator[str]:
    """A result as lines."""
    release = present()
    yield "Verification of the records of Holdfast"
    yield f"Begun {rfc3339(one.begun)}, ended {rfc3339(one.at)}, by {by}. Holdfast {release.version}."
    yield from ("", "All good." if one.good else f"{one.count} FOUND BAD.", "", "What was checked")
    for line in (*one.said, *([STANDING] if one.good else [])):
        yield from wrap(line, WIDTH, initial_indent="- ", subsequent_indent="  ")
    if one.found:
        yield from ("", "What was found")
    for number, found in enumerate(one.found, start=1):
        told = (("", found["text"]), ("It means: ", found["means"]), ("Do next: ", found["next"]))
        for place, (lead, text) in enumerate(told):
            yield from wrap(
                lead + text, WIDTH, initial_indent="   " if place else f"{number}. ", subsequent_indent="   "
            )
    if one.count > len(one.found):
        yield f"and {one.count - len(one.found)} more; `holdfast audit verify` names them all."


STANDING = (
    "What is written between two checkpoints, at most 60 seconds or 1 000 rows apart, could be rewritten or cut off "
    "unseen by somebody who owns the database and every key. An old backup, restored with its own checkpoints, shows "
    "only against a checkpoint that was kept outside: `holdfast audit verify --checkpoint FILE`."
)
"""The unprotected window, whatever was found."""


async def shown(request: Request, visit: Visit, *, wrong: str = "", status: int = 200) -> Response:
    """The page."""
    parts, me = visit.parts, visit.actor.account_id
    kept, running = await results(visit), under_way(visit)
    own = parts.errands.of(me, parts.clock(), "verification")
    ended = own[0] if running is None and own and own[0].state.standing in ("failed", "stopped") else None
    return await page(
        request,
        "verify.html",
        status=status,
        last=kept[0] if kept else None,
        former=kept[1:],
        running=running,
        mine=running is not None and running.order.by == me,
        ended=ended,
        standing=STANDING,
        names=await names_of(parts),
        wrong=wrong,
    )


def as_object(one: Result) -> dict[str, Any]:
    """For the API."""
    return asdict(one)
