"""What holds in a browser without scripts, on paper, and for a form that is too long."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.cli.test_up import until
from tests.web.browser import House, house
from tests.web.player import PATIENCE, SPEC, Player, press, scenario, told_of
from tests.web.sessions import BEGUN

pytestmark = pytest.mark.full

HIGH = "8a40d7b1-demo"
CALLED = {"responder_called": "local_emergency", "responder_reference": "R-1043"}
HANDED_OVER = {
    "handover_place": "emergency_department",
    "handover_facility": "Orange County Hospital, Dr. Reyes",
    "handover_outcome": "Seen tonight",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("plain")) as made:
        yield made


def filled(form: Locator, answers: dict[str, str]) -> None:
    """Answer these questions by what a browser without scripts has: its own controls."""
    for name, value in answers.items():
        own = form.locator(f'[name="fact.{name}"]')
        own.first.wait_for(state="attached", timeout=PATIENCE)
        for fold in form.locator("details:not([open])", has=form.page.locator(f'[name="fact.{name}"]')).all():
            fold.locator("summary").first.click()
        kind = own.first.get_attribute("type")
        if kind == "radio":
            form.locator(f'[name="fact.{name}"][value="{value}"]').check()
        elif own.first.locator("option").count():
            own.first.select_option(value)
        else:
            own.first.fill(value)


def sent(page: Page, button: Locator) -> None:
    press(page, button)
    assert told_of(page) == ""


def test_a_crisis_is_led_to_its_end_without_scripts(home: House):
    """Sign in, report, a form, the emergency, a contact, the hand-over, the next stage; closing is refused."""
    with home.visitor("maya", scripts=False) as visitor:
        page = visitor.goes_to("/report")
        page.get_by_label("Client", exact=True).fill(f"client-{uuid4().hex[:8]}")
        page.locator('input[name="crisis"][value="suicidality"]').check()
        page.get_by_label("In words").fill("Has the pills in her hand")
        sent(page, page.get_by_role("button", name="Open the episode"))
        form = page.locator("form#step")
        filled(form, BEGUN)
        press(page, form.get_by_role("button", name="What will this do?"))
        expect(page.get_by_role("heading", name="What this will do")).to_be_visible()
        expect(page.locator('[name="fact.present_address"]')).to_have_value(BEGUN["present_address"])
        sent(page, page.locator("form#step .btn.go"))
        sent(page, page.locator(".sos-act button"))
        expect(page.locator("#sos-call .where")).to_contain_text(BEGUN["present_address"])
        writes_down_a_contact(page)
        the_way(page)
        close = page.locator("details.act", has_text="Close the episode")
        close.locator("summary").first.click()
        close.get_by_label("Why, in a few words").fill("Handed over")
        press(page, close.get_by_role("button", name="Close it"))
        expect(page.locator(".problems")).to_be_visible()
        expect(page.get_by_label("Why, in a few words")).to_have_value("Handed over")
        visitor.picture("without-scripts-close-refused")
        assert [one for one in visitor.complaints if "422" not in one] == []


def test_an_episode_is_led_to_its_close_without_scripts(home: House):
    """Every step of a calm scenario, a refusal to close, what was missing, and the end."""
    script = scenario("craving_without_danger")
    with home.visitor("maya", scripts=False) as visitor:
        player = Player(script, {"mara": visitor})
        player.opens()
        *steps, end = script.steps
        player.plays(steps)
        page, said = visitor.page, end.reason or ""
        player.closes(visitor, end)
        expect(page.locator(".problems")).to_contain_text("open: Live contact with a clinician")
        expect(page.get_by_label("Why, in a few words")).to_have_value(said)
        writes_down_a_contact(page)
        player.closes(visitor, end)
        assert told_of(page) == ""
        expect(page.locator("main")).to_contain_text("Only addenda can follow")
        assert page.get_by_role("button", name="Close it").count() == 0
        until(lambda: page.reload() is not None and said in page.locator("#timeline").inner_text(), 90)
        visitor.picture("without-scripts-closed")


def writes_down_a_contact(page: Page) -> None:
    contact = page.locator("#act-record-contact-record-contact, #act-record-contact").first
    contact.locator("summary").first.click()
    contact.locator('input[name="outcome"][value="reached"]').check()
    sent(page, contact.get_by_role("button", name="Write it down"))
    expect(page.locator("#contact")).to_contain_text("spoken with")


def the_way(page: Page) -> None:
    """The call, the arrival, the hand-over, and on."""
    for step, answers in (("request_responder", CALLED), ("emergency_handover", HANDED_OVER)):
        station = page.locator(f"#loop-{step}")
        if station.locator("> details").get_attribute("open") is None:
            station.locator("> details > summary").click()
        filled(station.locator("form"), answers)
        sent(page, station.get_by_role("button", name=f"{SPEC.steps[step].title}: save"))
    expect(page.locator("#sos-title")).to_contain_text(SPEC.steps["emergency_handover"].title)
    sent(page, page.get_by_role("button", name="Go on to Follow-up").first)
    expect(page.locator("#sos-title")).to_have_count(0)


def test_queue_and_board_are_worked_without_scripts(home: House):
    with home.visitor("ruth", scripts=False) as visitor:
        page = visitor.goes_to("/board")
        page.get_by_label("Risk", exact=True).select_option("high")
        press(page, page.get_by_role("button", name="Show"))
        assert "level=high" in page.url
        expect(page.locator("tr.is-sos, tr.is-late").first).to_be_visible()
        page.locator(".top summary", has_text="Ruth").click()
        press(page, page.get_by_role("button", name="Sign out"))
        expect(page.get_by_label("Password")).to_be_visible()


SCREEN_ONLY = (".top", ".nav", ".tools", ".actions", ".sos-act", "button.btn")
PRINTED: dict[str, tuple[str, ...]] = {
    f"/episodes/{HIGH}": (".identity h1", ".identity dl", "#stages", "#duties h2", "#timeline li"),
    f"/episodes/{HIGH}/plan": ("h1", ".plan > section"),
    f"/episodes/{HIGH}/timeline": ("h1", ".timeline li"),
    "/paper": ("h1", ".script li", "table"),
}
HIDDEN_TEXT = """() => [...document.querySelectorAll('main p, main li, main dd, main td')].filter(one =>
  one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'visible').map(one => one.textContent)"""


@pytest.mark.parametrize("path", PRINTED)
def test_on_paper_there_is_the_content_and_nothing_to_press(home: House, path: str):
    with home.visitor("ruth", scheme="dark") as visitor:
        page = visitor.goes_to(path)
        page.emulate_media(media="print", color_scheme="dark")
        for selector in SCREEN_ONLY:
            for one in page.locator(selector).all():
                expect(one).to_be_hidden()
        for selector in PRINTED[path]:
            expect(page.locator(selector).first).to_be_visible()
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)", "dark ink, whatever the screen"
        assert page.evaluate(HIDDEN_TEXT) == []
        assert page.pdf(format="Letter").startswith(b"%PDF-")


TOO_LONG = "far too long " * 60_000


def writes_too_much(page: Page) -> None:
    """As a browser would that knows no limit for a field."""
    words = page.get_by_label("In words")
    words.evaluate("one => one.removeAttribute('maxlength')")
    words.fill(TOO_LONG)


def test_a_form_that_is_too_long_is_not_sent_and_everything_stays_in_it(home: House):
    with home.visitor("maya") as visitor:
        page = visitor.goes_to("/report")
        page.get_by_label("Client", exact=True).fill("client-too-long")
        writes_too_much(page)
        page.get_by_role("button", name="Open the episode").click()
        expect(page.get_by_role("heading", name="That is more than a form may hold")).to_be_in_viewport()
        expect(page.get_by_label("Client", exact=True)).to_have_value("client-too-long")
        expect(page.get_by_label("In words")).to_have_value(TOO_LONG)
        visitor.picture("too-long")
        assert visitor.violations() == []


def test_without_scripts_a_page_says_that_it_is_too_long_and_what_was_saved_is_there(home: House):
    with home.visitor("maya", scripts=False) as visitor:
        page = visitor.goes_to("/report")
        page.get_by_label("Client", exact=True).fill("client-too-long")
        page.get_by_label("In words").fill("Has the pills in her hand")
        press(page, page.get_by_role("button", name="Save for later"))
        writes_too_much(page)
        press(page, page.get_by_role("button", name="Open the episode"))
        expect(page.get_by_role("heading", name="That is more than a form may hold")).to_be_visible()
        visitor.picture("too-long-without-scripts")
        visitor.goes_to("/report")
        expect(page.get_by_label("Client", exact=True)).to_have_value("client-too-long")
        expect(page.get_by_label("In words")).to_have_value("Has the pills in her hand")
