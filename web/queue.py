"""My queue: everything that I owe, overdue first."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from web.guard import May, Visit
from web.pages import page

router = APIRouter(include_in_schema=False)


@router.get("/")
async def queue(request: Request, visit: Annotated[Visit, Depends(May("queue.read"))]) -> Response:
    """The home page."""
    owed = await visit.parts.queries.open_obligations(owner=visit.actor.account_id)
    return await page(request, "queue.html", owed=owed)
