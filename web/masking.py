"""Compressed pages that keep their secret: the form's token looks different in each, so that sizes tell nothing of it.

Without this, somebody who sees only the lengths of compressed answers could guess a repeated secret (BREACH).
"""

from __future__ import annotations

import binascii
import gzip
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from starlette.requests import Request
from starlette.responses import HTMLResponse

SHORTEST = 2_000
"""Bytes below which compressing is not worth it."""
LEVEL = 5


def masked(token: str) -> str:
    """The token under a fresh mask; empty stays empty."""
    if not token:
        return ""
    mask = secrets.token_bytes(len(token.encode()))
    return f"{urlsafe_b64encode(mask).decode()}.{urlsafe_b64encode(_xor(mask, token.encode())).decode()}"


def unmasked(given: str) -> str:
    """The token again; what has no mask stays as it is."""
    mask, dot, rest = given.partition(".")
    if not dot:
        return given
    try:
        return _xor(urlsafe_b64decode(mask.encode()), urlsafe_b64decode(rest.encode())).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return ""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(one, other, strict=True))


def answer(request: Request, text: str, status: int) -> HTMLResponse:
    """The page, compressed where the browser takes that."""
    content = text.encode()
    if len(content) < SHORTEST or "gzip" not in request.headers.get("accept-encoding", ""):
        return HTMLResponse(content, status, headers={"Vary": "Accept-Encoding"})
    packed = gzip.compress(content, LEVEL, mtime=0)
    return HTMLResponse(packed, status, headers={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
