"""Whether this process serves and what it can reach; for those who watch it, without anything about anybody."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from web.guard import Anybody, Visit
from workflows.client import EngineUnavailableError

router = APIRouter(include_in_schema=False)


@router.get("/health")
async def health(visit: Annotated[Visit, Depends(Anybody())]) -> JSONResponse:
    """200 when the records answer; the engine may be away, pages go on without it."""
    try:
        await visit.parts.database.read(lambda connection: connection.execute(text("SELECT 1")).scalar_one())
        records = True
    except SQLAlchemyError:
        records = False
    try:
        await visit.parts.engine.commands()
        engine = True
    except EngineUnavailableError:
        engine = False
    return JSONResponse({"records": records, "engine": engine}, 200 if records else 503)
