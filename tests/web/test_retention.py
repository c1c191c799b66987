"""Legal holds in the browser: placed and lifted with a reason, and seen by whoever would destroy something."""

from __future__ import annotations

from datetime import timedelta

from audit.access import Sought, looked
from audit.holds import standing
from tests.web.desk import Desk
from tests.web.test_looks import one_client


async def test_a_hold_is_placed_with_a_reason_listed_and_lifted(web: Desk):
    client_ref = (await one_client(web)).client_ref
    async with web.signed_in("finn") as browser:
        wrong = await browser.post("/audit/holds", client="two words", reason="")
        assert wrong.status_code == 422
        assert 'value="two words"' in wrong.text, "what was typed is kept"
        assert await standing(web.parts.database) == {}
        placed = await browser.post("/audit/holds", client=client_ref, reason="subpoena 4")
        assert placed.headers["location"] == "/audit/retention?show=held"
        page = (await browser.get("/audit/retention?show=held")).text
        assert "subpoena 4" in page
        assert "Finn" in page
        assert (await browser.post("/audit/holds/lift", client=client_ref, reason="")).status_code == 422
        assert (await browser.post("/audit/holds/lift", client="nobody", reason="closed")).status_code == 422
        web.clock.goes_on(timedelta(minutes=1))
        assert (await browser.post("/audit/holds/lift", client=client_ref, reason="case closed")).status_code == 303
        assert "No hold stands" in (await browser.get("/audit/retention?show=held")).text
    looks = await looked(web.parts.database, Sought(client_ref=client_ref, who="finn"))
    assert {("held", "subpoena 4"), ("released", "case closed")} <= {(one.what, one.purpose) for one in looks}


async def test_a_client_without_an_episode_may_be_held(web: Desk):
    async with web.signed_in("ruth") as browser:
        await browser.post("/audit/holds", client="client-of-old", reason="complaint 12")
        assert "client-of-old" in (await browser.get("/audit/retention?show=held")).text


async def test_what_must_be_kept_says_until_when_and_why(web: Desk):
    await one_client(web)
    async with web.signed_in("finn") as browser:
        page = (await browser.get("/audit/retention?show=all")).text
        assert "an episode is open" in page
        assert "an open episode runs under it" in page
        assert "Nothing is due to go" in (await browser.get("/audit/retention")).text
    async with web.signed_in("maya") as browser:
        assert (await browser.get("/audit/retention")).status_code == 403
        assert (await browser.post("/audit/holds", client="client-1", reason="because")).status_code == 403
