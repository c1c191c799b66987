"""My queue: what stands in it, in which order, for whom, and when it says that the engine is silent."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from audit.tables import episodes, obligations, pages
from tests.web.desk import Desk
from web.queue import ROWS


async def owe(web: Desk, episode_id: str, minutes: int, owner: str = "maya", **more: Any) -> None:
    """An episode of somebody's with one obligation, due in so many minutes, as the records' lists have it."""
    now = web.clock()
    due = now + timedelta(minutes=minutes)
    episode: dict[str, Any] = {
        "episode_id": episode_id,
        "client_ref": f"client-{episode_id}",
        "protocol": "p",
        "protocol_version": "1.0.0",
        "protocol_hash": "0" * 64,
        "revision": 1,
        "stage": "assessment",
        "risk": "low",
        "peak_risk": "low",
        "owner": owner,
        "opened_at": now,
        "drill": False,
    }
    episode |= {name: value for name, value in more.items() if name in episode}
    obligation: dict[str, Any] = {
        "episode_id": episode_id,
        "obligation_id": "call-1",
        "kind": "call",
        "title": f"Call {episode_id}",
        "status": "open",
        "owner_role": "owner",
        "owner": owner,
        "opened_at": now,
        "due_at": due,
        "missed": False,
        "rung": -1,
        "next_page_at": due,
        "lease_until": None,
    }
    obligation |= {name: value for name, value in more.items() if name in obligation}

    await web.parts.database.write(
        lambda connection: (
            connection.execute(insert(episodes), episode),
            connection.execute(insert(obligations), obligation),
        )
    )


async def titles(web: Desk, person: str, address: str = "/") -> list[str]:
    async with web.signed_in(person) as browser:
        return re.findall(r"data-row>([^<]+)<", (await browser.get(address)).text)


async def test_what_is_overdue_stands_first_and_others_duties_do_not_stand_there(web: Desk):
    await owe(web, "later", 90)
    await owe(web, "late", -5)
    await owe(web, "soon", 12)
    await owe(web, "not-mine", 1, owner="somebody")
    assert await titles(web, "maya") == ["Call late", "Call soon", "Call later"]
    async with web.signed_in("maya") as browser:
        page = (await browser.get("/")).text
    assert "5 min overdue" in page
    assert "12 min left" in page
    assert "<b>1 overdue</b>" in page


async def test_filters_of_the_address(web: Desk):
    await owe(web, "late", -5)
    await owe(web, "next-week", 7 * 24 * 60, risk="high")
    assert await titles(web, "maya", "/?show=late") == ["Call late"]
    assert await titles(web, "maya", "/?show=today") == ["Call late"]
    assert await titles(web, "maya", "/?risk=high") == ["Call next-week"]
    assert len(await titles(web, "maya", "/?show=nonsense&risk=nonsense")) == 2


async def test_a_role_that_one_has_on_shift_is_in_the_queue(web: Desk):
    await owe(web, "for-supervisors", 5, owner="maya", owner_role="supervisor")
    await web.parts.database.write(lambda connection: connection.execute(obligations.update().values(owner="")))
    assert await titles(web, "ruth") == ["Call for-supervisors"]
    assert await titles(web, "maya") == []


async def test_a_page_that_reached_me_asks_me_until_somebody_is_on_it(web: Desk):
    await owe(web, "climbing", 5, rung=1)
    page: dict[str, Any] = {
        "episode_id": "climbing",
        "page_id": "p-1",
        "obligation_id": "call-1",
        "rung": 1,
        "role": "supervisor",
        "channels": ["email"],
        "requested_at": web.clock(),
        "reported_at": web.clock(),
        "delivered": True,
        "recipients": ["ruth"],
        "detail": "",
    }
    await web.parts.database.write(lambda connection: connection.execute(insert(pages), page))
    async with web.signed_in("ruth") as browser:
        assert "You were paged about these" in (await browser.get("/")).text
        quiet = obligations.update().values(lease_until=web.clock() + timedelta(minutes=5))
        await web.parts.database.write(lambda connection: connection.execute(quiet))
        assert "You were paged about these" not in (await browser.get("/")).text


async def test_a_deadline_that_nobody_saw_to_is_said_on_top(web: Desk):
    async with web.signed_in("maya") as browser:
        await owe(web, "fine", 5)
        web.parts.engine.silent_since = None
        assert "Not up to date" not in (await browser.get("/")).text
        web.clock.goes_on(timedelta(minutes=7))
        web.parts.engine.silent_since = None
        assert "the engine is silent" in (await browser.get("/")).text


async def test_a_long_queue_is_turned_page_by_page(web: Desk):
    for number in range(ROWS + 1):
        await owe(web, f"e{number}", number + 1)
    assert len(await titles(web, "maya")) == ROWS
    assert await titles(web, "maya", "/?page=2") == [f"Call e{ROWS}"]
    assert await titles(web, "maya", "/?page=999") == [f"Call e{ROWS}"]


async def test_an_empty_queue_says_so_and_people_without_one_go_elsewhere(web: Desk):
    async with web.signed_in("maya") as browser:
        assert "You owe nothing right now" in (await browser.get("/")).text
    for person, place in (("finn", "/audit"), ("iris", "/protocols"), ("abel", "/accounts")):
        async with web.signed_in(person) as browser:
            answer = await browser.get("/")
            assert answer.status_code == 303
            assert answer.headers["location"].startswith(place)
            assert (await browser.get(answer.headers["location"])).status_code == 200
