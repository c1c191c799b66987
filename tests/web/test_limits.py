"""How often somebody may ask; and that nothing of a crisis waits for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.web.desk import PASSWORD, START, Desk
from web.limits import CRISIS, MINUTE, Limit


def test_a_limit_counts_for_each_key_and_ends():
    limit = Limit(2, MINUTE)
    for _ in range(2):
        assert limit.until("a", START) is None
        limit.count("a", START)
    assert limit.until("a", START) == START + MINUTE
    assert limit.until("b", START) is None
    assert limit.until("a", START + MINUTE) is None
    limit.count("a", START + MINUTE)
    assert limit.until("a", START + MINUTE) is None


async def test_one_address_tries_so_many_passwords_and_a_locked_screen_behind_it_still_opens(web: Desk):
    most = web.parts.limits.wrong.most
    async with web.signed_in("maya") as maya, web.browser() as browser:
        await maya.post("/lock")
        for number in range(most):
            await browser.post("/sign-in", account=f"nobody-{number}", password="guess")
        refused = await browser.post("/sign-in", account="ruth", password=PASSWORD)
        assert (refused.status_code, "Too many" in refused.text) == (429, True)
        assert (await maya.post("/sign-in", password=PASSWORD)).status_code == 303
        web.clock.goes_on(timedelta(minutes=10))
        assert (await browser.post("/sign-in", account="ruth", password=PASSWORD)).status_code == 303


@pytest.mark.parametrize("address", ["/", "/report", "/episodes/somebodys"])
async def test_what_a_crisis_needs_is_answered_however_often_one_asked(web: Desk, address: str):
    web.parts.limits.asked.most = 3
    async with web.signed_in("maya") as browser:
        answers = [(await browser.get("/clients")).status_code for _ in range(5)]
        assert answers == [200, 200, 200, 429, 429]
        assert (await browser.get(address)).status_code != 429
        assert (await browser.post("/episodes/somebodys/emergency")).status_code != 429
        for act in ("acknowledge", "record-contact"):
            assert (await browser.post(f"/episodes/somebodys/acts/{act}")).status_code != 429
        token = await web.parts.tokens.add("maya", "t", ("client.list", "queue.read", "protocol.read"), 1, web.clock())
        browser.http.headers["authorization"] = f"Bearer {token}"
        refused = await browser.get("/api/v1/protocols")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
        assert refused.headers["content-type"] == "application/problem+json"
        assert (await browser.get("/api/v1/queue")).status_code == 200


def test_what_is_never_counted_are_the_acts_of_a_crisis():
    assert {"episode.act", "episode.contact", "episode.emergency", "episode.open", "queue.read"} <= CRISIS
