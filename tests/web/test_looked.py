"""Who looked at this client, and what was handed out: pages and API."""

from __future__ import annotations

from datetime import timedelta

from fastapi.routing import APIRoute

from audit.access import Access, record
from tests.web.desk import Desk
from tests.web.test_api import caller
from tests.web.test_looks import one_client
from web.app import ROUTERS
from web.guard import May, routes_of
from web.looked import place_of
from web.looks import NOTHING, Reads

HASH = "ab" * 32
DAY = timedelta(days=1)
NOBODY = ("client=nobody&what=read", "episode=nobody&what=read", "who=nobody", "who=sam&what=exported")


async def with_looks(web: Desk) -> str:
    """Maya looked a week ago, Finn handed something out yesterday; the reference of the client."""
    episode = await one_client(web)
    now = web.clock()
    detail = {"to": "State board", "bundle": HASH, "withheld": "sud"}
    await record(
        web.parts.database,
        Access(now - 7 * DAY, "maya", "therapist", "read", "care", episode.episode_id, detail={"view": "/board"}),
        Access(now - DAY, "finn", "auditor", "exported", "complaint 12", episode.episode_id, detail=detail),
        Access(now - 2 * DAY, "sam", "therapist", "read", "care", client_ref="client-elsewhere"),
    )
    return episode.client_ref


async def test_who_looked_at_a_client_is_one_page(web: Desk):
    client_ref = await with_looks(web)
    async with web.signed_in("finn") as browser:
        page = (await browser.get(f"/clients/{client_ref}/access")).text
        assert "Who looked at Dana Rourke" in page
        for expected in ("Maya", "Board", "care", "Finn", "Handed out", "State board", "complaint 12"):
            assert expected in page, expected
        assert "Sam" not in page.split("<tbody>")[1].split("</tbody>")[0]
        assert f"/clients/{client_ref}/access" in (await browser.get(f"/clients/{client_ref}")).text
    async with web.signed_in("maya") as browser:
        assert (await browser.get(f"/clients/{client_ref}/access")).status_code == 403
        assert "Who looked" not in (await browser.get(f"/clients/{client_ref}")).text


async def test_the_access_trail_is_filtered_in_the_address(web: Desk):
    client_ref = await with_looks(web)
    today = web.clock().astimezone(web.parts.zone).date()
    shown = {
        "who=sam": {"client-elsewhere"},
        f"client={client_ref}&what=exported": {"complaint 12"},
        f"who=maya&to={today - timedelta(days=6)}": {"/clients/" + client_ref},
        f"who=finn&what=exported&from={today - timedelta(days=2)}": {"complaint 12"},
    }
    async with web.signed_in("finn") as browser:
        for asked, expected in shown.items():
            rows = (await browser.get(f"/audit/access?{asked}")).text.partition("<tbody>")[2].partition("</tbody>")[0]
            assert rows.count("<tr>") == 1, asked
            assert all(one in rows for one in expected), asked
        for nothing in (*NOBODY, f"who=maya&from={today}"):
            assert "Nobody, as far as is known" in (await browser.get(f"/audit/access?{nothing}")).text, nothing
        assert (await browser.get("/audit/access?from=2026-02-31")).status_code == 422
        assert (await browser.get("/audit/access?whom=sam")).status_code == 422


async def test_disclosures_name_recipient_hash_and_what_was_withheld(web: Desk):
    client_ref = await with_looks(web)
    async with web.signed_in("finn") as browser:
        page = (await browser.get("/audit/disclosures")).text
    rows = page.partition("<tbody>")[2].partition("</tbody>")[0]
    for expected in ("State board", "complaint 12", HASH, "substance use withheld", client_ref, "Finn"):
        assert expected in rows, expected
    assert "Maya" not in rows


async def test_the_api_tells_the_same(web: Desk):
    client_ref = await with_looks(web)
    async with caller(web, "finn") as http:
        found = (await http.get("/audit/disclosures", params={"client": client_ref})).json()
        (one,) = found["disclosures"]
        assert (one["detail"]["to"], one["client_ref"]) == ("State board", client_ref)
        looks = (await http.get("/audit/access", params={"who": "maya"})).json()
        assert [one["what"] for one in looks["looks"]] == ["read"]
        assert looks["total"] == 1
        episodes = (await http.get("/audit/episodes", params={"client": client_ref})).json()
        assert [one["client_ref"] for one in episodes["episodes"]] == [client_ref]
    async with caller(web, "maya") as http:
        assert (await http.get("/audit/access")).status_code == 403


async def test_the_search_for_looks_is_a_look(web: Desk):
    client_ref = await with_looks(web)
    async with web.signed_in("finn") as browser:
        await browser.get(f"/audit/access?client={client_ref}")
        page = (await browser.get(f"/audit/access?client={client_ref}&what=searched")).text
    assert "Searched" in page.partition("<tbody>")[2]


def test_every_page_that_shows_a_client_has_a_name_in_the_list():
    shown = {route.path for route in routes_of(ROUTERS) if reads_of(route) not in (None, NOTHING)}
    assert len(shown) > 20
    assert [path for path in sorted(shown) if place_of(path) == path] == []


def reads_of(route: APIRoute) -> Reads | None:
    calls = [one.call for one in route.dependant.dependencies]
    return next((one.reads for one in calls if isinstance(one, May)), None)
