"""What scripts add, in a real Chromium: drafts as one types, previews in place, a lock that keeps the text, news."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.browser import House, Visitor, house

pytestmark = pytest.mark.full
ADDRESS = '[name="fact.present_address"]'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("typing")) as made:
        yield made


def opened(visitor: Visitor) -> Page:
    """The page of a fresh episode of the visitor's own."""
    page = visitor.goes_to("/report")
    page.get_by_label("Client", exact=True).fill(f"client-{uuid4().hex[:8]}")
    page.locator('input[name="crisis"][value="craving"]').check()
    page.get_by_role("button", name="Open the episode").click()
    page.wait_for_url("**/episodes/*")
    return page


def test_what_is_typed_is_saved_and_is_there_in_the_next_browser(home: House):
    with home.visitor("maya") as visitor:
        page = opened(visitor)
        page.locator(ADDRESS).fill("12 Kelp La")
        expect(page.locator("#step .saved")).to_contain_text("Saved ")
        place = page.url.removeprefix(visitor.address)
    with home.visitor("maya") as another:
        expect(another.goes_to(place).locator(ADDRESS)).to_have_value("12 Kelp La")


def test_a_locked_session_asks_in_place_and_keeps_the_text(home: House):
    with home.visitor("maya") as visitor:
        page = opened(visitor)
        other = visitor.context.new_page()
        other.goto(f"{visitor.address}/account")
        with other.expect_navigation():
            other.get_by_role("button", name="Lock this session").click()
        other.close()
        page.locator(ADDRESS).fill("12 Kelp Lane, Unit 3")
        password = page.locator("#again-password")
        expect(password).to_be_visible()
        expect(page.locator("#again-account")).to_be_hidden()
        password.fill("wrong")
        password.press("Enter")
        expect(page.get_by_text("The name or the password is wrong.")).to_be_visible()
        password.fill(home.password)
        password.press("Enter")
        expect(page.locator("dialog[open]")).to_have_count(0)
        expect(page.locator("#step .saved")).to_contain_text("Saved ")
        expect(page.locator(ADDRESS)).to_have_value("12 Kelp Lane, Unit 3")


def test_a_preview_comes_in_place_and_leaves_the_form_alone(home: House):
    with home.visitor("maya") as visitor:
        page = opened(visitor)
        page.locator(ADDRESS).fill("12 Kelp Lane")
        page.locator("#step").get_by_role("button", name="What will this do?").click()
        expect(page.locator("#preview")).to_contain_text("Nothing was sent yet")
        expect(page.locator(ADDRESS)).to_have_value("12 Kelp Lane")
        assert "/preview/" not in page.url


def test_without_a_connection_nothing_is_sent_and_everything_stays(home: House):
    with home.visitor("maya") as visitor:
        page = opened(visitor)
        page.locator(ADDRESS).fill("12 Kelp Lane")
        visitor.context.set_offline(True)
        page.locator("#act-record-contact summary").first.click()
        form = page.locator("#act-record-contact form")
        form.get_by_label("Note").fill("Rang twice 😀")
        form.locator('input[name="outcome"][value="no_answer"]').check()
        expect(form.locator(".saved")).to_contain_text("no connection")
        form.get_by_role("button", name="Write it down").click()
        expect(page.get_by_role("heading", name="No connection")).to_be_in_viewport()
        form.get_by_role("button", name="What will this do?").click()
        expect(form.locator(".saved")).to_contain_text("can't be told now")
        page.locator(".sos-act button").click()
        expect(page.get_by_role("heading", name="No connection: call by phone now")).to_be_in_viewport()
        expect(page.locator("#unreached a[href^='tel:']")).to_be_visible()
        visitor.picture("no-connection")
        assert visitor.violations() == []
        expect(form.get_by_label("Note")).to_have_value("Rang twice 😀")
        visitor.context.set_offline(False)
        expect(form.locator(".saved")).to_contain_text("Saved ")
        form.get_by_role("button", name="Write it down").click()
        expect(page.locator("#contact")).to_contain_text("1 attempt in a row in vain")
        expect(page.locator(ADDRESS)).to_have_value("12 Kelp Lane")


def test_a_slow_connection_holds_up_nothing_for_good(home: House):
    with home.visitor("maya") as visitor:
        page = opened(visitor)
        held: list[Route] = []
        page.route("**/static/icon.svg", lambda route: held.append(route))
        page.locator(".sos-act button").click()
        expect(page.get_by_role("heading", name="Emergency: call now")).to_be_visible(timeout=15_000)
        assert held


def test_what_was_typed_a_moment_before_the_emergency_or_leaving_is_kept(home: House):
    with home.visitor("maya") as visitor:
        page = opened(visitor)
        place = page.url.removeprefix(visitor.address)
        page.locator(ADDRESS).fill("12 Kelp Lane")
        visitor.goes_to("/")
        page = visitor.goes_to(f"{place}?step=session_start")
        expect(page.locator(ADDRESS)).to_have_value("12 Kelp Lane")
        page.locator(ADDRESS).fill("12 Kelp Lane, Unit 3")
        page.locator(".sos-act button").click()
        expect(page.get_by_role("heading", name="Emergency: call now")).to_be_visible()
        page = visitor.goes_to(f"{place}?step=session_start")
        expect(page.locator(ADDRESS)).to_have_value("12 Kelp Lane, Unit 3")


def test_a_form_sent_after_the_session_ended_goes_on_when_one_has_signed_in(home: House):
    with home.visitor("maya") as visitor:
        page = opened(visitor)
        page.locator("#act-record-contact summary").first.click()
        form = page.locator("#act-record-contact form")
        form.locator('input[name="outcome"][value="no_answer"]').check()
        form.get_by_label("Note").fill("Rang twice")
        visitor.context.clear_cookies()
        form.get_by_role("button", name="Write it down").click()
        page.locator("#again-password").fill(home.password)
        page.locator("#again-password").press("Enter")
        expect(page.locator("#contact")).to_contain_text("1 attempt in a row in vain")


def test_pasting_more_than_a_field_holds_cuts_nothing_off(home: House):
    with home.visitor("maya") as visitor:
        page = visitor.goes_to("/report")
        page.get_by_label("Client", exact=True).fill("client-pasted")
        words, text = page.get_by_label("In words"), "😀<b>Said</b>." * 400
        words.focus()
        page.keyboard.insert_text(text)
        assert words.input_value() == text
        expect(page.locator("#f-said-over")).to_contain_text("5200 characters; 4000 are the most")
        page.get_by_role("button", name="Open the episode").click()
        expect(page.locator(".problems")).to_contain_text("Shorten what was said")
        assert words.input_value() == text
        words.fill(text[:3_000])
        page.get_by_role("button", name="Open the episode").click()
        page.wait_for_url("**/episodes/*")


def test_a_double_press_opens_one_episode(home: House):
    with home.visitor("maya") as visitor:
        page = visitor.goes_to("/report")
        client = f"client-{uuid4().hex[:8]}"
        page.get_by_label("Client", exact=True).fill(client)
        page.locator('input[name="crisis"][value="craving"]').check()
        page.get_by_role("button", name="Open the episode").dblclick()
        page.wait_for_url("**/episodes/*")
        queue = visitor.goes_to("/")
        assert queue.get_by_text(client).count() == 1


def test_what_another_does_shows_up_by_itself_beside_a_form_that_stays(home: House):
    with home.visitor("maya") as maya, home.visitor("ruth") as ruth:
        page = opened(maya)
        page.locator(ADDRESS).fill("12 Kelp Lane")
        expect(page.locator("#step .saved")).to_contain_text("Saved ")
        ruth.goes_to(page.url.removeprefix(maya.address)).locator("button.sos").click()
        expect(page.get_by_role("heading", name="Emergency: call now")).to_be_visible()
        expect(page.locator("#changed")).to_be_visible()
        expect(page.locator(ADDRESS)).to_have_value("12 Kelp Lane")


def test_the_queue_is_walked_with_the_keyboard(home: House):
    with home.visitor("maya") as visitor:
        opened(visitor)
        page = visitor.goes_to("/")
        page.keyboard.press("ArrowDown")
        chosen = page.evaluate("document.activeElement.getAttribute('href')")
        page.keyboard.press("Enter")
        page.wait_for_url("**/episodes/*")
        assert chosen is not None
        assert page.url.removeprefix(home.address).partition("#")[0] == chosen.partition("#")[0]


def test_without_scripts_a_form_that_outlived_its_session_is_sent_after_signing_in(home: House):
    with home.visitor("maya", scripts=False) as visitor:
        page = opened(visitor)
        page.locator(ADDRESS).fill("1 Pier Road")
        visitor.context.clear_cookies()
        page.get_by_role("button", name="Save for later").click()
        expect(page.get_by_text("What you typed is kept")).to_be_visible()
        page.get_by_label("Account").fill("maya")
        page.get_by_label("Password").fill(home.password)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("1 Pier Road")).to_be_visible()
        page.get_by_role("button", name="Send it now").click()
        page.wait_for_url("**/episodes/*")
        expect(page.locator(ADDRESS)).to_have_value("1 Pier Road")
