"""A call that is sent again with the same key changes nothing and gets the same answer.

Only a success is kept. After a refusal the same key may bring a mended call.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Coroutine
from typing import Any, cast

from fastapi.routing import APIRoute
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import Request
from starlette.responses import Response

from practice.accounts import digest
from practice.calls import NOBODY, Before, of_client, of_episode
from web.api_guard import MayCall, Problem
from web.parts import parts_of

HEADERS = ("etag", "content-type", "location")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class OnceRoute(APIRoute):
    """A route of the API whose unsafe calls count once for each token and key."""

    def get_route_handler(self) -> Handler:
        """The handler, or one that looks first whether the call was made before."""
        handle: Handler = super().get_route_handler()
        if "GET" in (self.methods or ()):
            return handle

        async def once(request: Request) -> Response:
            parts, key = parts_of(request), request.headers.get("idempotency-key", "")
            _, token = get_authorization_scheme_param(request.headers.get("authorization"))
            if not key or not token or await parts.tokens.holder(token, parts.clock()) is None:
                return await handle(request)
            call, asked = digest(f"{digest(token)}\n{key}"), await _asked(request)
            before = await parts.calls.begin(call, asked, parts.clock())
            if before is not None:
                await self._admit(request)
                return _again(before, asked)
            try:
                answer = await handle(request)
            except BaseException:
                await parts.calls.drop(call)
                raise
            await parts.calls.end(call, _told(answer), self._of_whom(request, answer))
            return answer

        return once

    def _of_whom(self, request: Request, answer: Response) -> str | None:
        """Of whom the address is, or else the answer by its own words; None when that can't be told."""
        guards = [one.call for one in self.dependant.dependencies if isinstance(one.call, MayCall)]
        if guards and all(one.reads is None for one in guards):
            return NOBODY
        named = {**_object(answer), **request.path_params}
        for name, whose in (("client_ref", of_client), ("episode_id", of_episode)):
            if isinstance(named.get(name), str):
                return whose(named[name])
        return None

    async def _admit(self, request: Request) -> None:
        """Whoever may not do this any more gets no former answer either. Raises Problem."""
        for one in self.dependant.dependencies:
            if isinstance(one.call, MayCall):
                await one.call(request)


def _again(before: Before, asked: str) -> Response:
    """The answer of the call before. Raises Problem: 422 for another call, 409 while it is under way."""
    if before.asked != asked:
        remedy = "Send each call with a key of its own."
        raise Problem(422, "The key was used for another call", remedy, code="key_reused")
    if before.answer is None:
        raise Problem(409, "The same call is under way", "Send it again in a moment.", code="in_flight")
    told = before.answer
    return Response(base64.b64decode(told["body"]), told["status"], told["headers"])


def _object(answer: Response) -> dict[str, Any]:
    try:
        told = json.loads(bytes(answer.body))
    except ValueError:
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def _told(answer: Response) -> dict[str, Any]:
    headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    return {"status": answer.status_code, "headers": headers, "body": base64.b64encode(bytes(answer.body)).decode()}


async def _asked(request: Request) -> str:
    body = hashlib.sha256(await request.body()).hexdigest()
    return digest(json.dumps([request.method, request.url.path, request.url.query, body]))
