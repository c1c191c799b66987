"""The acts that matter most in a real Chromium, as one does them. test_every_page.py looks at all pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import SIZES, House, house
from tests.web.player import press

pytestmark = pytest.mark.full

CALM, DRILL = "5e1f0c52-demo", "f7b8a914-demo"
WEIGHT = 150_000
"""Bytes over the wire for the first page somebody sees."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.mark.parametrize("size", SIZES)
def test_a_crisis_is_reported_and_help_is_one_press_away(home: House, size: str):
    with home.visitor("maya", size) as visitor:
        page = visitor.goes_to("/report")
        page.get_by_label("Client", exact=True).fill("client-1004")
        page.get_by_label("In words").fill("She says she can't go on.")
        page.locator('input[name="crisis"][value="suicidality"]').check()
        if page.get_by_text("Open another episode all the same").count():
            page.get_by_text("Open another episode all the same").click()
        press(page, page.get_by_role("button", name="Open the episode"))
        if page.get_by_text("This client has an open episode").count():  # the other size was here before
            page.get_by_role("button", name="Go to the open episode").first.click()
        expect(page.get_by_role("heading", name="Renee Kimball")).to_be_visible()
        page.locator(".sos-act button").click()
        expect(page.get_by_role("heading", name="Emergency: call now")).to_be_visible()
        expect(page.get_by_text("Risk: imminent")).to_be_visible()
        assert in_view(page, "#sos-title"), "whom to call must be seen without scrolling"
        assert visitor.violations() == []


def in_view(page: Page, selector: str) -> bool:
    return page.locator(selector).evaluate("one => one.getBoundingClientRect().top < innerHeight")


def test_what_one_does_another_sees_without_asking(home: House):
    with home.visitor("ruth") as watching, home.visitor("maya") as acting:
        board = watching.goes_to("/board")
        row = board.locator("tr", has_text="Dana Rourke")
        expect(row.get_by_text("imminent")).to_have_count(0)
        acting.goes_to(f"/episodes/{CALM}").locator(".sos-act button").click()
        expect(row.get_by_text("imminent")).to_be_visible(timeout=10_000)


def test_without_scripts_the_work_goes_on(home: House):
    with home.visitor("maya", scripts=False) as visitor:
        page = visitor.goes_to(f"/episodes/{CALM}")
        page.get_by_role("button", name="I am on it").first.click()
        expect(page.get_by_role("heading", name="Dana Rourke")).to_be_visible()
        page.locator(".sos-act button").wait_for()


def test_the_keyboard_alone_leads_through_a_list_and_hides_the_screen(home: House):
    with home.visitor("ruth") as visitor:
        page = visitor.goes_to("/board")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        focused = page.evaluate("document.activeElement.getAttribute('href')")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{focused}")
        page.keyboard.press("h")
        expect(page.get_by_text("Screen hidden")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_text("Screen hidden")).to_be_hidden()


def test_dark_stays_dark_on_the_next_page(home: House):
    with home.visitor("ruth") as visitor:
        page = visitor.goes_to("/board")
        page.locator("summary", has_text="Ruth").click()
        page.get_by_role("button", name="Light or dark").click()
        visitor.goes_to("/help")
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_the_first_page_is_light(home: House):
    with home.visitor("lee") as visitor:
        context = visitor.context.browser
        assert context is not None
        fresh = context.new_context(storage_state=visitor.context.storage_state())
        page = fresh.new_page()
        page.goto(f"{home.address}/episodes/{DRILL}", wait_until="networkidle")
        sizes = page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".reduce((sum, one) => sum + one.transferSize, 0)"
        )
        fresh.close()
    assert 0 < sizes < WEIGHT
