"""Signing out: here, and at the provider where it signed one in."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from practice.sessions import Session
from web.guard import Anybody, Visit, check_form_token, cookie_name, session_of
from web.provider import ProviderError
from web.single_sign_on import led

router = APIRouter(include_in_schema=False)
log = structlog.get_logger()


@router.post("/sign-out")
async def sign_out(request: Request, visit: Annotated[Visit, Depends(Anybody())]) -> Response:
    """End the session; a locked one too, so that the next person can have the machine."""
    parts, session = visit.parts, await session_of(request)
    answer: Response = RedirectResponse("/sign-in", 303)
    if session is not None:
        await check_form_token(request, session.form_token)
        place = await _farewell(visit, session)
        await parts.sessions.end(session, parts.clock())
        parts.lately.forget(session.token_hash)
        request.state.session = None
        if place and parts.provider is not None:
            answer = await led(request, place, parts.provider)
    answer.delete_cookie(cookie_name(parts))
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


async def _farewell(visit: Visit, session: Session) -> str:
    """Where the browser signs out at the provider; empty where that can't be: our own session ends all the same."""
    parts = visit.parts
    if parts.provider is None or session.issuer != parts.provider.issuer:
        return ""
    try:
        back = f"{parts.settings.base_url}/sign-in"
        return await parts.provider.farewell(await parts.sessions.id_token(session), back, parts.clock())
    except ProviderError as error:
        log.warning("signing out at the provider failed", reason_code=error.reason)
        return ""
