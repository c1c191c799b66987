"""Facilities that are asked for a place: the list, changes, and the import of many."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from practice.facilities import KINDS, Facility, FacilityError, identity, read_csv, read_facility
from web.access import authorize
from web.errors import NotThere
from web.guard import May, Visit
from web.pages import page
from web.people import names_of

router = APIRouter(include_in_schema=False)

Id = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
SAID = {"saved": "Saved.", "imported": "All lines were imported."}
FIELDS = tuple(Facility.model_fields)


@router.get("/facilities")
async def listed(
    request: Request,
    visit: Annotated[Visit, Depends(May("directory.read"))],
    kind: Annotated[str, Query(max_length=30)] = "",
    said: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Every facility, by county; expired entries are marked."""
    return await page(
        request,
        "facilities.html",
        found=await visit.parts.facilities.listed(kind),
        kind=kind,
        kinds=KINDS,
        names=await names_of(visit.parts),
        today=visit.parts.clock().astimezone(visit.parts.zone).date(),
        may_change=authorize(visit.actor, "directory.write"),
        flash=SAID.get(said),
    )


@router.get("/facilities/new")
async def new(request: Request, visit: Annotated[Visit, Depends(May("directory.write"))]) -> Response:
    """An empty form."""
    today = visit.parts.clock().astimezone(visit.parts.zone).date()
    return await _form(request, {"kind": "php", "checked": today.isoformat()})


@router.post("/facilities/new")
async def add(request: Request, visit: Annotated[Visit, Depends(May("directory.write"))]) -> Response:
    """Keep a new entry; a name that is there already is not written over."""
    written = await _written(request)
    try:
        facility = read_facility(written)
        if await visit.parts.facilities.get(identity(facility.name)) is not None:
            raise FacilityError("name: there is a facility of this name already; change that one")
        await visit.parts.facilities.save(facility, visit.actor.account_id, visit.parts.clock())
    except FacilityError as error:
        return await _form(request, written, str(error))
    return RedirectResponse("/facilities?said=saved", 303)


@router.get("/facilities/import")
async def import_form(request: Request, visit: Annotated[Visit, Depends(May("directory.write"))]) -> Response:
    """Where lines are pasted."""
    return await page(request, "facilities_import.html", columns=FIELDS, text="", problem="")


@router.post("/facilities/import")
async def import_many(request: Request, visit: Annotated[Visit, Depends(May("directory.write"))]) -> Response:
    """Import all lines, or none and say why."""
    text = str((await request.form()).get("text", ""))
    try:
        found = read_csv(text)
        for one in found:
            identity(one.name)
    except FacilityError as error:
        return await page(request, "facilities_import.html", status=422, columns=FIELDS, text=text, problem=str(error))
    for one in found:
        await visit.parts.facilities.save(one, visit.actor.account_id, visit.parts.clock())
    return RedirectResponse("/facilities?said=imported", 303)


@router.get("/facilities/{facility_id}")
async def change_form(
    request: Request, facility_id: Id, visit: Annotated[Visit, Depends(May("directory.write"))]
) -> Response:
    """The form with what is kept."""
    kept = await visit.parts.facilities.get(facility_id)
    if kept is None:
        raise NotThere
    return await _form(request, kept.facility.model_dump(mode="json"))


@router.post("/facilities/{facility_id}")
async def change(
    request: Request, facility_id: Id, visit: Annotated[Visit, Depends(May("directory.write"))]
) -> Response:
    """Keep what was changed."""
    if await visit.parts.facilities.get(facility_id) is None:
        raise NotThere
    written = await _written(request)
    try:
        facility = read_facility(written)
    except FacilityError as error:
        return await _form(request, written, str(error))
    await visit.parts.facilities.save(facility, visit.actor.account_id, visit.parts.clock(), facility_id)
    return RedirectResponse("/facilities?said=saved", 303)


async def _written(request: Request) -> dict[str, Any]:
    form = await request.form()
    return {name: str(form[name]) for name in FIELDS if name in form}


async def _form(request: Request, written: dict[str, Any], error: str = "") -> Response:
    place, _, words = error.partition(": ")
    return await page(
        request,
        "facility_form.html",
        status=422 if error else 200,
        written=written,
        kinds=[{"value": name, "label": label} for name, label in KINDS.items()],
        place=place,
        words=words or error,
    )
