from __future__ import annotations

from tests.web.desk import Desk, hidden


async def test_a_new_number_needs_two_people(web: Desk):
    address = "/resources/orange_oc_links/change"
    async with web.signed_in("ruth") as ruth, web.signed_in("iris") as iris:
        fields = {"by-0": "call", "number-0": "714-555-0100", "reason": "read on the county's page"}
        assert (await ruth.post(address, **fields)).status_code == 303
        (waiting,) = await web.parts.numbers.waiting()
        assert "Somebody else must approve it" in (await ruth.get("/resources")).text
        own = await ruth.post(f"/resources/changes/{waiting.change_id}", answer="approve")
        assert own.status_code == 409
        assert "714-555-0100" not in (await ruth.get("/resources?county=orange")).text.partition("Changes that wait")[0]
        assert (await iris.post(f"/resources/changes/{waiting.change_id}", answer="approve")).status_code == 303
        assert "714-555-0100" in (await ruth.get("/resources?county=orange")).text.partition("Changes that wait")[0]


async def test_a_wrong_number_is_refused_in_words_and_stays_typed(web: Desk):
    async with web.signed_in("ruth") as browser:
        answer = await browser.post(
            "/resources/orange_oc_links/change", **{"by-0": "call", "number-0": "ask", "reason": "x"}
        )
        assert answer.status_code == 422
        assert "A number is 911" in answer.text
        assert 'value="ask"' in answer.text
        assert (await browser.get("/resources/nowhere/change")).status_code == 404


async def test_a_therapist_reads_and_does_not_change(web: Desk):
    async with web.signed_in("maya") as browser:
        assert "Change the number" not in (await browser.get("/resources?county=orange")).text
        assert (await browser.get("/resources/orange_oc_links/change")).status_code == 403


async def test_facilities_are_kept_and_marked_when_expired(web: Desk):
    async with web.signed_in("ruth") as browser:
        fields = {"name": "Harbor House PHP", "kind": "php", "checked": "2020-01-01", "dual_diagnosis": "yes"}
        assert (await browser.post("/facilities/new", **fields)).status_code == 303
        assert "▲ expired" in (await browser.get("/facilities")).text
        again = await browser.post("/facilities/new", **fields)
        assert again.status_code == 422
        assert "already" in again.text
        place = "/facilities/harbor-house-php"
        revision = hidden((await browser.get(place)).text, "revision")
        changed = {**fields, "checked": "2026-11-01", "county": "Alameda", "revision": revision}
        assert (await browser.post(place, **changed)).status_code == 303
        assert "Alameda" in (await browser.get("/facilities")).text
        wrong = await browser.post("/facilities/import", text="name,kind,checked\nX,spa,2026-01-01\n")
        assert "line 2: kind" in wrong.text
        assert (await browser.get("/facilities/nothing")).status_code == 404
