"""What every route of the API has: its prefix, its token, its problems, and a key that makes a call count once."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path

from web.api_guard import SCHEME
from web.idempotency import OnceRoute

Key = Annotated[str, Header(alias="Idempotency-Key", min_length=8, max_length=200, pattern=r"^[!-~]+$")]
"""Sent again with the same key, a call changes nothing and gets the same answer."""
Revision = Annotated[str | None, Header(alias="If-Match", pattern=r'^"\d{1,9}"$')]
EpisodeId = str
ClientRef = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {"application/problem+json": {}}}
    for code, text in {
        401: "no valid token",
        403: "not allowed",
        404: "nothing of that name",
        409: "changed meanwhile, or under way",
        413: "too much",
        422: "refused, with the remedy",
        429: "too often",
        503: "the engine or the records do not answer",
    }.items()
}


def api_router(under: str = "") -> APIRouter:
    """A router of the API, version 1."""
    return APIRouter(
        prefix=f"/api/v1{under}", tags=["v1"], responses=PROBLEMS, dependencies=[Depends(SCHEME)], route_class=OnceRoute
    )


def revision_of(if_match: str | None) -> int | None:
    """The number in the header If-Match."""
    return None if if_match is None else int(if_match.strip('"'))
