"""Clients with their contacts and consents through the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse

from practice.client_lists import read_csv
from practice.clients import Client, ClientFile, StaleClient, Unreadable
from web.access import authorize
from web.api_bodies import CLIENT, CSV, takes
from web.api_commands import given
from web.api_guard import Problem, body_of, call
from web.api_routes import ClientRef, Key, Revision, api_router, revision_of
from web.clients import known_client, reference
from web.guard import Visit
from web.looks import ITS_CLIENT, NOTHING, SHOWN, shows

router = api_router()


@router.get("/clients")
async def clients(
    visit: Annotated[Visit, call("client.list", SHOWN)],
    find: Annotated[str, Query(max_length=80)] = "",
    after: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """My clients by name; those of the whole practice for whoever may see them."""
    everybody = authorize(visit.actor, "client.read")
    found = await visit.parts.clients.named(None if everybody else visit.actor.account_id, find)
    shown = found[after : after + limit]
    await shows(visit, (("", one.client_ref) for one in shown))
    return given([{"client_ref": one.client_ref, "name": one.name} for one in shown])


@router.post("/clients", status_code=201, openapi_extra=takes("ClientBody"))
async def add_client(
    request: Request, visit: Annotated[Visit, call("client.write", NOTHING)], key: Key
) -> JSONResponse:
    """Keep a new client."""
    file = await body_of(request, CLIENT)
    client_ref = await visit.parts.clients.add(file, visit.parts.clock(), reference(visit, key, file))
    return JSONResponse({"client_ref": client_ref}, 201)


@router.post("/clients/import", status_code=201, openapi_extra=takes("CsvBody"))
async def import_clients(
    request: Request, visit: Annotated[Visit, call("client.write", NOTHING)], key: Key
) -> JSONResponse:
    """Import all lines of CSV, or none and say why."""
    try:
        files = read_csv((await body_of(request, CSV)).csv)
    except Unreadable as error:
        raise Problem(422, "Nothing was imported", "Mend the named lines.", errors=error.problems) from None
    named = [(reference(visit, key, file, number), file) for number, file in enumerate(files)]
    await visit.parts.clients.add_all(named, visit.parts.clock())
    return JSONResponse({"client_refs": [ref for ref, _ in named]}, 201)


@router.get("/clients/{client_ref}")
async def client(visit: Annotated[Visit, call("client.read", ITS_CLIENT)], client_ref: ClientRef) -> JSONResponse:
    """One client with contacts and consents; the revision is the ETag."""
    return _shown(await known_client(visit, client_ref))


@router.put("/clients/{client_ref}", openapi_extra=takes("ClientBody"))
async def change_client(
    request: Request,
    visit: Annotated[Visit, call("client.write", ITS_CLIENT)],
    client_ref: ClientRef,
    key: Key,
    if_match: Revision = None,
) -> JSONResponse:
    """Replace a client's file, contacts and consents included. If-Match is its revision; a stale one gets 409."""
    known, file = await known_client(visit, client_ref), await body_of(request, CLIENT)
    seen = revision_of(if_match)
    if seen is None:
        raise Problem(422, "Say which revision you saw", "Send the ETag of the client as If-Match.")
    try:
        await visit.parts.clients.save(client_ref, file, seen, visit.parts.clock())
    except StaleClient:
        remedy, now = "Get the client again and put both together.", known.revision
        raise Problem(409, "Somebody else saved meanwhile", remedy, code="stale_revision", revision=now) from None
    return _shown(await known_client(visit, client_ref))


def _shown(one: Client) -> JSONResponse:
    file: ClientFile = one.file
    told = given({"client_ref": one.client_ref, "file": file.model_dump(mode="json"), "changed_at": one.changed_at})
    told.headers["ETag"] = f'"{one.revision}"'
    return told
