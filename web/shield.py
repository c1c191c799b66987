"""Around every request: headers, a nonce for scripts, limits on what comes in, no forms from other sites. Pure ASGI."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 512 * 1024
"""What a request may hold; the longest form stays far below."""
MOST_DROPPED = 16 * MOST_BYTES
"""How much of a body that is too long is taken off the wire, so that the browser gets to read the answer."""
SAFE = ("GET", "HEAD", "OPTIONS")


class Shield:
    """Puts the headers on every answer and refuses what must not come in."""

    def __init__(self, app: ASGIApp, base_url: str, listens_at: str) -> None:
        self._app = app
        own, port = urlsplit(base_url), listens_at.rpartition(":")[2]
        self._secure = own.scheme == "https"
        self._hosts = {own.netloc, f"localhost:{port}", f"127.0.0.1:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce
        headers = Headers(scope=scope)

        async def send_shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(MutableHeaders(scope=message), scope["path"], nonce)
            await send(message)

        refused = self._refusal(scope, headers)
        if refused is not None:
            await refused(scope, receive, send_shielded)
            return
        await self._app(scope, _limited(receive, int(headers.get("content-length", "0"))), send_shielded)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if headers.get("host", "") not in self._hosts:  # DNS rebinding
            return _told(scope, 421, "This address does not serve Holdfast.", "Use the one that was printed.")
        if b"%00" in scope.get("raw_path", b"") or b"%00" in scope.get("query_string", b""):
            return _told(scope, 400, "There is no such address.", "Leave the character out.")  # no database takes it
        if not headers.get("content-length", "0").isdecimal():
            return _told(scope, 400, "The length of the request can't be read.", "State it as a number.")
        if scope["method"] not in SAFE and self._foreign(headers):
            return _told(scope, 403, "Forms are taken from our own pages only.", "Send it from there.")
        return None

    def _foreign(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in ("same-origin", "none")
        origin = headers.get("origin")
        return origin is not None and urlsplit(origin).netloc not in self._hosts

    def _dress(self, headers: MutableHeaders, path: str, nonce: str) -> None:
        headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
            "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=()"
        if self._secure:
            headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if not path.startswith("/static/"):
            headers["Cache-Control"] = "no-store"


def _told(scope: Scope, status: int, title: str, remedy: str) -> Response:
    """A refusal in words; for the API as a problem."""
    if not scope["path"].startswith("/api/"):
        return PlainTextResponse(f"{title} {remedy}\n", status)
    told = {"type": "about:blank", "title": title, "status": status, "remedy": remedy}
    return JSONResponse(told, status, media_type="application/problem+json")


class TooLong(Exception):
    """A body is longer than it may be. It is answered with a page, so the person reads what to do."""


def _limited(receive: Receive, stated: int) -> Receive:
    """The same, but a body that is longer than it may be, or says that it will be, is not read by anybody."""
    taken = 0

    async def receive_some() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if max(taken, stated) <= MOST_BYTES or message["type"] != "http.request":
            return message
        while message.get("more_body") and taken <= MOST_DROPPED:  # else the browser shows a broken connection
            message = await receive()
            taken += len(message.get("body", b""))
        raise TooLong

    return receive_some
