"""Bearer tokens for the API, and its errors as problems (RFC 9457) with a remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from web.access import NOWHERE, Action, Actor, authorize
from web.acting import said
from web.errors import WebError
from web.guard import May
from web.looks import Reads, Visit
from web.parts import parts_of
from web.relations import relation_to

T = TypeVar("T")

SCHEME = HTTPBearer(auto_error=False, description="A token from “My account”.")


class Problem(WebError):
    """An answer of the API that is not what was asked for."""

    def __init__(
        self,
        status: int,
        title: str,
        remedy: str,
        *,
        code: str = "",
        errors: Sequence[tuple[str, str]] = (),
        **more: Any,
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.remedy = status, title, remedy
        self.code, self.errors, self.more = code, tuple(errors), more


class MayCall(May):
    """Lets a call in when the holder of its token may do the action, and the token was made for it."""

    async def __call__(self, request: Request) -> Visit:
        """Raises Problem."""
        parts = parts_of(request)
        scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
        holder = await parts.tokens.holder(token, parts.clock()) if scheme.lower() == "bearer" and token else None
        if holder is None:
            raise Problem(
                401, "No valid token", "Send the header Authorization: Bearer and a token that has not ended."
            )
        account, scopes = holder
        granted = cast("frozenset[Action]", scopes)
        actor = Actor(account.account_id, account.name, account.roles, granted)
        target = await relation_to(parts, actor, request.path_params) if request.path_params else NOWHERE
        if not authorize(actor, self.action, target):
            wanted = f"The token needs the scope {self.action}, and its person must be allowed to do this here."
            raise Problem(403, "Not allowed", wanted, code="not_allowed")
        return await self.visit(request, actor, None, target)


def call(action: Action, reads: Reads | None = None) -> Any:
    """The dependency of a route of the API."""
    return Depends(MayCall(action, reads))


async def body_of(request: Request, adapter: TypeAdapter[T]) -> T:
    """The body, strictly read. Raises Problem that names each wrong field."""
    try:
        return adapter.validate_json(await request.body())
    except ValidationError as error:
        errors = [
            (".".join(str(part) for part in one["loc"]), said(one["type"], one["msg"]))
            for one in error.errors(include_url=False, include_input=False, include_context=False)[:20]
        ]
        raise Problem(
            422, "The body does not fit", "Change the named fields and send it again.", errors=errors
        ) from None


def invalid(error: RequestValidationError) -> Problem:
    """A call whose address or headers do not fit."""
    errors = [(".".join(map(str, one["loc"][1:])), one["msg"]) for one in error.errors()[:20]]
    return Problem(422, "The call does not fit", "Change the named parts and send it again.", errors=errors)


def problem(error: WebError) -> JSONResponse:
    """An error as application/problem+json."""
    told: dict[str, Any] = {"type": "about:blank", "title": error.title, "status": error.status, "remedy": error.remedy}
    if isinstance(error, Problem):
        told |= {"code": error.code} if error.code else {}
        told |= {"errors": [{"field": field, "text": text} for field, text in error.errors]} if error.errors else {}
        told |= error.more
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    if error.status in (429, 503):
        headers["Retry-After"] = "60" if error.status == 429 else "5"
    return JSONResponse(told, error.status, headers, "application/problem+json")
