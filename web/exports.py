"""Handing episodes out from the browser: what, to whom, why, with which rights; then the signed files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from audit.conformance import opened_between
from audit.history import episodes_beginning_with
from web.account import fields
from web.errand import Errand, Kind, Order
from web.errands import Busy
from web.errors import NotThere
from web.guard import May
from web.looks import ITS_EPISODE, NOTHING, SHOWN, Visit, look, note
from web.pages import page
from web.waiting_files import opened, sealed_path

router = APIRouter(include_in_schema=False)
Exporter = Annotated[Visit, Depends(May("audit.export", NOTHING))]
OfEpisode = Annotated[Visit, Depends(May("audit.export", ITS_EPISODE))]
Fetcher = Annotated[Visit, Depends(May("audit.export", SHOWN))]

SHORTEST, LONGEST = 3, 500
RIGHTS = {"all": False, "sud": True}
"""What the reader may see: everything, or nothing of substance use."""
TYPES = {
    "zip": "application/zip",
    "pdf": "application/pdf",
    "sig": "text/plain",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "jsonocel": "application/json",
    "xes": "application/xml",
}


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the practice, both included; both empty is everything there is."""

    begins: datetime | None
    ends: datetime | None


def problems(form: Mapping[str, str], *, files: bool = True) -> list[dict[str, str]]:
    """What must be mended before anything is handed out."""
    found: list[dict[str, str]] = []
    if files and form.get("rights") not in RIGHTS:
        found.append({"field": "rights", "text": "Say what the reader may see"})
    if files and not 1 <= len(form.get("to", "").strip()) <= LONGEST:
        found.append({"field": "to", "text": "Say who receives it"})
    if not SHORTEST <= len(form.get("purpose", "").strip()) <= LONGEST:
        found.append({"field": "purpose", "text": f"Say why, in {SHORTEST} to {LONGEST} characters"})
    return found


def period_of(form: Mapping[str, str], zone: ZoneInfo) -> tuple[Period, list[dict[str, str]]]:
    """The period of a form, and what is wrong with it."""
    found: list[dict[str, str]] = []
    first, last = _day(form, "from", found), _day(form, "until", found)
    if first is not None and last is not None and last < first:
        found.append({"field": "until", "text": "The last day is before the first"})
    begins = None if first is None else datetime.combine(first, time(), zone)
    ends = None if last is None else datetime.combine(last + timedelta(days=1), time(), zone)
    return Period(begins, ends), found


def _day(form: Mapping[str, str], name: str, found: list[dict[str, str]]) -> date | None:
    given = form.get(name, "").strip()
    try:
        return date.fromisoformat(given) if given else None
    except ValueError:
        found.append({"field": name, "text": "Write a day as 2026-11-30, or leave it empty"})
        return None


def order_of(visit: Visit, kind: Kind, form: Mapping[str, str], **more: Any) -> Order:
    """An errand for this person."""
    return Order(
        kind=kind,
        by=visit.actor.account_id,
        role=visit.actor.roles[0],
        asked_at=visit.parts.clock(),
        to=form.get("to", "").strip(),
        purpose=form.get("purpose", "").strip(),
        redact=RIGHTS.get(form.get("rights", ""), False),
        **more,
    )


def own(visit: Visit, errand_id: str, *kinds: Kind) -> Errand:
    """An errand of this person, of these kinds. Raises NotThere."""
    errand = visit.parts.errands.get(errand_id, visit.actor.account_id, visit.parts.clock())
    if errand is None or errand.order.kind not in kinds:
        raise NotThere
    return errand


async def known(visit: Visit, episode_id: str) -> str:
    """The id of an episode that the trail has. Raises NotThere."""
    if episode_id not in await episodes_beginning_with(visit.parts.database, episode_id, 1):
        raise NotThere
    return episode_id


@router.get("/audit/exports")
async def exports(request: Request, visit: Exporter) -> Response:
    """The form for a period, and one's own exports that still wait."""
    return await form_page(request, visit, {})


@router.post("/audit/exports")
async def of_period(request: Request, visit: Exporter) -> Response:
    """Begin an export of a period."""
    form = await fields(request)
    period, wrong = period_of(form, visit.parts.zone)
    wrong += problems(form)
    if not wrong and not await opened_between(visit.parts.database, period.begins, period.ends):
        wrong.append({"field": "from", "text": "No episode was opened then"})
    if wrong or not signs(visit):
        return await form_page(request, visit, form, errors=wrong, status=422)
    order = order_of(visit, "export", form, begins=period.begins, ends=period.ends)
    return await begun(request, visit, order, form, "")


@router.get("/audit/episodes/{episode_id}/export")
async def export(request: Request, visit: OfEpisode, episode_id: str) -> Response:
    """The form for one episode."""
    return await form_page(request, visit, {}, await known(visit, episode_id))


@router.post("/audit/episodes/{episode_id}/export")
async def of_episode(request: Request, visit: OfEpisode, episode_id: str) -> Response:
    """Begin an export of one episode, with its certificate."""
    form = await fields(request)
    episode_id, wrong = await known(visit, episode_id), problems(form)
    if wrong or not signs(visit):
        return await form_page(request, visit, form, episode_id, errors=wrong, status=422)
    order = order_of(visit, "export", form, episodes=(episode_id,), certificate=True)
    return await begun(request, visit, order, form, episode_id)


async def begun(request: Request, visit: Visit, order: Order, form: Mapping[str, str], episode_id: str) -> Response:
    """To the page of an errand; back to the form when it is not taken now."""
    try:
        errand = visit.parts.errands.begin(order)
    except Busy as error:
        return await form_page(request, visit, form, episode_id, errors=[{"field": "", "text": str(error)}], status=409)
    return RedirectResponse(f"/audit/exports/{errand.errand_id}", 303)


@router.get("/audit/exports/{errand_id}")
async def one(request: Request, visit: Exporter, errand_id: str) -> Response:
    """How far it is; then the files, their hashes, and how to check them."""
    errand = own(visit, errand_id, "export")
    keys = errand.state.result.get("keys", {})
    files = list(described(errand))
    bundle = next((each["name"] for each in files if each["name"].endswith(".zip")), "")
    return await page(
        request,
        "export.html",
        errand=errand,
        files=files,
        bundle=bundle,
        certificate=next((each["name"] for each in files if each["name"].endswith(".pdf")), ""),
        keys=keys,
        flags=" ".join(f"--key {key}" for key in keys.values()),
        gone_at=errand.gone_at,
    )


@router.get("/audit/exports/{errand_id}/{name}")
async def fetch(visit: Fetcher, errand_id: str, name: str) -> Response:
    """A file."""
    return await file_of(visit, errand_id, name)


async def file_of(visit: Visit, errand_id: str, name: str) -> Response:
    """A file, to whoever asked for it; that it was fetched is written down. Raises NotThere."""
    errand = own(visit, errand_id, "export", "conformance")
    path = errand.file(name)
    if path is None or not sealed_path(path).is_file():
        raise NotThere
    order, about = errand.order, errand.state.result["files"][name]
    alone = order.episodes[0] if order.episodes is not None and len(order.episodes) == 1 else ""
    await note(visit, look(visit, alone, purpose=order.purpose, fetched=name, sha256=about["sha256"]))
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(about["bytes"])}
    pieces = opened(path, visit.parts.ring)
    return StreamingResponse(pieces, media_type=TYPES[name.rpartition(".")[2]], headers=headers)


def described(errand: Errand) -> Iterator[dict[str, Any]]:
    """The files that wait, as the page lists them."""
    for name, about in errand.state.result.get("files", {}).items():
        yield {"name": name, "size": size_of(about["bytes"]), "sha256": about["sha256"]}


def size_of(count: int) -> str:
    """`1.2 MB`."""
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{max(1, round(count / 1_000))} kB"


def signs(visit: Visit) -> bool:
    """Whether this web application has a key to sign with."""
    return bool(visit.parts.settings.signing_keys)


async def form_page(
    request: Request,
    visit: Visit,
    form: Mapping[str, str],
    episode_id: str = "",
    *,
    errors: list[dict[str, str]] | None = None,
    status: int = 200,
) -> Response:
    """The form, with what was typed."""
    mine = visit.parts.errands.of(visit.actor.account_id, visit.parts.clock(), "export")
    return await page(
        request,
        "export_form.html",
        status=status,
        episode_id=episode_id,
        typed=form,
        errors=errors or [],
        signs=signs(visit),
        mine=[] if episode_id else mine,
    )
