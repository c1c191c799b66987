"""Scenarios of a draft, and an episode of it tried by hand."""

from __future__ import annotations

import re

from tests.web.desk import Browser, Desk
from tests.web.studio import begun, saved, text_in, tried


async def acts(browser: Browser, address: str, label: str, **typed: str) -> str:
    """Press what the page offers under this label; the page after it, or the refusal."""
    page = (await browser.get(f"{address}/simulation")).text
    seen = re.search(r'name="seen" value="(\d+)"', page)
    assert seen is not None
    before = page[: page.index(label)] if label in page else ""
    assert before, f"{label} is not offered"
    number = re.findall(r'name="choice" value="(\d+)"', page[len(before) :] if "<summary>" in before[-12:] else before)
    choice = number[0] if "<summary>" in before[-12:] else number[-1]
    answer = await browser.post(f"{address}/simulation/act", seen=seen[1], choice=choice, **typed)
    return (await browser.get(f"{address}/simulation")).text if answer.status_code == 303 else answer.text


async def waits(browser: Browser, address: str, written: str) -> str:
    page = (await browser.get(f"{address}/simulation")).text
    seen = re.search(r'name="seen" value="(\d+)"', page)
    assert seen is not None
    answer = await browser.post(f"{address}/simulation/act", seen=seen[1], wait=written)
    return (await browser.get(f"{address}/simulation")).text if answer.status_code == 303 else answer.text


async def test_an_episode_of_a_draft_is_tried_and_kept_as_a_scenario(web: Desk):
    async with web.signed_in("iris") as browser:
        address = await begun(browser)
        assert "Begin an episode" in (await browser.get(f"{address}/simulation")).text
        began = await browser.post(f"{address}/simulation/begin", starts="2026-12-01T14:05")
        assert began.status_code == 303
        page = await waits(browser, address, "until next deadline")
        assert "overdue" in page
        page = await acts(browser, address, "DECLARE AN EMERGENCY")
        assert "imminent" in page
        assert "Help is coming" in page or "emergency" in page.lower()
        await browser.post(f"{address}/simulation/undo")
        page = (await browser.get(f"{address}/simulation")).text
        assert "DECLARE AN EMERGENCY" in page
        assert "can&#39;t be the name" in (await browser.post(f"{address}/simulation/keep", name="Not A Name")).text
        kept = await browser.post(f"{address}/simulation/keep", name="missed_call", title="Nobody calls back")
        assert kept.headers["location"] == f"{address}/scenarios/missed_call"
        assert "✓ As expected" in (await browser.get(f"{address}/scenarios/missed_call")).text
        page = await tried(web, browser, address, "tests")
        assert "all 2 passed" in page


async def test_a_run_goes_on_when_the_draft_changes_as_far_as_it_can(web: Desk):
    async with web.signed_in("iris") as browser:
        address = await begun(browser)
        await browser.post(f"{address}/simulation/begin", starts="2026-12-01T14:05")
        await acts(browser, address, "Go on to Planning")
        text = await text_in(web, address)
        await saved(browser, address, text.replace("Planning", "Making a plan"))
        assert "Making a plan" in (await browser.get(f"{address}/simulation")).text
        await saved(browser, address, text.replace("grade: P", "grade: X", 1))
        assert "The draft has errors" in (await browser.get(f"{address}/simulation")).text


async def test_what_can_t_be_done_is_said_and_nothing_happens(web: Desk):
    async with web.signed_in("iris") as browser:
        address = await begun(browser)
        assert (await browser.post(f"{address}/simulation/begin", starts="never")).status_code == 422
        assert (await browser.post(f"{address}/simulation/begin", crisis="none_such")).status_code == 422
        await browser.post(f"{address}/simulation/begin", starts="2026-12-01T14:05")
        for typed in ({"wait": "yesterday"}, {"wait": "900 days"}, {"choice": "999"}, {"choice": "x"}, {}):
            answer = await browser.post(f"{address}/simulation/act", seen="0", **typed)
            assert answer.status_code == 422, typed
        assert (await browser.post(f"{address}/simulation/act", seen="5", wait="1 h later")).status_code == 409
        run = await web.parts.simulations.get(address.rpartition("/")[2], "iris")
        assert run is not None
        assert run["entries"] == []
        assert (await browser.post(f"{address}/simulation/undo")).status_code == 303
        await browser.post(f"{address}/simulation/leave")
        assert "Begin an episode" in (await browser.get(f"{address}/simulation")).text


async def test_scenarios_are_written_played_renamed_and_removed(web: Desk):
    async with web.signed_in("iris") as browser:
        address = await begun(browser)
        page = (await browser.get(f"{address}/scenarios/new")).text
        begin = page[page.index('name="text"') :].partition(">\n")[2].partition("</textarea>")[0]
        kept = await browser.post(f"{address}/scenarios/new", text=begin, seen="")
        assert kept.headers["location"] == f"{address}/scenarios/first_story"
        assert "✓ As expected" in (await browser.get(f"{address}/scenarios/first_story")).text
        wrong = begin.replace("wait: yes}", "wait: yes, expect: {risk: high}}")
        stale = await browser.post(f"{address}/scenarios/first_story", text=wrong, seen="what was there long ago")
        assert stale.status_code == 409
        await browser.post(f"{address}/scenarios/first_story", text=wrong, seen=begin)
        assert "▲ Not as expected" in (await browser.get(f"{address}/scenarios/first_story")).text
        other = wrong.replace("first_story", "second_story")
        moved = await browser.post(f"{address}/scenarios/first_story", text=other, seen=wrong)
        assert moved.headers["location"] == f"{address}/scenarios/second_story"
        assert (await browser.get(f"{address}/scenarios/first_story")).status_code == 404
        taken = await browser.post(f"{address}/scenarios/new", text=other.replace("second_story", "nobody_answers"))
        assert "There is a scenario nobody_answers already" in taken.text
        broken = await browser.post(f"{address}/scenarios/second_story", text="steps: [", seen=other)
        assert broken.status_code == 422
        assert "steps: [" in broken.text
        assert "▲ 1 failed" in await tried(web, browser, address, "tests")
        await browser.post(f"{address}/scenarios/second_story/remove")
        assert "second_story" not in (await browser.get(f"{address}/scenarios")).text


async def test_what_no_scenario_shows_is_made(web: Desk):
    async with web.signed_in("iris") as browser:
        address = await begun(browser)
        await tried(web, browser, address, "scenarios")
        page = (await browser.get(f"{address}/scenarios")).text
        assert "that were made" in page
        assert (await browser.post(f"{address}/take-made")).status_code == 303
        page = await tried(web, browser, address, "tests")
        assert "passed" in page
        assert "▲" not in page[page.index('id="tests"') :].partition('class="coverage"')[0]


async def test_a_fault_is_told_as_a_story_and_its_scenario_is_kept(web: Desk):
    async with web.signed_in("iris") as browser:
        address = await begun(browser)
        text = await text_in(web, address)
        mute = "properties:\n  never_plan: {title: Nobody plans., never: {stage: planning}}\n"
        await saved(browser, address, f"{text}\n{mute}")
        page = await tried(web, browser, address, "proof")
        assert "▲ refuted" in page
        assert "The story:" in page
        story = re.search(rf'action="({address}/trials/(\w+)/keep)"', page)
        assert story is not None
        file = await browser.get(f"{address}/trials/{story[2]}.yaml")
        assert file.headers["content-disposition"] == f'attachment; filename="{story[2]}.yaml"'
        assert (await browser.post(story[1])).status_code == 303
        assert "▲ Not as expected" in (await browser.get(f"{address}/scenarios/{story[2]}")).text
        line = next(
            number for number, one in enumerate((await text_in(web, address)).splitlines(), 1) if "never_plan" in one
        )
        assert f"#line-{line}" in page
