"""How the protocols were kept over a period: sums by version, therapist and type, episodes, and files to take along."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audit.conformance import opened_between
from audit.sealing import Keyring
from protocol.conformance import BYS
from web.access import authorize
from web.account import fields
from web.errand import Errand
from web.errand_worker import EPISODES
from web.errands import Busy
from web.errors import Denied
from web.exports import described, order_of, own, period_of, problems
from web.guard import May
from web.looks import NOTHING, SHOWN, Visit, shows
from web.pages import page
from web.people import names_of
from web.waiting_files import opened, sealed_path

router = APIRouter(include_in_schema=False)
Reader = Annotated[Visit, Depends(May("audit.read", NOTHING))]
Looker = Annotated[Visit, Depends(May("audit.read", SHOWN))]

ROWS = 50
SUMS = (
    *("episodes", "deadlines", "met", "met_late", "missed", "waived", "owed", "skipped", "left_undone"),
    *("out_of_order", "late_entries", "overrides", "against_table", "differs"),
)
"""The columns of the sums, as the page shows them."""


@router.get("/audit/conformance")
async def conformance(request: Request, visit: Reader) -> Response:
    """The form, and one's own runs of the last hour."""
    return await form_page(request, visit, {})


@router.post("/audit/conformance")
async def start(request: Request, visit: Reader) -> Response:
    """Begin a run. With files it is a disclosure, so it asks for whom and why."""
    form = await fields(request)
    files = form.get("files") == "yes"
    if files and not authorize(visit.actor, "audit.export"):
        raise Denied
    period, wrong = period_of(form, visit.parts.zone)
    wrong += problems(form, files=files)
    if not wrong and not await opened_between(visit.parts.database, period.begins, period.ends):
        wrong.append({"field": "from", "text": "No episode was opened then"})
    if wrong:
        return await form_page(request, visit, form, errors=wrong, status=422)
    order = order_of(visit, "conformance", form, begins=period.begins, ends=period.ends, certificate=files)
    try:
        errand = visit.parts.errands.begin(order)
    except Busy as error:
        return await form_page(request, visit, form, errors=[{"field": "", "text": str(error)}], status=409)
    return RedirectResponse(f"/audit/conformance/{errand.errand_id}", 303)


@router.get("/audit/conformance/{errand_id}")
async def one(
    request: Request,
    visit: Looker,
    errand_id: str,
    by: Annotated[str, Query(pattern=f"^({'|'.join(BYS)})$")] = "protocol",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """How far it is; then the sums, the episodes with what each left out, and the files."""
    errand = own(visit, errand_id, "conformance")
    lines = episodes_of(errand, visit.parts.ring)
    rows = lines[(number - 1) * ROWS :][:ROWS]
    await shows(visit, [(one["episode_id"], "") for one in rows])
    return await page(
        request,
        "conformance.html",
        errand=errand,
        by=by,
        bys=BYS,
        columns=SUMS,
        groups=errand.state.result.get("groups", {}).get(by, {}),
        rows=rows,
        total=len(lines),
        number=number,
        pages=ceil(len(lines) / ROWS),
        files=list(described(errand)),
        gone_at=errand.gone_at,
        names=await names_of(visit.parts),
    )


def episodes_of(errand: Errand, ring: Keyring) -> list[dict[str, Any]]:
    """The episodes of a run, those with most to look at first."""
    path = errand.folder / EPISODES
    if errand.state.standing != "done" or not sealed_path(path).is_file():
        return []
    found = [json.loads(line) for line in b"".join(opened(path, ring)).splitlines()]
    return sorted(found, key=_weight)


def _weight(one: Mapping[str, Any]) -> tuple[int, int, int, str]:
    others = one["overrides"] + one["skipped"] + one["late_entries"]
    return -one["differs"], -one["missed"], -others, one["episode_id"]


async def form_page(
    request: Request,
    visit: Visit,
    form: Mapping[str, str],
    *,
    errors: list[dict[str, str]] | None = None,
    status: int = 200,
) -> Response:
    """The form, with what was typed."""
    return await page(
        request,
        "conformance_form.html",
        status=status,
        typed=form,
        errors=errors or [],
        mine=visit.parts.errands.of(visit.actor.account_id, visit.parts.clock(), "conformance"),
    )
