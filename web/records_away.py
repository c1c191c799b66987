"""The page for when the records do not answer: whom to call, and what was typed, to be sent again. Asks no database."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from protocol.directory import Directory, look_up
from web.errors import RecordsAway
from web.forms import fields_of
from web.guard import MOST_FIELDS, MOST_FILES, RECORDS_SECONDS, SAFE
from web.masking import answer
from web.pages import bare
from web.parts import Parts, parts_of
from web.signing_in import told_of

NEVER_KEPT = ("password", "present", "new", "code", "secret")
"""What the names of fields begin with that no page gives back."""


async def numbers_at_hand(parts: Parts) -> Directory:
    """The directory with its approved changes; without the records as it was read last, or as its file says."""
    try:
        async with asyncio.timeout(RECORDS_SECONDS):
            return await parts.numbers.current(parts.directory)
    except (SQLAlchemyError, TimeoutError):
        return parts.numbers.last or parts.directory


async def records_away(request: Request, *, declared: bool = False, status: int = 503) -> Response:
    """The page: with the form that was sent, under the same key; or, after an emergency that was taken, that it was."""
    parts, sent = parts_of(request), request.method not in SAFE
    directory = parts.numbers.last or parts.directory
    today = parts.clock().astimezone(parts.zone).date()
    fields = await _typed(request) if sent and not declared else []
    lines = [(directory.counties[one.county].title, one) for one in directory.resources.values() if one.county]
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    context: dict[str, Any] = {
        "error": RecordsAway(),
        "declared": declared,
        "urgent": sent and request.url.path.endswith("/emergency"),
        "chain": look_up(directory, None, today, life_in_danger=True).chain,
        "lines": sorted(lines, key=lambda one: one[0]),
        "sent": sent and not declared,
        "here": here,
        "fields": fields,
        "told": told_of(fields),
    }
    return answer(request, bare(request, "away.html", context), status)


async def _typed(request: Request) -> list[tuple[str, str]]:
    form = await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS)
    fields = fields_of(form.multi_items())
    return [
        (name, value) for name, values in fields.items() if name.split("-")[0] not in NEVER_KEPT for value in values
    ]
