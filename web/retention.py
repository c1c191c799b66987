"""How long records are kept, and legal holds: placed and lifted with a reason, never by itself."""

from __future__ import annotations

from datetime import date
from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audit import holds
from audit.holds import standing
from audit.retention import Kept, kept, policies
from web.account import fields
from web.clients import REFERENCE
from web.guard import May
from web.looks import HELD, RELEASED, SHOWN, Visit, look, note, shows
from web.pages import page
from web.people import names_of

router = APIRouter(include_in_schema=False)
Reader = Annotated[Visit, Depends(May("audit.read", SHOWN))]
Holder = Annotated[Visit, Depends(May("audit.hold", HELD))]
Lifter = Annotated[Visit, Depends(May("audit.hold", RELEASED))]

ROWS = 50
SHORTEST_REASON, LONGEST_REASON = 3, 500


@router.get("/audit/retention")
async def retention(
    request: Request,
    visit: Reader,
    show: Annotated[str, Query(pattern="^(|all|held)$")] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    """What may go, what must be kept until when, and what is held."""
    return await shown(request, visit, show=show, number=number)


@router.post("/audit/holds")
async def hold(request: Request, visit: Holder) -> Response:
    """Place a hold: nothing of this client can be destroyed while it stands."""
    form = await fields(request)
    client_ref, reason = form.get("client", "").strip(), form.get("reason", "").strip()
    errors = problems(client_ref, reason)
    if errors:
        return await shown(request, visit, show="held", typed=form, errors=errors, status=422)
    await note(visit, look(visit, client_ref=client_ref, purpose=reason))
    await holds.hold(visit.parts.database, client_ref, visit.actor.account_id, reason, visit.parts.clock())
    return RedirectResponse("/audit/retention?show=held", 303)


@router.post("/audit/holds/lift")
async def lift(request: Request, visit: Lifter) -> Response:
    """Lift every hold on a client."""
    form = await fields(request)
    client_ref, reason = form.get("client", "").strip(), form.get("reason", "").strip()
    errors = [one for one in problems(client_ref, reason) if one["field"] != "client"]
    if client_ref not in await standing(visit.parts.database):
        errors.append({"field": "", "text": "No hold stands on this client."})
    if errors:
        return await shown(request, visit, show="held", errors=errors, status=422)
    await note(visit, look(visit, client_ref=client_ref, purpose=reason))
    await holds.lift(visit.parts.database, client_ref, visit.actor.account_id, reason, visit.parts.clock())
    return RedirectResponse("/audit/retention?show=held", 303)


def problems(client_ref: str, reason: str) -> list[dict[str, str]]:
    """What must be mended before a hold can be placed or lifted."""
    found: list[dict[str, str]] = []
    if not REFERENCE.fullmatch(client_ref):
        found.append({"field": "client", "text": "Write the client's reference, such as client-1001"})
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        found.append({"field": "reason", "text": f"Say why, in {SHORTEST_REASON} to {LONGEST_REASON} characters"})
    return found


async def shown(
    request: Request,
    visit: Visit,
    *,
    show: str,
    number: int = 1,
    typed: dict[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
    status: int = 200,
) -> Response:
    """The page."""
    parts, today = visit.parts, visit.parts.clock().date()
    holding = await standing(parts.database)

    async def born(client_ref: str) -> date | None:
        client = await parts.clients.get(client_ref)
        return None if client is None else client.file.born

    found = await kept(parts.database, parts.ring, born)
    chosen = [one for one in found if one.client_ref in holding] if show == "held" else found
    chosen = [one for one in found if one.due(today)] if show == "" else chosen
    rows = chosen[(number - 1) * ROWS :][:ROWS]
    # Somebody without an episode may be held too.
    others = [one for name, one in holding.items() if show == "held" and name not in {row.client_ref for row in found}]
    await shows(visit, [("", one.client_ref) for one in (*rows, *others)])
    return await page(
        request,
        "retention.html",
        status=status,
        rows=[row(one, today) for one in rows],
        others=others,
        show=show,
        number=number,
        pages=ceil(len(chosen) / ROWS),
        counts={"": sum(one.due(today) for one in found), "all": len(found), "held": len(holding)},
        documents=await policies(parts.database, parts.clock()),
        today=today,
        names=await names_of(parts),
        typed=typed or {},
        errors=errors or [],
    )


def row(one: Kept, today: date) -> dict[str, Any]:
    """A client as a row of the page."""
    return {"kept": one, "due": one.due(today), "until": one.until.isoformat() if one.until else "while open"}
