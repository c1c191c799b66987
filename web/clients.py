"""Clients: the list, a client's page with episodes, contacts and consents, changes, and the import of many."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from math import ceil
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audit.queries import Filter
from practice.client_lists import COLUMNS, CONSENTS, read_csv
from practice.clients import Client, ClientFile, Consent, Contact, StaleClient, Unreadable, read_file
from protocol.spec import RANK
from web import drafting
from web.access import authorize
from web.attempt import first
from web.caseload import carriers, caseload_of, changer
from web.errors import NotThere
from web.guard import MOST_FILES, May, Visit
from web.looks import ITS_CLIENT, NOTHING, SHOWN, shows
from web.pages import fresh_key, page
from web.people import names_of
from web.uploads import NotText, lines_in

router = APIRouter(include_in_schema=False)

Writer = Annotated[Visit, Depends(May("client.write", NOTHING))]
Changer = Annotated[Visit, Depends(May("client.write", ITS_CLIENT))]
REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
Ref = Annotated[str, Path(pattern=f"^{REFERENCE.pattern}$")]
ROWS = 50
SAID = {
    "caseload": "The caseload was changed.",
    "saved": "Saved.",
    "added": "The client was added.",
    "imported": "All lines were imported.",
}
ANSWERS = ({"value": "given", "label": "Given"}, {"value": "refused", "label": "Refused"},
           {"value": "revoked", "label": "Revoked"}, {"value": "unknown", "label": "Not asked"})  # fmt: skip


@router.get("/clients")
async def listed(
    request: Request,
    visit: Annotated[Visit, Depends(May("client.list", SHOWN))],
    find: Annotated[str, Query(max_length=80)] = "",
    order: Annotated[str, Query(pattern="^(|risk)$")] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
    said: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """My clients; those of the whole practice for whoever may see them. By name, or highest risk first."""
    parts, everybody = visit.parts, authorize(visit.actor, "client.read")
    found = list(await parts.clients.named(None if everybody else visit.actor.account_id, find))
    if order == "risk":
        all_risks = await parts.owing.risks_of()
        found.sort(key=lambda one: -RANK[all_risks[one.client_ref][0]] if one.client_ref in all_risks else 1)
    pages = max(1, ceil(len(found) / ROWS))
    number = min(number, pages)
    shown = [one.client_ref for one in found[(number - 1) * ROWS :][:ROWS]]
    await shows(visit, (("", one) for one in shown))
    chosen = urlencode({name: value for name, value in (("find", find), ("order", order)) if value} | {"page": ""})
    return await page(
        request,
        "clients.html",
        clients=await parts.clients.several(shown),
        number=number,
        pages=pages,
        total=len(found),
        find=find,
        order=order,
        address=f"/clients?{chosen}",
        everybody=everybody,
        may_add=authorize(visit.actor, "client.write"),
        risks=await parts.owing.risks_of(shown),
        flash=SAID.get(said),
    )


@router.get("/clients/new")
async def new(request: Request, visit: Writer) -> Response:
    """An empty form, or what was typed into it before and not sent."""
    fields, told = await drafting.found(visit, "client/new")
    return await _form(request, visit, None, written_in(_as_form(fields)), {}, saved=told)


@router.post("/clients/new")
async def add(request: Request, visit: Writer) -> Response:
    """Keep a new client."""
    form = await request.form()
    try:
        file = read_file(written_in(form))
    except Unreadable as error:
        return await _form(request, visit, None, written_in(form), dict(error.problems))
    client_ref, therapist = reference(visit, str(form.get("key", "")), file), str(form.get("therapist", ""))
    if therapist and therapist not in {one["value"] for one in await carriers(visit.parts)}:
        return await _form(
            request, visit, None, written_in(form), {"therapist": "choose one of the list"}, chosen=therapist
        )
    await visit.parts.clients.add(file, visit.parts.clock(), client_ref)
    if therapist:
        await visit.parts.reach.assign(client_ref, therapist, visit.parts.clock(), changer(visit))
    await drafting.sent(visit, "client/new")
    return RedirectResponse(f"/clients/{client_ref}?said=added", 303)


@router.get("/clients/import")
async def import_form(request: Request, visit: Writer) -> Response:
    """Where lines are pasted."""
    return await page(request, "clients_import.html", columns=COLUMNS, text="", problems=())


@router.post("/clients/import")
async def import_many(request: Request, visit: Writer) -> Response:
    """Import all lines, or none and say why."""
    text, key = "", str((await request.form(max_files=MOST_FILES)).get("key", ""))
    try:
        text = await lines_in(request)
        files = read_csv(text)
    except (Unreadable, NotText) as error:
        problems = error.problems if isinstance(error, Unreadable) else [("file", str(error))]
        context: dict[str, Any] = {"columns": COLUMNS, "text": text, "problems": problems}
        return await page(request, "clients_import.html", status=422, **context)
    named = [(reference(visit, key, file, number), file) for number, file in enumerate(files)]
    await visit.parts.clients.add_all(named, visit.parts.clock())
    return RedirectResponse("/clients?said=imported", 303)


@router.get("/clients/{client_ref}")
async def show(
    request: Request,
    client_ref: Ref,
    visit: Annotated[Visit, Depends(May("client.read", ITS_CLIENT))],
    said: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """One client."""
    client, now = await known_client(visit, client_ref), visit.parts.clock()
    return await page(
        request,
        "client.html",
        client=client,
        file=client.file,
        episodes=await visit.parts.queries.list_episodes(Filter(client_ref=client_ref), limit=50),
        names=await names_of(visit.parts),
        **await caseload_of(visit, client_ref),
        may_change=authorize(visit.actor, "client.write", visit.target),
        today=now.astimezone(visit.parts.zone).date(),
        may_audit=authorize(visit.actor, "audit.read"),
        flash=SAID.get(said),
    )


@router.get("/clients/{client_ref}/change")
async def change_form(request: Request, client_ref: Ref, visit: Changer) -> Response:
    """The form with what is kept."""
    client = await known_client(visit, client_ref)
    fields, told = await drafting.found(visit, f"client/{client_ref}")
    written = written_in(_as_form(fields)) if fields else client.file.model_dump(mode="json")
    return await _form(request, visit, client, written, {}, saved=told, seen_revision=first(fields, "revision"))


@router.post("/clients/{client_ref}/change")
async def change(request: Request, client_ref: Ref, visit: Changer) -> Response:
    """Keep what was changed; when somebody was faster, show both."""
    client, form = await known_client(visit, client_ref), await request.form()
    try:
        file = read_file(written_in(form))
    except Unreadable as error:
        return await _form(request, visit, client, written_in(form), dict(error.problems))
    seen = str(form.get("revision", ""))
    try:
        revision = int(seen) if seen.isdecimal() and len(seen) < 10 else 0
        await visit.parts.clients.save(client_ref, file, revision, visit.parts.clock())
    except StaleClient:
        theirs = differences(file, client.file)
        return await _form(request, visit, client, written_in(form), {}, status=409, theirs=theirs)
    await drafting.sent(visit, f"client/{client_ref}")
    return RedirectResponse(f"/clients/{client_ref}?said=saved", 303)


def reference(visit: Visit, key: str, file: ClientFile, number: int = 0) -> str:
    """The opaque reference of a new client: the same form sent twice is the same client; changed, it is another."""
    sent = f"{visit.actor.account_id}\n{key or fresh_key()}\n{number}\n{file.model_dump_json()}"
    return f"client-{hashlib.sha256(sent.encode()).hexdigest()[:12]}"


async def known_client(visit: Visit, client_ref: str) -> Client:
    """A client. Raises NotThere."""
    client = await visit.parts.clients.get(client_ref)
    if client is None:
        raise NotThere
    return client


async def _form(
    request: Request,
    visit: Visit,
    client: Client | None,
    written: Mapping[str, Any],
    errors: Mapping[str, str],
    status: int = 200,
    theirs: list[dict[str, str]] | None = None,
    saved: str = "",
    seen_revision: str = "",
    chosen: str = "",
) -> Response:
    counties = {name: county.title for name, county in visit.parts.directory.counties.items()}
    return await page(
        request,
        "client_form.html",
        status=422 if errors else status,
        client=client,
        written=written,
        errors=errors,
        counties=[{"value": "", "label": "Not known"}, *({"value": k, "label": v} for k, v in counties.items())],
        kinds=list(CONSENTS.values()),
        answers=list(ANSWERS),
        theirs=theirs,
        saved=saved,
        seen_revision=seen_revision,
        chosen=chosen,
        therapists=[] if client else await carriers(visit.parts),
    )


def _as_form(fields: Mapping[str, list[str]]) -> FormData:
    return FormData([(name, value) for name, values in fields.items() for value in values])


def written_in(form: FormData) -> dict[str, Any]:
    """The file as it was written: plain fields, and numbered groups for contacts and consents; empty ones left out."""
    plain = {name: str(form[name]) for name in ClientFile.model_fields if name in form}
    contacts = [_group(form, "contacts", number) for number in range(12)]
    consents = [_group(form, "consents", number) for number in range(20)]
    return {
        **plain,
        "contacts": [{**one, "never": "never" in one} for one in contacts if one.get("name", "").strip()],
        "consents": [one for one in consents if one.get("kind") and one.get("answer", "unknown") != "unknown"],
    }


def _group(form: FormData, group: str, number: int) -> dict[str, Any]:
    start = f"{group}-{number}-"
    return {name.removeprefix(start): str(value) for name, value in form.items() if name.startswith(start)}


def differences(mine: ClientFile, theirs: ClientFile) -> list[dict[str, str]]:
    """Fields that two people wrote differently."""
    pairs = [(name, _said(getattr(mine, name)), _said(getattr(theirs, name))) for name in ClientFile.model_fields]
    return [{"label": name, "mine": one, "theirs": other} for name, one, other in pairs if one != other]


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        parts = cast("tuple[Contact | Consent, ...]", value)
        return "; ".join(", ".join(str(field) for field in one.model_dump().values() if field) for one in parts)
    return "" if value is None else str(value)
