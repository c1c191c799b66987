"""The records are away: every page still says whom to call, keeps what was typed, and an emergency is still taken."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from practice.sessions import IDLE
from tests.postgresql import postgresql
from tests.web.desk import Browser, Desk, desk, hidden
from tests.web.test_access import address_of
from tests.workflows.stack import free_port, settings_for
from web.app import ROUTERS
from web.guard import routes_of

WORDS = "she says she <can't> go on & on"
ASKED = [
    (method, route)
    for route in routes_of(ROUTERS)
    for method in sorted(set(route.methods or ()) - {"HEAD"})
    if route.path != "/live"
]


ASK_NOTHING = ("/health", "/sign-in/done")
"""Pages that need no records: they are as they always are."""


async def fails(*_: Any, **__: Any) -> Any:
    raise OperationalError("SELECT", {}, Exception("no connection"))


@contextmanager
def records_gone(web: Desk) -> Generator[None]:
    """Whatever asks the records fails, as it does when they are stopped."""
    names = ("read", "read_moment", "write")
    try:
        for name in names:
            setattr(web.parts.database, name, fails)
        yield
    finally:
        for name in names:
            delattr(web.parts.database, name)


@pytest.mark.parametrize("person", ["maya", "ruth", "abel", "finn"])
async def test_every_route_answers_with_whom_to_call(web: Desk, person: str):
    async with web.signed_in(person) as browser:
        assert (await browser.get("/account")).status_code == 200
        with records_gone(web):
            for method, route in ASKED:
                address = address_of(route, "an-episode")
                answer = (
                    await browser.get(address) if method == "GET" else await browser.post(address, said=WORDS, key="k")
                )
                assert answer.status_code != 500, (method, address)
                if address.startswith("/api/") or answer.status_code in (303, 403, 404, 405) or address in ASK_NOTHING:
                    continue
                assert "911" in answer.text, (method, address, answer.status_code)
                assert "988" in answer.text, (method, address)


async def test_what_was_typed_is_kept_under_the_same_key(web: Desk):
    async with web.signed_in("maya") as browser:
        assert (await browser.get("/account")).status_code == 200
        with records_gone(web):
            answer = await browser.post("/report", client="client-1", said=WORDS, key="the-key")
        assert answer.status_code == 503
        assert answer.text.count("she says she &lt;can&#39;t&gt; go on &amp; on") == 2, "once to read, once to send"
        assert hidden(answer.text, "key") == "the-key"
        assert 'action="/report"' in answer.text


async def test_no_password_comes_back(web: Desk):
    async with web.browser() as browser:
        with records_gone(web):
            answer = await browser.post("/sign-in", account="maya", password="not-to-be-seen")
        assert answer.status_code == 503
        assert "not-to-be-seen" not in answer.text


async def test_the_paper_and_the_health_need_no_records(web: Desk):
    async with web.signed_in("maya") as browser:
        with records_gone(web):
            paper, health = await browser.get("/paper"), await browser.get("/health")
            assert (paper.status_code, health.status_code) == (200, 503)
            assert "Read aloud" in paper.text
            assert health.json()["records"] is False


async def opened(browser: Browser) -> str:
    page = await browser.get("/report?client=client-9")
    answer = await browser.post("/report", client="client-9", crisis="craving", key=hidden(page.text, "key"))
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


@pytest.mark.full
async def test_an_emergency_is_taken_without_the_records(live: Desk):
    async with live.signed_in("maya") as browser:
        place = await opened(browser)
        with records_gone(live):
            answer = await browser.post(f"{place}/emergency", key="one")
            again = await browser.post(f"{place}/emergency", key="one")
        assert (answer.status_code, again.status_code) == (200, 200)
        assert "The emergency is declared" in answer.text
        view = await live.parts.engine.view(place.rpartition("/")[2])
        assert view.episode is not None
        assert view.episode.risk == "imminent"


@pytest.mark.full
async def test_nothing_else_is_taken_and_only_from_who_was_here_lately(live: Desk):
    async with live.signed_in("maya") as browser, live.signed_in("sam") as stranger, live.browser() as nobody:
        place = await opened(browser)
        with records_gone(live):
            assert (await browser.post(f"{place}/acts/advance", key="one")).status_code == 503
            unknown = await stranger.post(f"{place}/emergency", key="one")
            assert unknown.status_code == 503, "never seen by this process"
            assert "911" in unknown.text
            assert (await nobody.post(f"{place}/emergency", key="one")).status_code == 401
            assert (await browser.http.post(f"{place}/emergency", data={"key": "one"})).status_code == 403
        assert (await browser.post("/sign-out")).status_code == 303
        with records_gone(live):
            assert (await browser.post(f"{place}/emergency", key="one")).status_code in (401, 503)


async def test_who_was_here_is_forgotten_with_the_idle_lock(web: Desk):
    account = await web.parts.accounts.get("maya")
    assert account is not None
    token, session = await web.parts.sessions.begin(account, web.clock())
    lately = web.parts.lately
    lately.note(token, session, web.clock())
    assert lately.of(token, web.clock()) == session
    assert lately.of(token, web.clock() + IDLE - timedelta(seconds=1)) == session
    assert lately.of(token, web.clock() + IDLE) is None
    lately.forget_others("maya", session.token_hash)
    assert lately.of(token, web.clock()) == session
    lately.forget_others("maya")
    assert lately.of(token, web.clock()) is None


@pytest.mark.full
async def test_a_postgresql_that_stops_leaves_pages_that_say_whom_to_call(tmp_path: Path):
    with postgresql() as server:
        settings = settings_for(tmp_path, free_port()).model_copy(
            update={"database_url": SecretStr(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))}
        )
        async with desk(tmp_path, settings) as web, web.signed_in("maya") as browser:
            assert (await browser.get("/")).status_code == 200
            server.cleanup()
            for address in ("/", "/clients", "/report", "/episodes/x", "/account"):
                answer = await browser.get(address)
                assert answer.status_code == 503, address
                assert re.search(r'href="tel:911"', answer.text), address
            kept = await browser.post("/report", client="client-1", said=WORDS, key="the-key")
            assert hidden(kept.text, "key") == "the-key"
