from __future__ import annotations

import pytest

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


async def test_a_list_of_numbers_goes_out_and_comes_back_as_proposals_for_a_second_person(web: Desk):
    async with web.signed_in("ruth") as ruth, web.signed_in("iris") as iris:
        answer = await ruth.get("/resources/numbers.csv")
        assert answer.headers["content-type"].startswith("text/csv")
        heading, *lines = answer.text.splitlines()
        assert (await ruth.post("/resources/import", text=answer.text)).headers["location"] == "/resources?said=same"
        (own,) = [number for number, line in enumerate(lines) if line.startswith("orange_oc_links,")]
        cells = lines[own].split(",")
        lines[own] = ",".join([*cells[:3], "714-555-0100", "", "read on the county's page"])
        changed = "\n".join([heading, *lines])
        assert (await ruth.post("/resources/import", text=changed)).headers[
            "location"
        ] == "/resources?said=proposed_all"
        (waiting,) = await web.parts.numbers.waiting()
        assert (waiting.resource, waiting.proposed_by, waiting.after[0].number) == (
            *("orange_oc_links", "ruth"),
            "714-555-0100",
        )
        assert "714-555-0100" not in (await iris.get("/resources/numbers.csv")).text
        assert (await ruth.post(f"/resources/changes/{waiting.change_id}", answer="approve")).status_code == 409
        assert (await iris.post(f"/resources/changes/{waiting.change_id}", answer="approve")).status_code == 303
        assert "714-555-0100" in (await iris.get("/resources/numbers.csv")).text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("orange_oc_links,OC Links,call,714-555-0100,,", "Orange_oc_links: write where you read"),
        ("orange_oc_links,OC Links,call,ask,,read", "Orange_oc_links: a number is 911"),
        ("nowhere,x,call,911,,read", "Line 2: there is no resource"),
        ("orange_oc_links,OC Links", "Line 2: as many cells as the heading has"),
    ],
)
async def test_a_wrong_line_proposes_nothing_and_stays_typed(web: Desk, line: str, said: str):
    good = "alameda_crisis_support,x,call,510-555-0100,,read"
    async with web.signed_in("ruth") as browser:
        text = f"resource,title,by,number,then,reason\n{line}\n"
        answer = await browser.post("/resources/import", text=text)
        assert answer.status_code == 422
        assert said in answer.text
        assert line in answer.text
        assert "The heading is" in (await browser.post("/resources/import", text=good)).text
    assert await web.parts.numbers.waiting() == ()


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
