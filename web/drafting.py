"""What is typed into a long form and not sent yet: kept as one types, sealed, there again in another browser."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from practice.drafts import LONGEST_FIELD, Fields
from protocol.local_time import show_clock
from protocol.words import plain
from web.attempt import first
from web.errors import NotThere
from web.forms import FACT, fields_of
from web.guard import FORM_TOKEN, MOST_FIELDS, May, Visit

router = APIRouter(include_in_schema=False)
Own = Annotated[Visit, Depends(May("self"))]

HIDDEN = (FORM_TOKEN, "key", "back", "draft")
PLACE = re.compile(r"(report|client/[A-Za-z0-9._:-]{1,64}|facility/[a-z0-9-]{1,60}|opening/[A-Za-z0-9._:-]{1,64})")
"""Forms whose typing is kept here; those of an episode are kept beside it."""


@router.post("/drafts")
async def keep(request: Request, visit: Own) -> Response:
    """Keep what was typed so far. Without scripts, back to the form."""
    fields = fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())
    return answered(request, await saved(visit, place_of(fields), fields), address_of(first(fields, "draft")))


@router.post("/drafts/forget")
async def start_over(request: Request, visit: Own) -> Response:
    """Drop what was typed, and show the form as it is without it."""
    fields = fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())
    await visit.parts.drafts.forget(visit.actor.account_id, place_of(fields))
    return RedirectResponse(address_of(first(fields, "draft")), 303)


def place_of(fields: Fields) -> str:
    """Where the draft of a page's form is kept. Raises NotThere for no form of ours."""
    if not PLACE.fullmatch(first(fields, "draft")):
        raise NotThere
    return f"page/{first(fields, 'draft')}"


def address_of(draft: str) -> str:
    """The page on which the form stands."""
    kind, _, which = draft.partition("/")
    match kind:
        case "client":
            return "/clients/new" if which == "new" else f"/clients/{which}/change"
        case "facility":
            return f"/facilities/{which}"
        case "opening":
            return f"/openings/new/{which}"
        case _:
            return "/report"


async def saved(visit: Visit, place: str, fields: Fields) -> str:
    """Keep the fields; what to say about it, also where something was too long to keep whole."""
    now = visit.parts.clock()
    kept = {name: values for name, values in fields.items() if name not in HIDDEN}
    cut = await visit.parts.drafts.save(visit.actor.account_id, place, kept, now)
    said = f"Saved {show_clock(now.replace(second=0, microsecond=0), visit.parts.zone)}"
    if not cut:
        return said
    names = ", ".join(plain(name.removeprefix(FACT)) for name in cut)
    return f"{said}, but only the first {LONGEST_FIELD} characters of: {names}. Shorten it or send it now."


def answered(request: Request, said: str, back: str) -> Response:
    """The answer to whoever saved: words for a script, the page without one."""
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"said": said})
    return RedirectResponse(back, 303)


async def found(visit: Visit, place: str) -> tuple[Fields, str]:
    """What was typed there and not sent, and when it was saved; empty when there is nothing."""
    draft = await visit.parts.drafts.at(visit.actor.account_id, f"page/{place}")
    if draft is None:
        return {}, ""
    return draft.fields, f"Not sent yet. Saved {show_clock(draft.saved_at.replace(second=0), visit.parts.zone)}"


async def sent(visit: Visit, place: str) -> None:
    """The form was taken: forget what was typed."""
    await visit.parts.drafts.forget(visit.actor.account_id, f"page/{place}")
