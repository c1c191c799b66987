"""Handing over the episodes of somebody who is away, through the engine; and a rota whose changes the worker obeys."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.activities.providers import mail_server
from tests.web.desk import Desk, RealClock, desk, form_of
from tests.web.test_episodes import did, recorded, reported
from tests.web.test_report import seen
from tests.web.test_rota import LEAVE
from tests.workflows.stack import stack
from worker import activities, episode_worker

pytestmark = pytest.mark.full


async def test_several_are_offered_and_each_goes_its_own_way(live: Desk):
    async with live.signed_in("maya") as maya, live.signed_in("ruth") as ruth, live.signed_in("sam") as sam:
        assert isinstance(live.clock, RealClock)
        live.clock.behind = timedelta(hours=26)
        taken, unanswered, refused = [await reported(maya) for _ in range(3)]
        for place in (taken, unanswered, refused):
            await recorded(live, place)
        ids = [place.rpartition("/")[2] for place in (taken, unanswered, refused)]
        page = (await ruth.get("/reassign?owner=maya")).text
        assert '<option value="finn">' not in page, "who may not own an episode is not offered one"
        assert all(f'name="to.{one}"' in page for one in ids)
        to = dict(zip([f"to.{one}" for one in ids], ("sam", "lee", "finn"), strict=True))
        live.clock.behind = timedelta(hours=25)
        page_again = form_of(page, "/reassign")
        answer = await ruth.post("/reassign", **page_again, reason="Maya is ill", **to)
        live.clock.behind = timedelta(0)
        assert answer.headers["location"] == "/board"
        told = (await ruth.get("/board")).text
        assert f"{ids[0][:8]} offered to Sam Lindqvist" in told
        assert f"{ids[2][:8]}: an episode goes to a" in told
        assert (await did(sam, taken, "accept-handover")).status_code == 303
        assert (await seen(live, taken)).owner == "sam"
        assert (await seen(live, refused)).handover is None
        assert await overdue(live, unanswered) == "addressee", "an offer that nobody answers is missed and pages"
        still = await seen(live, unanswered)
        assert (still.owner, still.handover.to) == ("maya", "lee"), "it counts when it is accepted"


async def overdue(live: Desk, place: str) -> str:
    """The role that is paged once the answer to an offer is overdue."""
    async with asyncio.timeout(60):
        while True:
            owed = [
                one for one in (await seen(live, place)).obligations.values() if one.obligation == "handover_answer"
            ]
            pages = await live.parts.queries.pages(place.rpartition("/")[2])
            asked = [one.role for one in pages if one.obligation_id == owed[0].obligation_id]
            if owed[0].missed and asked:
                return asked[0]
            await asyncio.sleep(0.05)


async def test_the_worker_pages_whoever_stands_in_by_a_change_in_the_application(tmp_path: Path, temporal_port: int):
    async with (
        mail_server() as mail,
        stack(tmp_path, temporal_port, worker_sandbox=False, smtp_port=mail.port) as made,
        episode_worker(made.client, made.settings, activities(made.settings)),
        desk(tmp_path, made.settings, RealClock()) as web,
        web.signed_in("ruth") as ruth,
        web.signed_in("maya") as maya,
    ):
        today = web.clock().date()
        days = {"first": f"{today - timedelta(days=1)}", "last": f"{today + timedelta(days=1)}", "cover": "ivan"}
        for person in ("sam", "lee", "noor"):  # one of them is on call now
            answer = await ruth.post("/rota", **{**LEAVE, **days, "person": person, "key": person}, seen="yes")
            assert answer.status_code == 303
        await reported(maya, **{"fact.report_channel": "phone_call"})
        async with asyncio.timeout(60):
            while not mail.received:
                await asyncio.sleep(0.05)
        assert [one["To"] for one in mail.received] == ["ivan@staff.example"]
