from __future__ import annotations

import json

from audit.access import Sought, looked
from tests.web.desk import Desk
from tests.web.recorded import recorded
from web.plan import pdf


async def test_the_plan_shows_its_parts_and_every_version(web: Desk):
    end = await recorded(web, "led_through_all_stages")
    signs = end.facts["plan_warning_signs"].value
    async with web.signed_in("ruth") as browser:
        text = (await browser.get(f"/episodes/{end.episode_id}/plan")).text
    assert str(signs).splitlines()[0] in text
    assert "Version 1" in text
    assert "Warning signs in the client" in text


async def test_a_shared_screen_shows_the_plan_and_nothing_else(web: Desk):
    end = await recorded(web, "led_through_all_stages")
    async with web.signed_in("ruth") as browser:
        text = (await browser.get(f"/episodes/{end.episode_id}/plan/shared")).text
    assert "Leave this page now" in text
    for kept_back in ("Ruth", "My queue", "Risk", end.client_ref, "Holdfast<"):
        assert kept_back not in text


async def test_the_client_s_copy_is_a_pdf_and_making_it_is_written_down(web: Desk):
    end = await recorded(web, "led_through_all_stages")
    async with web.signed_in("ruth") as browser:
        answer = await browser.get(f"/episodes/{end.episode_id}/plan.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")
    (look,) = await looked(web.parts.database, Sought(client_ref=end.client_ref, what="exported"))
    assert (look.who, look.what) == ("ruth", "exported")


async def test_a_hidden_plan_is_neither_shared_nor_copied(web: Desk):
    end = await recorded(web, "code_word_and_gone")
    assert end.facts["plan_delivery"].value == "hidden"
    async with web.signed_in("ruth") as browser:
        assert "Kept back" in (await browser.get(f"/episodes/{end.episode_id}/plan")).text
        for address in ("plan/shared", "plan.pdf"):
            assert (await browser.get(f"/episodes/{end.episode_id}/{address}")).status_code == 404


def test_what_was_typed_is_never_markup():
    part = {"title": "#panic()", "lines": ['#read("secret")', "*bold* ]", "\\ $x$"]}
    assert pdf({"title": "#emph[x]", "dated": "", "parts": [json.loads(json.dumps(part))]}).startswith(b"%PDF")


async def test_somebody_else_s_plan_is_not_shown(web: Desk):
    end = await recorded(web, "led_through_all_stages")
    async with web.signed_in("abel") as browser:
        for address in ("plan", "plan/shared", "plan.pdf", "step-up"):
            assert (await browser.get(f"/episodes/{end.episode_id}/{address}")).status_code == 403


async def test_step_up_shows_criteria_facts_and_the_search(web: Desk):
    end = await recorded(web, "php_has_no_place")
    async with web.signed_in("ruth") as browser:
        text = (await browser.get(f"/episodes/{end.episode_id}/step-up")).text
    assert "Recorded: Partial hospitalization" in text
    assert "The criteria, rule by rule" in text
    assert "<b>✓ " in text
    assert str(end.facts["facility_1_name"].value) in text
