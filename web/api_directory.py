"""Emergency resources, changes to their numbers, facilities and the rota through the API."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse

from practice.facilities import FacilityError, Kept, identity, read_csv
from practice.numbers import NumberError
from protocol.directory import look_up
from protocol.roster import gaps
from protocol.rota import resolve
from web.api_bodies import ANSWER, CSV, FACILITY, NUMBERS, takes
from web.api_commands import given
from web.api_guard import Problem, body_of, call
from web.api_routes import Key, api_router
from web.effective import effective
from web.errors import NotThere
from web.facilities import Id
from web.guard import Visit
from web.rota import AHEAD, MOST_GAPS

router = api_router()
Reader = Annotated[Visit, call("directory.read")]
Writer = Annotated[Visit, call("directory.write")]


@router.get("/resources")
async def resources(
    visit: Reader, county: Annotated[str | None, Query(max_length=48)] = None, life_in_danger: bool = False
) -> JSONResponse:
    """Whom to call in a county today, approved changes included. Nothing here calls anybody."""
    today = visit.parts.clock().astimezone(visit.parts.zone).date()
    directory = await visit.parts.numbers.current(visit.parts.directory)
    return given(asdict(look_up(directory, county, today, life_in_danger=life_in_danger)))


@router.get("/resources/changes")
async def number_changes(visit: Reader) -> JSONResponse:
    """Changes of numbers that wait for a second person."""
    return given([asdict(one) for one in await visit.parts.numbers.waiting()])


@router.post("/resources/changes", status_code=201, openapi_extra=takes("NumbersBody"))
async def propose(request: Request, visit: Writer, key: Key) -> JSONResponse:
    """Propose other numbers for a resource; nothing changes until another person approves."""
    body, parts = await body_of(request, NUMBERS), visit.parts
    directory = await parts.numbers.current(parts.directory)
    ways = [one.model_dump() for one in body.ways]
    try:
        made = await parts.numbers.propose(
            directory, body.resource, ways, body.reason, visit.actor.account_id, parts.clock()
        )
    except NumberError as error:
        raise Problem(422, str(error).capitalize(), "Change what is named and send it again.") from None
    return JSONResponse({"change_id": made}, 201)


@router.post("/resources/changes/{change_id}", openapi_extra=takes("AnswerBody"))
async def answer(
    request: Request, visit: Writer, change_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")], key: Key
) -> JSONResponse:
    """Approve or turn down what another person proposed."""
    body = await body_of(request, ANSWER)
    try:
        await visit.parts.numbers.answer(change_id, visit.actor.account_id, visit.parts.clock(), approve=body.approve)
    except NumberError as error:
        remedy = "GET /api/v1/resources/changes lists what waits."
        raise Problem(409, str(error).capitalize(), remedy, code="not_yours_to_answer") from None
    return JSONResponse({"change_id": change_id, "approved": body.approve})


@router.get("/facilities")
async def facilities(visit: Reader, kind: Annotated[str, Query(max_length=30)] = "") -> JSONResponse:
    """Every facility, by county and name."""
    return given([_shown(one) for one in await visit.parts.facilities.listed(kind)])


@router.post("/facilities/import", status_code=201, openapi_extra=takes("CsvBody"))
async def import_facilities(request: Request, visit: Writer, key: Key) -> JSONResponse:
    """Import all lines of CSV, or none and say why."""
    try:
        found = read_csv((await body_of(request, CSV)).csv)
        ids = [identity(one.name) for one in found]
        await visit.parts.facilities.save_all(found, visit.actor.account_id, visit.parts.clock())
    except FacilityError as error:
        raise Problem(422, str(error).capitalize(), "Mend the named line.") from None
    return JSONResponse({"facility_ids": ids}, 201)


@router.get("/facilities/{facility_id}")
async def facility(visit: Reader, facility_id: Id) -> JSONResponse:
    """One facility."""
    kept = await visit.parts.facilities.get(facility_id)
    if kept is None:
        raise NotThere
    return given(_shown(kept))


@router.put("/facilities/{facility_id}", openapi_extra=takes("FacilityBody"))
async def keep_facility(request: Request, visit: Writer, facility_id: Id, key: Key) -> JSONResponse:
    """Keep a facility, new or changed."""
    body = await body_of(request, FACILITY)
    await visit.parts.facilities.save(body, visit.actor.account_id, visit.parts.clock(), facility_id)
    return JSONResponse({"facility_id": facility_id})


@router.get("/rota")
async def rota(visit: Reader, days: Annotated[int, Query(ge=1, le=14)] = 14) -> JSONResponse:
    """Who answers now in each role, who is away, and hours of the next days at which nobody would answer."""
    now, known = visit.parts.clock(), await visit.parts.rota.current()
    today, until = now.astimezone(visit.parts.zone).date(), now + min(timedelta(days=days), AHEAD)
    roles = sorted({role for person in known.people for role in person.roles})
    open_now = tuple((await effective(visit.parts)).values())
    told = {
        "answering": {role: [one.id for one in resolve(known, role, now)] for role in roles},
        "leave": [one.model_dump(mode="json") for one in known.leave if one.last >= today],
        "gaps": [asdict(one) for one in gaps(known, open_now, now, until)[:MOST_GAPS]],
    }
    return given(told)


def _shown(one: Kept) -> dict[str, object]:
    return {"facility_id": one.facility_id, **one.facility.model_dump(mode="json"), "revision": one.revision}
