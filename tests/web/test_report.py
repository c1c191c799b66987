"""Reporting a crisis: how it reached us and when, who leads it, and one episode however many report it at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.web.desk import Browser, Desk, form_of
from tests.web.test_api import caller, key
from tests.web.test_caseload import put_client
from tests.web.test_episodes import recorded


async def form(browser: Browser, client: str, **more: str) -> dict[str, str]:
    """A report as somebody fills it in."""
    hidden = form_of((await browser.get(f"/report?client={client}")).text, "/report")
    return {**hidden, "client": client, "crisis": "craving", **more}


def fresh_client() -> str:
    return f"client-{uuid4().hex[:8]}"


async def carried(web: Desk, who: str) -> str:
    """A client on somebody's caseload."""
    client = fresh_client()
    await put_client(web, client, "Dana R.")
    await web.parts.reach.assign(client, who, web.clock())
    return client


async def seen(web: Desk, place: str) -> Any:
    episode = (await web.parts.engine.view(place.rpartition("/")[2])).episode
    assert episode is not None
    return episode


async def test_the_form_asks_what_the_protocol_needs_and_says_who_leads(web: Desk):
    client = await carried(web, "maya")
    async with web.signed_in("sam") as sam, web.signed_in("maya") as maya:
        page = (await sam.get(f"/report?client={client}")).text
        assert 'name="fact.report_channel" value="third_party"' in page
        assert "<b>Maya Ortiz</b> leads it" in page
        assert "You lead it" in (await maya.get(f"/report?client={client}")).text
        told = await sam.post("/report/lead", client=client)
        assert "<b>Maya Ortiz</b> leads it" in told.text
        assert "You lead it" in (await sam.post("/report/lead", client=fresh_client())).text


async def test_whoever_is_away_is_stood_in_for(web: Desk):
    from tests.web.test_rota import LEAVE

    client, today = await carried(web, "maya"), web.clock().date()
    leave = {**LEAVE, "person": "maya", "first": f"{today - timedelta(days=1)}", "last": f"{today + timedelta(days=1)}"}
    async with web.signed_in("ruth") as ruth, web.signed_in("noor") as noor:
        await ruth.post("/rota", **{**leave, "cover": "sam"}, seen="yes")
        page = (await noor.get(f"/report?client={client}")).text
        assert "<b>Sam Lindqvist</b> leads it: stands in for Maya Ortiz" in page


@pytest.mark.full
async def test_two_who_report_at_once_open_one_episode_and_keep_their_words(live: Desk):
    async with live.signed_in("maya") as maya, live.signed_in("sam") as sam:
        client = fresh_client()
        forms = [await form(one, client, said=f"{who} <heard>") for one, who in ((maya, "Maya"), (sam, "Sam"))]
        answers = await asyncio.gather(maya.post("/report", **forms[0]), sam.post("/report", **forms[1]))
        assert sorted(one.status_code for one in answers) == [303, 409]
        opened, offered = sorted(answers, key=lambda one: one.status_code)
        episode_id = opened.headers["location"].rpartition("/")[2]
        assert f"/report/onward/{episode_id}" in offered.text
        assert "&lt;heard&gt;" in offered.text
        await recorded(live, f"/episodes/{episode_id}")
        assert await live.parts.owing.open_of_client(client) == (episode_id,)


@pytest.mark.full
async def test_two_calls_at_once_open_one_episode(live: Desk):
    async with caller(live, "maya") as maya, caller(live, "sam") as sam:
        body = {"client_ref": fresh_client(), "crisis_types": ["craving"]}
        answers = await asyncio.gather(*(one.post("/episodes", json=body, headers=key()) for one in (maya, sam)))
        assert sorted(one.status_code for one in answers) == [201, 409]
        opened, offered = sorted(answers, key=lambda one: one.status_code)
        assert offered.json()["episodes"] == [opened.json()["episode_id"]]


@pytest.mark.full
async def test_a_call_of_an_hour_ago_counts_from_then_and_the_own_therapist_leads(live: Desk):
    client = await carried(live, "maya")
    async with live.signed_in("ruth") as ruth:
        received = (live.clock() - timedelta(hours=1)).astimezone(live.parts.zone).replace(second=0, microsecond=0)
        written = {"received": received.strftime("%Y-%m-%dT%H:%M"), "fact.report_channel": "phone_call"}
        answer = await ruth.post("/report", **await form(ruth, client, **written))
        place = answer.headers["location"]
        episode = await seen(live, place)
        assert (episode.owner, episode.opened_at) == ("maya", received)
        assert episode.facts["report_channel"].value == "phone_call"
        (contact,) = [one for one in episode.obligations.values() if one.obligation == "live_contact"]
        assert contact.due_at == received + timedelta(minutes=30)
        await recorded(live, place)
        assert "written down 1:0" in (await ruth.get(place)).text


@pytest.mark.full
async def test_one_may_lead_it_oneself_and_a_reporter_who_is_not_concerned_is_told_who_does(live: Desk):
    async with live.signed_in("sam") as sam:
        client = await carried(live, "maya")
        in_session = {"fact.report_channel": "in_session"}
        answer = await sam.post("/report", **await form(sam, client, owner="me", **in_session))
        assert (await seen(live, answer.headers["location"])).owner == "sam"
        client = await carried(live, "maya")
        answer = await sam.post("/report", **await form(sam, client, lead="maya", **in_session))
        assert answer.headers["location"] == "/"
        assert "Maya Ortiz leads it" in (await sam.get("/")).text
        stale = await sam.post("/report", **await form(sam, await carried(live, "maya"), lead="lee"))
        assert stale.status_code == 422
        assert "Meanwhile it would be led by Maya Ortiz" in stale.text


@pytest.mark.full
async def test_what_was_refused_can_be_reported_again(live: Desk):
    async with live.signed_in("maya") as maya:
        client = fresh_client()
        refused = await maya.post("/report", **await form(maya, client, received="2099-01-01T10:00"))
        assert refused.status_code == 422
        assert "That lies in the future" in refused.text
        again = await form(maya, client)
        async with asyncio.timeout(60):
            while (answer := await maya.post("/report", **again)).status_code == 503:
                pass  # the refused opening ends a moment later
        assert answer.status_code == 303


async def test_a_client_is_named_as_people_name_them(live: Desk):
    await put_client(live, "client-dana", "Dana Rourke")
    await put_client(live, "client-1", "Kim Lee")
    await put_client(live, "client-2", "Kim Lee")
    async with live.signed_in("ruth") as ruth, live.signed_in("maya") as maya:
        sent = form_of((await ruth.get("/report")).text, "/report") | {"crisis": "craving"}
        answer = await ruth.post("/report", **sent, client="dana rourke")
        assert answer.status_code == 303, answer.text
        assert (await seen(live, answer.headers["location"])).client_ref == "client-dana"
        for browser, name in ((ruth, "Kim Lee"), (ruth, "Nobody Known"), (maya, "Dana Rourke")):
            sent = form_of((await browser.get("/report")).text, "/report") | {"crisis": "craving"}
            refused = await browser.post("/report", **sent, client=name)
            assert refused.status_code == 422, "two have this name, nobody has it, or one may not know"
            assert "Choose the client from the list" in refused.text
            assert f'value="{name}"' in refused.text
