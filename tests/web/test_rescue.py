"""The emergency in a real Chromium: the call, its reference and who arrived, written down in one place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import SIZES, House, house
from tests.web.sessions import BEGUN

pytestmark = pytest.mark.full

SCREEN = {f"cssrs_{number}": "yes" for number in range(1, 6)}
DANGER = {
    "crisis_nature": "I have the pills in my hand.",
    "suicidal_thoughts": "yes",
    "homicidal_thoughts": "no",
    "self_harm_risk": "yes",
    "medical_danger": "no",
    "weapon_or_violence": "no",
    "engages": "yes",
    "coping_now": "Her sister",
    "supports_available": "strong",
    "means_in_hand": "yes",
}
PLACE = BEGUN["present_address"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("rescue")) as made:
        yield made


def completed(page: Page, place: str, step: str, answers: dict[str, str]) -> None:
    """Fill in a step's form and send it."""
    page.goto(f"{place}?step={step}")
    for more in page.locator("#step details").all():
        more.evaluate("one => { one.open = true }")
    for name, value in answers.items():
        named = page.locator(f'#step [name="fact.{name}"]')
        match named.first.evaluate("one => one.type"):
            case "radio":
                page.locator(f'#step [name="fact.{name}"][value="{value}"]').check()
            case "select-one":
                named.select_option(value)
            case _:
                named.fill(value)
    page.locator("#step .btn.go").click()
    page.wait_for_url(place)


@pytest.mark.parametrize("size", SIZES)
def test_a_disconnect_at_imminent_risk_is_led_from_one_place(home: House, size: str):
    """Scenario 1: the level rises before the screen is finished, the call is written down where it was read."""
    with home.visitor("maya", size) as visitor:
        page = visitor.goes_to("/report")
        page.get_by_label("Client", exact=True).fill(f"client-disconnect-{size}")
        page.locator('input[name="crisis"][value="suicidality"]').check()
        page.get_by_role("button", name="Open the episode").click()
        page.wait_for_url("**/episodes/*")
        place = page.url
        completed(page, place, "session_start", BEGUN)
        completed(page, place, "suicide_screen", SCREEN)
        completed(page, place, "rapid_assessment", DANGER)
        expect(page.get_by_role("heading", name="Emergency: call now")).to_be_visible()
        page.get_by_role("button", name="Client dropped off").click()
        expect(page.locator("#duties").get_by_text("First call-back").first).to_be_visible()
        the_call(page)
        until_somebody_is_there(page)
        page.evaluate("window.scrollTo(0, 0)")
        visitor.picture(f"rescue-{size}")
        assert visitor.violations() == []
        assert visitor.overflow() == 0


def the_call(page: Page) -> None:
    panel = page.locator("#rescue")
    expect(panel.get_by_text(f"The client is at {PLACE}, Orange County")).to_be_visible()
    expect(panel.get_by_text("can be reached at 714-555-0134")).to_be_visible()
    called = panel.locator("#loop-request_responder")
    expect(called.get_by_text("Call the responder (D1)")).to_be_visible()
    called.locator('input[value="local_emergency"]').check()
    expect(called.get_by_label("Number dialled")).to_have_value("911")
    expect(called.get_by_label("Address given to the responder")).to_have_value(PLACE)
    called.get_by_label("Reference number").fill("R-1043")
    called.get_by_role("button", name="The responder was called: save").click()
    expect(called.get_by_text("Reference number: R-1043")).to_be_visible()
    expect(called.get_by_text("Call the responder (D1)")).to_have_count(0)


def until_somebody_is_there(page: Page) -> None:
    arrival = page.locator("#loop-arrival_check")
    expect(arrival.get_by_text("Somebody confirms contact with the client (T22)")).to_be_visible()
    arrival.get_by_role("button", name="Not yet").click()
    expect(arrival.get_by_text("contact with the client: no")).to_be_visible()
    expect(arrival.get_by_text("Somebody confirms contact with the client (T22)")).to_be_visible()
    arrival.get_by_role("button", name="Yes").click()
    expect(arrival.get_by_text("contact with the client: yes")).to_be_visible()
    expect(arrival.get_by_text("Somebody confirms contact with the client (T22)")).to_have_count(0)
    expect(arrival.locator(".said-so")).to_have_count(2, timeout=20_000)
    expect(page.locator("#loop-disclosure_record").get_by_text("Record what the responder was told")).to_be_visible()


def test_on_a_phone_whom_to_call_stays_in_view_after_an_act_and_nobody_is_said_to_have_changed_it(home: House):
    """What came about is folded to two lines, and one's own press is not told as somebody else's change."""
    with home.visitor("maya", "phone") as visitor:
        page = visitor.goes_to("/report")
        page.get_by_label("Client", exact=True).fill("client-on-a-phone")
        page.locator('input[name="crisis"][value="suicidality"]').check()
        page.get_by_role("button", name="Open the episode").click()
        page.wait_for_url("**/episodes/*")
        completed(page, page.url, "session_start", BEGUN)
        page.locator(".sos-act button").click()
        expect(page.get_by_role("heading", name="Emergency: call now")).to_be_visible()
        expect(page.locator("#sos-call .call")).to_be_in_viewport(ratio=1)
        done = page.get_by_role("status").filter(has_text="Done")
        expect(done.locator("li").first).to_be_hidden()
        visitor.picture("rescue-after-the-press-phone")
        page.get_by_role("button", name="Client dropped off").click()
        expect(done).to_be_visible()
        expect(page.locator("#sos-call .call")).to_be_in_viewport(ratio=1)
        done.locator("summary").click()
        expect(done.locator("li").first).to_be_visible()
        said = page.locator("#timeline")
        expect(said).to_contain_text("lost", timeout=20_000)  # the records have it: the page was asked for anew
        expect(page.locator("#changed")).to_be_hidden()
        over(page)
        visitor.picture("rescue-over-phone")
        assert visitor.violations() == []


def over(page: Page) -> None:
    """Handed over, the page says so, and keeps the number at hand; nothing looks like an emergency any more."""
    station = page.locator("#loop-emergency_handover")
    station.locator("> details > summary").click()
    station.locator('input[value="emergency_department"]').check()
    station.get_by_label("Facility and person who took over").fill("Bayview, Dr. Reyes")
    station.get_by_label("What happens next there?").fill("Seen tonight")
    expect(page.locator("#sos-dial")).to_be_in_viewport()
    station.get_by_role("button", name="Handed over: save").click()
    expect(page.locator("#sos-title")).to_contain_text("Handed over, ")
    expect(page.get_by_role("heading", name="Emergency: call now")).to_have_count(0)
    page.get_by_role("button", name="Go on to Follow-up").first.click()
    expect(page.locator("#rescue")).to_contain_text("The level stays imminent until")
    expect(page.locator("#whom a[href^='tel:']").first).to_be_visible()
