"""Changing the rota in the application: what it would do is told first; then it counts for pages, and can be undone."""

from __future__ import annotations

import re

from tests.audit.records import summary
from tests.web.desk import Desk
from tests.web.test_board import known

LEAVE = {"what": "leave", "person": "dora", "first": "2099-01-05", "last": "2099-01-06", "cover": "", "key": "k-1"}


async def test_a_leave_is_tried_first_and_then_kept_and_undone(web: Desk):
    today = web.clock().date().isoformat()
    leave = {**LEAVE, "first": today, "last": today}
    async with web.signed_in("ruth") as browser:
        told = await browser.post("/rota", **leave)
        assert told.status_code == 200
        assert "nobody would be reached at these hours" in told.text
        assert "Dora Quispe is on leave and nobody stands in" in told.text
        assert "as crisis lead" in told.text or "_" not in told.text.partition("nobody would be reached")[2][:600]
        assert await web.parts.rota.listed() == ()
        for _ in range(2):
            assert (await browser.post("/rota", **leave, seen="yes")).status_code == 303
        (kept,) = await web.parts.rota.listed()
        assert kept.by == "ruth"
        page = (await browser.get("/rota")).text
        assert "Dora Quispe away" in page
        undo = re.search(r"/rota/changes/[^/]+/undo", page)
        assert undo is not None
        assert (await browser.post(undo[0])).status_code == 303
        assert "Undone: " in (await browser.get("/rota")).text
    assert "dora" not in {one.person for one in (await web.parts.rota.current()).leave}


async def test_what_somebody_leaves_behind_is_told(web: Desk):
    await known(web, summary(1, "a", owner="maya"), summary(1, "b", owner="maya"))
    async with web.signed_in("ruth") as browser:
        text = (await browser.post("/rota", **{**LEAVE, "person": "maya"})).text
    assert "leads 2 open episodes, 2 at high or imminent risk" in text
    assert "/reassign?owner=maya" in text


async def test_a_wrong_day_keeps_what_was_typed(web: Desk):
    async with web.signed_in("ruth") as browser:
        answer = await browser.post("/rota", **{**LEAVE, "first": "tomorrow"})
    assert answer.status_code == 422
    assert "Write each day as 2026-12-24" in answer.text
    assert 'value="2099-01-06"' in answer.text


async def test_who_may_only_read_changes_nothing(web: Desk):
    async with web.signed_in("maya") as browser:
        assert "Change it" not in (await browser.get("/rota")).text
        assert (await browser.post("/rota", **LEAVE)).status_code == 403
