"""Every page in a real Chromium, light and dark, wide and narrow; and the acts that matter most, as one does them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import SIZES, House, Visitor, house

pytestmark = pytest.mark.full

HIGH, CALM, DRILL = "8a40d7b1-demo", "5e1f0c52-demo", "f7b8a914-demo"
PAGES: dict[str, tuple[str, ...]] = {
    "ruth": (
        *("/signatures", "/reassign?owner=maya"),
        *("/", "/report", "/board", "/board?level=imminent&drills=0", "/clients", "/clients/new", "/clients/import"),
        *("/clients/client-1001", "/clients/client-1001/change", "/resources?county=alameda", "/facilities"),
        *("/facilities/new", "/facilities/import", "/resources/orange_oc_links/change", "/rota", "/protocols"),
        *("/insight", "/audit", f"/audit/episodes/{HIGH}?at=10", f"/episodes/{HIGH}", f"/episodes/{HIGH}/plan"),
        *(f"/episodes/{HIGH}/plan/shared", f"/episodes/{HIGH}/step-up", f"/episodes/{DRILL}", "/help", "/paper"),
        *("/gallery", "/account", "/openings", "/nothing-here"),
    ),
    "abel": ("/accounts", "/webhooks"),
}
LOOKS = [("desktop", "light"), ("phone", "dark")]
OTHERWISE = ("/", "/board", f"/episodes/{DRILL}", "/gallery")
"""Pages that are looked at the other way round as well; the gallery has every component."""
WEIGHT = 150_000
"""Bytes over the wire for the first page somebody sees."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
@pytest.mark.parametrize("person", PAGES)
def test_every_page_is_sound(home: House, person: str, size: str, scheme: str):
    """axe finds nothing, nothing is cut off, the browser has nothing to complain of. All pages are looked at first."""
    wrong: list[str] = []
    with home.visitor(person, size, "dark" if scheme == "dark" else "light") as visitor:
        for path in (*PAGES[person], *protocol_pages(visitor)):
            visitor.complaints.clear()
            visitor.goes_to(path)
            visitor.picture(f"{size}-{scheme}-{path.strip('/').replace('/', '-').replace('?', '-') or 'queue'}")
            missing = [one for one in visitor.complaints if not (path == "/nothing-here" and "404" in one)]
            wrong += [f"{path}: {one}" for one in (*visitor.violations(), *missing)]
            if visitor.overflow() > 0:
                wrong.append(f"{path}: is {visitor.overflow()} px too wide")
    assert wrong == []


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "dark"), ("phone", "light")])
def test_the_other_way_round_is_sound_too(home: House, size: str, scheme: str):
    with home.visitor("ruth", size, "dark" if scheme == "dark" else "light") as visitor:
        for path in OTHERWISE:
            visitor.goes_to(path)
            assert (path, visitor.violations(), visitor.overflow()) == (path, [], 0)


def protocol_pages(visitor: Visitor) -> list[str]:
    links = visitor.goes_to("/protocols").locator("a[data-row]").all()
    first = str(links[0].get_attribute("href"))
    return [first, *(f"{first}?view={view}" for view in ("stages", "deadlines", "tables", "sources"))]


@pytest.mark.parametrize("size", SIZES)
def test_a_crisis_is_reported_and_help_is_one_press_away(home: House, size: str):
    with home.visitor("maya", size) as visitor:
        page = visitor.goes_to("/report")
        page.get_by_label("Client", exact=True).fill("client-1004")
        page.get_by_label("In words").fill("She says she can't go on.")
        page.locator('input[name="crisis"][value="suicidality"]').check()
        if page.get_by_text("Open another episode all the same").count():
            page.get_by_text("Open another episode all the same").click()
        page.get_by_role("button", name="Open the episode").click()
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
