"""Finding an episode in the records: every filter in the address, kept for oneself under a name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from pydantic import BeforeValidator, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audit import search
from audit.search import Wanted
from audit.versions import versions
from web.account import fields
from web.asked import Asked, Word
from web.errors import NotThere
from web.guard import May
from web.looks import NOTHING, SHOWN, Visit, shows
from web.pages import page
from web.parts import Parts
from web.people import names_of
from web.shelf import UnknownProtocolError

router = APIRouter(include_in_schema=False)
Reader = Annotated[Visit, Depends(May("audit.read", SHOWN))]
Keeper = Annotated[Visit, Depends(May("audit.read", NOTHING))]

ROWS = 50
LONGEST_NAME = 64
STATES = {"open": True, "closed": False}
DRILLS = {"only": True, "none": False}


class SearchAsked(Asked):
    """What is searched."""

    episode: Word = None
    client: Word = None
    therapist: Word = None
    protocol: Word = None
    """Name, or name and version with a space between."""
    breach: Word = None
    state: Annotated[Literal["open", "closed"] | None, BeforeValidator(lambda given: given or None)] = None
    drills: Annotated[Literal["only", "none"] | None, BeforeValidator(lambda given: given or None)] = None
    saved: Word = None
    """A filter of one's own, instead of all the others."""

    def wanted(self, zone: ZoneInfo) -> Wanted:
        """The same as the records understand it."""
        name, _, version = (self.protocol or "").partition(" ")
        return Wanted(
            episode=self.episode,
            client_ref=self.client,
            therapist=self.therapist,
            protocol=name or None,
            version=version or None,
            breach=self.breach,
            begins=self.begins(zone),
            ends=self.ends(zone),
            open=STATES.get(self.state or ""),
            drill=DRILLS.get(self.drills or ""),
        )


@router.get("/audit")
async def listed(request: Request, visit: Reader, asked: Annotated[SearchAsked, Query()]) -> Response:
    """The episodes that fit, the latest first."""
    parts = visit.parts
    kept = await search.saved(parts.database, visit.actor.account_id)
    if asked.saved is not None and asked.saved not in kept:
        raise NotThere
    wanted = kept[asked.saved] if asked.saved is not None else asked.wanted(parts.zone)
    answer = await search.search(parts.database, parts.ring, wanted, ROWS, (asked.page - 1) * ROWS)
    await shows(visit, ((one.episode_id, one.client_ref) for one in answer.found))
    return await page(
        request,
        "audit.html",
        rows=answer.found,
        total=answer.total,
        unreadable=answer.unreadable,
        pages=ceil(answer.total / ROWS),
        asked=asked,
        shown=as_asked(wanted, parts.zone),
        address=asked.address("/audit"),
        kept=kept,
        names=await names_of(parts),
        people=[{"value": one.account_id, "label": one.name} for one in await parts.accounts.everybody()],
        choices=await choices(parts),
    )


@router.post("/audit/saved")
async def save(request: Request, visit: Keeper) -> Response:
    """Keep the filters of the form under a name."""
    form, parts = await fields(request), visit.parts
    name = form.get("name", "").strip()[:LONGEST_NAME]
    given = {one: form[one] for one in ("from", "to", *SearchAsked.model_fields) if form.get(one)}
    try:
        asked = SearchAsked.model_validate({key: value for key, value in given.items() if key not in ("page", "saved")})
    except ValidationError:
        raise NotThere from None
    if not name:
        return RedirectResponse(asked.address("/audit"), 303)
    await search.save(parts.database, visit.actor.account_id, name, asked.wanted(parts.zone), parts.clock())
    return RedirectResponse(f"/audit?{urlencode({'saved': name})}", 303)


@router.post("/audit/saved/forget")
async def forget(request: Request, visit: Keeper) -> Response:
    """Drop a filter of one's own."""
    name = (await fields(request)).get("name", "")
    await search.forget(visit.parts.database, visit.actor.account_id, name)
    return RedirectResponse("/audit", 303)


async def choices(parts: Parts) -> Mapping[str, list[dict[str, str]]]:
    """What one may choose from: the versions that episodes ran under, and the deadlines that these name."""
    known = await versions(parts.database)
    protocols: dict[str, str] = {}
    breaches: dict[str, str] = {}
    for one in known:
        protocols.setdefault(one.name, f"{one.name.replace('_', ' ').capitalize()}, any version")
        protocols[f"{one.name} {one.version}"] = f"{one.name.replace('_', ' ').capitalize()} {one.version}"
        try:
            spec = (await parts.shelf.pinned(one.hash)).spec
        except UnknownProtocolError:
            continue
        for name, duty in spec.obligations.items():
            breaches.setdefault(name, duty.title)
    return {"protocols": _choices(protocols), "breaches": _choices(dict(sorted(breaches.items(), key=_title)))}


def _title(pair: tuple[str, str]) -> str:
    return pair[1].casefold()


def _choices(found: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"value": value, "label": label} for value, label in found.items()]


def as_asked(wanted: Wanted, zone: ZoneInfo) -> dict[str, Any]:
    """A filter as the fields of the page show it."""
    return {
        **wanted.model_dump(include={"episode", "therapist", "breach"}),
        "client": wanted.client_ref,
        "protocol": " ".join(one for one in (wanted.protocol, wanted.version) if one),
        "from": _day(wanted.begins, zone),
        "to": _day(wanted.ends and wanted.ends - timedelta(microseconds=1), zone),
        "state": next((name for name, value in STATES.items() if wanted.open == value), ""),
        "drills": next((name for name, value in DRILLS.items() if wanted.drill == value), ""),
    }


def _day(moment: datetime | None, zone: ZoneInfo) -> str:
    return "" if moment is None else moment.astimezone(zone).date().isoformat()
