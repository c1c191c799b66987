"""What a client says stays inside: looked for in logs, addresses, refusals, messages to others and the raw database."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import structlog

import logs
from tests.web.desk import Desk, hidden
from web.access import ACTIONS

CANARY = "Zyxwvut Quillfeather-8731"


def disguises(text: str) -> Iterator[bytes]:
    """The text as it might turn up."""
    for one in (text, quote(text), text.replace(" ", "+"), text.upper(), json.dumps(text), text[::-1]):
        yield one.encode()
    yield text.encode("utf-16-le")
    yield text.encode().hex().encode()
    yield from (base64.b64encode(b"x" * pad + text.encode())[4:-4] for pad in range(3))


def leaks(place: str, content: bytes) -> list[str]:
    return [f"{place}: {one!r}" for one in disguises(CANARY) if one in content]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def test_nothing_of_a_client_gets_out(web: Desk, log: io.StringIO):
    found: list[str] = []
    async with web.signed_in("ruth") as browser:
        sent = {"key": hidden((await browser.get("/clients/new")).text, "key")}
        file = {"name": CANARY, "note": CANARY, "contacts-0-name": CANARY, "contacts-0-phone": "555 0100"}
        made = await browser.post("/clients/new", **sent, **file)
        assert made.status_code == 303
        place = made.headers["location"].partition("?")[0]
        assert CANARY in (await browser.get(place)).text
        answers = [
            made,
            await browser.post("/clients/new", **{**sent, **file, "contacts-0-phone": CANARY}),
            await browser.post("/report", client=CANARY, said=CANARY, key="k" * 32),
            await browser.post("/episodes/e-1/draft", draft="complete-step/x", note=CANARY),
            await browser.post("/episodes/e-1/acts/advance", text=CANARY),
            await browser.post("/openings/new/e-1", reason=f"{CANARY} is in danger"),
        ]
        for answer in answers:
            found += leaks("header", repr(answer.headers.raw).encode())
    token = await web.parts.tokens.add("ruth", "t", tuple(one for one in ACTIONS if one != "public"), 1, web.clock())
    async with web.browser() as browser:
        for method, address, body in (
            ("POST", "/clients", {"name": "", "note": CANARY, CANARY: 1}),
            ("POST", "/clients", {"name": CANARY}),
            ("POST", "/episodes", {"client_ref": CANARY}),
            ("POST", "/episodes/e-1/commands", {"kind": "AddAddendum", "refers_to": 1, "text": CANARY}),
            ("PUT", "/episodes/e-1/drafts/x", {"fields": {"a": [CANARY]}}),
        ):
            headers = {"authorization": f"Bearer {token}", "idempotency-key": f"key-{address}-{len(found)}"}
            answer = await browser.http.request(method, f"/api/v1{address}", json=body, headers=headers)
            if answer.status_code >= 400:
                found += [one for one in leaks("problem", answer.content) if CANARY not in body]
        found += leaks("health", (await browser.get("/health")).content)
    found += leaks("log", log.getvalue().encode())
    for file in web.settings.var.iterdir():
        if file.is_file():
            found += leaks(file.name, file.read_bytes())
    assert found == []


def test_a_canary_would_be_seen(tmp_path: object):
    assert len(leaks("x", CANARY.encode())) == 1
    assert leaks("x", base64.b64encode(f"ab{CANARY}cd".encode()))
