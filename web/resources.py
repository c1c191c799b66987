"""Emergency resources by county, and changes to their numbers, which need two people."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from practice.number_lists import COLUMNS, read_csv, write_csv
from practice.numbers import NumberError
from protocol.directory import Directory, look_up
from web.access import authorize
from web.errors import NotThere
from web.guard import May, Visit
from web.pages import page
from web.people import names_of
from web.uploads import NotText, lines_in

router = APIRouter(include_in_schema=False)

Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
SAID = {
    "proposed": "The change waits for a second person. The number in use stays the old one until then.",
    "proposed_all": "What differs waits for a second person. The numbers in use stay the old ones until then.",
    "same": "Nothing differs from the numbers in use: nothing was proposed.",
    "approved": "Approved: the new number is in use now.",
    "refused": "Turned down: the number stays as it is.",
}
WAYS = 4


@router.get("/resources")
async def resources(
    request: Request,
    visit: Annotated[Visit, Depends(May("directory.read"))],
    county: Annotated[str, Query(max_length=48)] = "",
    said: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Whom to call for a county, in the order to try; and changes that wait."""
    return await _listed(request, visit, county, SAID.get(said))


@router.get("/resources/numbers.csv")
async def export(visit: Annotated[Visit, Depends(May("directory.read"))]) -> Response:
    """Every number in use as CSV, to be checked."""
    headers = {"Content-Disposition": 'attachment; filename="numbers.csv"'}
    return Response(write_csv(await _current(visit)), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/resources/import")
async def import_form(request: Request, visit: Annotated[Visit, Depends(May("directory.write"))]) -> Response:
    """Where lines are pasted."""
    return await page(request, "resources_import.html", columns=COLUMNS, text="", problem="")


@router.post("/resources/import")
async def import_many(request: Request, visit: Annotated[Visit, Depends(May("directory.write"))]) -> Response:
    """Propose what differs, all of it or nothing; each waits for a second person."""
    text, directory = "", await _current(visit)
    try:
        text = await lines_in(request)
        wanted = read_csv(text, directory)
        found = await visit.parts.numbers.propose_all(directory, wanted, visit.actor.account_id, visit.parts.clock())
    except (NumberError, NotText) as error:
        return await page(
            request, "resources_import.html", status=422, columns=COLUMNS, text=text, problem=str(error).capitalize()
        )
    return RedirectResponse(f"/resources?said={'proposed_all' if found else 'same'}", 303)


@router.get("/resources/{name}/change")
async def change_form(
    request: Request, name: Name, visit: Annotated[Visit, Depends(May("directory.write"))]
) -> Response:
    """The form for other numbers."""
    return await _form(request, await _current(visit), name)


@router.post("/resources/{name}/change")
async def propose(request: Request, name: Name, visit: Annotated[Visit, Depends(May("directory.write"))]) -> Response:
    """Propose other numbers; nothing changes yet."""
    directory, form = await _current(visit), await request.form()
    ways = [
        {key: str(form.get(f"{key}-{number}", "")).strip() for key in ("by", "number", "then")}
        for number in range(WAYS)
        if str(form.get(f"number-{number}", "")).strip()
    ]
    reason, by = str(form.get("reason", "")), visit.actor.account_id
    try:
        await visit.parts.numbers.propose(directory, name, ways, reason, by, visit.parts.clock())
    except NumberError as error:
        return await _form(request, directory, name, ways, reason, str(error))
    return RedirectResponse("/resources?said=proposed", 303)


@router.post("/resources/changes/{change_id}")
async def answer(
    request: Request,
    change_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")],
    visit: Annotated[Visit, Depends(May("directory.write"))],
) -> Response:
    """The second person's answer."""
    approve = (await request.form()).get("answer") == "approve"
    try:
        await visit.parts.numbers.answer(change_id, visit.actor.account_id, visit.parts.clock(), approve=approve)
    except NumberError as error:
        return await _listed(request, visit, "", {"kind": "warn", "text": str(error).capitalize()}, status=409)
    return RedirectResponse(f"/resources?said={'approved' if approve else 'refused'}", 303)


async def _current(visit: Visit) -> Directory:
    return await visit.parts.numbers.current(visit.parts.directory)


async def _listed(
    request: Request, visit: Visit, county: str, flash: str | dict[str, str] | None, status: int = 200
) -> Response:
    directory = await _current(visit)
    today = visit.parts.clock().astimezone(visit.parts.zone).date()
    titles = [{"value": name, "label": one.title} for name, one in directory.counties.items()]
    return await page(
        request,
        "resources.html",
        status=status,
        directory=directory,
        guidance=look_up(directory, county or None, today),
        county=county,
        counties=[{"value": "", "label": "Choose"}, *titles],
        today=today,
        stale=sorted(name for name, one in directory.resources.items() if one.expired(today)),
        waiting=await visit.parts.numbers.waiting(),
        names=await names_of(visit.parts),
        me=visit.actor.account_id,
        may_change=authorize(visit.actor, "directory.write"),
        flash=flash,
    )


async def _form(
    request: Request,
    directory: Directory,
    name: str,
    ways: list[dict[str, str]] | None = None,
    reason: str = "",
    error: str = "",
) -> Response:
    resource = directory.resources.get(name)
    if resource is None:
        raise NotThere
    shown = ways if ways is not None else [way.model_dump() for way in resource.ways]
    filled = [*shown, *({"by": "call", "number": "", "then": ""} for _ in range(WAYS))][:WAYS]
    return await page(
        request,
        "resource_form.html",
        status=422 if error else 200,
        resource=resource,
        ways=filled,
        reason=reason,
        error=error,
    )
