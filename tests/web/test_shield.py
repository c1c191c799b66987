"""What stands around every request."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter

from tests.web.desk import Desk
from web.guard import routes_of
from web.shield import MOST_BYTES


async def test_every_answer_carries_the_headers_and_no_page_is_stored(web: Desk):
    async with web.browser() as browser:
        nonces: set[str] = set()
        for address in ("/sign-in", "/health", "/nowhere"):
            headers = (await browser.get(address)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            nonces.add(policy.partition("nonce-")[2].partition("'")[0])
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
        assert len(nonces) == 3


async def test_an_unexpected_error_carries_them_too(web: Desk, monkeypatch: pytest.MonkeyPatch):
    async def breaks(*_: Any) -> None:
        raise RuntimeError

    async with web.signed_in("maya") as browser:
        monkeypatch.setattr(web.parts.tokens, "of", breaks)
        answer = await browser.get("/account")
    assert answer.status_code == 500
    assert "Something failed on our side" in answer.text
    nonce = answer.headers["content-security-policy"].partition("nonce-")[2].partition("'")[0]
    assert f'nonce="{nonce}"' in answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("person", ["maya", ""])
async def test_a_form_that_is_too_long_is_answered_with_a_page_that_says_where_the_words_are(web: Desk, person: str):
    async with web.signed_in("maya") as browser:
        if not person:
            browser.http.cookies.clear()
        await browser.post("/drafts", draft="report", said="the first words")
        answer = await browser.post("/report", said="x" * (MOST_BYTES + 1))
        assert answer.status_code == 413
        assert "<h1>That is more than a form may hold</h1>" in answer.text
        assert "shows what it has saved" in answer.text
        if person:
            assert "the first words" in (await browser.get("/report")).text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:8080"}, 422),
        ({"sec-fetch-site": "same-origin"}, 422),
        ({"host": "evil.example"}, 421),
        ({"content-length": str(MOST_BYTES + 1)}, 413),
    ],
)
async def test_what_comes_from_elsewhere_stays_outside(web: Desk, headers: dict[str, str], status: int):
    async with web.browser() as browser:
        answer = await browser.http.post("/sign-in", data={"account": "maya", "password": "x"}, headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize("address", ["/episodes/%00", "/?risk=%00", "/api/v1/episodes?owner=a%00"])
async def test_what_no_database_takes_is_refused_at_the_door(web: Desk, address: str):
    async with web.signed_in("maya") as browser:
        answer = await browser.get(address)
        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith("application/problem" if "/api/" in address else "text/plain")


async def test_a_name_with_a_nul_is_nobody(web: Desk):
    async with web.browser() as browser:
        assert (await browser.post("/sign-in", account="maya\0", password="x")).status_code == 422


async def test_a_form_with_too_many_fields_is_too_much(web: Desk):
    async with web.browser() as browser:
        answer = await browser.post("/sign-in", **{f"f{number}": "1" for number in range(1_000)})
        assert answer.status_code == 400
        assert "more than a form may hold" in answer.text


async def test_a_body_without_a_length_ends_at_the_limit(web: Desk):
    async def endless():
        for _ in range(100):
            yield b"a=" + b"x" * 16_384

    async with web.browser() as browser:
        answer = await browser.http.post(
            "/sign-in", content=endless(), headers={"content-type": "application/x-www-form-urlencoded"}
        )
        assert answer.status_code == 413


def test_a_route_that_does_not_say_what_it_needs_stops_the_start():
    router = APIRouter()

    @router.get("/open-to-all")
    async def _open() -> str:
        return ""

    with pytest.raises(RuntimeError, match="/open-to-all"):
        routes_of([router])
