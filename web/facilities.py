"""Facilities that are asked for a place: the list, changes, and the import of many."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from practice.facilities import (
    KINDS,
    Facility,
    FacilityError,
    Kept,
    StaleFacility,
    identity,
    read_csv,
    read_facility,
    write_csv,
)
from protocol.words import plain
from web import drafting
from web.access import authorize
from web.attempt import first
from web.errors import NotThere
from web.guard import May, Visit
from web.pages import page
from web.people import names_of
from web.uploads import NotText, lines_in

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


@router.get("/facilities/list.csv")
async def export(visit: Annotated[Visit, Depends(May("directory.read"))]) -> Response:
    """Every facility as CSV, to be checked and imported again."""
    headers = {"Content-Disposition": 'attachment; filename="facilities.csv"'}
    told = write_csv(await visit.parts.facilities.listed())
    return Response(told, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/facilities/new")
async def new(request: Request, visit: Annotated[Visit, Depends(May("directory.write"))]) -> Response:
    """An empty form, or what was typed into it before and not sent."""
    today = visit.parts.clock().astimezone(visit.parts.zone).date()
    fields, told = await drafting.found(visit, "facility/new")
    written = {name: values[0] for name, values in fields.items() if values and name in FIELDS}
    return await _form(request, written or {"kind": "php", "checked": today.isoformat()}, saved=told)


@router.post("/facilities/new")
async def add(request: Request, visit: Annotated[Visit, Depends(May("directory.write"))]) -> Response:
    """Keep a new entry; a name that is there already is not written over."""
    written = await _written(request)
    try:
        facility = read_facility(written)
        if await visit.parts.facilities.get(identity(facility.name)) is not None:
            raise FacilityError("name: there is a facility of this name already; change that one")
        await visit.parts.facilities.save(facility, visit.actor.account_id, visit.parts.clock())
        await drafting.sent(visit, "facility/new")
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
    text = ""
    try:
        text = await lines_in(request)
        await visit.parts.facilities.save_all(read_csv(text), visit.actor.account_id, visit.parts.clock())
    except (FacilityError, NotText) as error:
        return await page(request, "facilities_import.html", status=422, columns=FIELDS, text=text, problem=str(error))
    return RedirectResponse("/facilities?said=imported", 303)


@router.get("/facilities/{facility_id}")
async def change_form(
    request: Request, facility_id: Id, visit: Annotated[Visit, Depends(May("directory.write"))]
) -> Response:
    """The form with what is kept."""
    kept = await visit.parts.facilities.get(facility_id)
    if kept is None:
        raise NotThere
    fields, told = await drafting.found(visit, f"facility/{facility_id}")
    written = {name: values[0] for name, values in fields.items() if values and name in FIELDS}
    revision = first(fields, "revision") or str(kept.revision)
    return await _form(request, written or _kept(kept), place=facility_id, revision=revision, saved=told)


@router.post("/facilities/{facility_id}")
async def change(
    request: Request, facility_id: Id, visit: Annotated[Visit, Depends(May("directory.write"))]
) -> Response:
    """Keep what was changed."""
    kept = await visit.parts.facilities.get(facility_id)
    if kept is None:
        raise NotThere
    written, seen = await _written(request), str((await request.form()).get("revision", ""))
    try:
        facility = read_facility(written)
        revision = int(seen) if seen.isdecimal() and len(seen) < 10 else 0
        who, now = visit.actor.account_id, visit.parts.clock()
        await visit.parts.facilities.change(facility_id, facility, revision, who, now)
    except FacilityError as error:
        return await _form(request, written, str(error), place=facility_id, revision=seen)
    except StaleFacility:
        theirs = [
            {"label": plain(name).capitalize(), "mine": str(written.get(name, "")), "theirs": str(value)}
            for name, value in _kept(kept).items()
            if str(written.get(name, "")) != str(value)
        ]
        return await _form(request, written, place=facility_id, revision=str(kept.revision), theirs=theirs)
    await drafting.sent(visit, f"facility/{facility_id}")
    return RedirectResponse("/facilities?said=saved", 303)


async def _written(request: Request) -> dict[str, Any]:
    form = await request.form()
    return {name: str(form[name]) for name in FIELDS if name in form}


def _kept(kept: Kept) -> dict[str, Any]:
    """An entry as its form shows it."""
    shown = kept.facility.model_dump(mode="json")
    return {name: {True: "yes", False: "no"}.get(value, value) for name, value in shown.items()}


async def _form(
    request: Request,
    written: dict[str, Any],
    error: str = "",
    *,
    place: str = "new",
    revision: str = "",
    saved: str = "",
    theirs: list[dict[str, str]] | None = None,
) -> Response:
    draft, (place, _, words) = f"facility/{place}", error.partition(": ")
    return await page(
        request,
        "facility_form.html",
        status=409 if theirs is not None else 422 if error else 200,
        draft=draft,
        revision=revision,
        saved=saved,
        theirs=theirs,
        written=written,
        kinds=[{"value": name, "label": label} for name, label in KINDS.items()],
        place=place,
        words=words or error,
    )
