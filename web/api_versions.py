"""Protocols that ran, through the API: those that may be opened, every version that ran, and what differs."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

from starlette.responses import JSONResponse

from audit.versions import versions
from protocol.diff import as_objects, compare, summary
from web.api_commands import given
from web.api_guard import call
from web.api_routes import api_router
from web.effective import effective
from web.errors import NotThere
from web.guard import Visit
from web.protocols import Hash, spec_of

router = api_router()
Reader = Annotated[Visit, call("protocol.read")]


@router.get("/protocols")
async def protocols(visit: Reader) -> JSONResponse:
    """The version of each protocol that a new episode takes."""
    known = (await effective(visit.parts)).values()
    return given([{"protocol": one.protocol, "version": one.version, "hash": one.content_hash} for one in known])


@router.get("/protocols/{name}")
async def protocol(visit: Reader, name: str) -> JSONResponse:
    """The version of a protocol that a new episode takes, as a document."""
    spec = (await effective(visit.parts)).get(name)
    if spec is None:
        raise NotThere
    return JSONResponse(spec.model_dump(mode="json", exclude_defaults=True))


@router.get("/versions")
async def all_versions(visit: Reader) -> JSONResponse:
    """Every version that an episode was ever opened under, with how many are open."""
    return given([asdict(one) for one in await versions(visit.parts.database)])


@router.get("/versions/{content_hash}")
async def version(visit: Reader, content_hash: Hash) -> JSONResponse:
    """One version as a document."""
    return JSONResponse((await spec_of(visit, content_hash)).model_dump(mode="json", exclude_defaults=True))


@router.get("/versions/{content_hash}/compare/{other_hash}")
async def difference(visit: Reader, content_hash: Hash, other_hash: Hash) -> JSONResponse:
    """What changed from one version to another, in clinical words."""
    old, new = await spec_of(visit, content_hash), await spec_of(visit, other_hash)
    changes = await asyncio.to_thread(compare, old, new)
    return given({"summary": summary(changes), "changes": as_objects(changes)})
