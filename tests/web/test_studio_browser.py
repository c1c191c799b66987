"""A protocol is changed and published in a real Chromium, by two people; every page of the way is looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import House, Visitor, house

pytestmark = pytest.mark.full

NAME = "Ambulatory withdrawal monitoring"
OLD, NEW = "0.1.0", "0.2.0"
LONG = 180_000
"""Milliseconds for a proof on a machine that does other things too."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("studio")) as made:
        yield made


def sound(visitor: Visitor, name: str) -> None:
    visitor.picture(f"studio-{name}")
    assert (name, visitor.violations(), visitor.overflow()) == (name, [], 0)


def replaced(page: Page, before: str, after: str) -> None:
    """Find in the editor and type over it, by the keyboard alone."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+Home")
    page.keyboard.press("Control+f")
    page.keyboard.type(before)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.type(after)


def begins(author: Visitor) -> str:
    """A draft of the version in effect; how many open episodes run on that."""
    page = author.goes_to("/protocols")
    row = page.locator("section", has_text=NAME)
    expect(row.get_by_text("in effect")).to_be_visible()
    running = row.locator('td[data-label="Open episodes"]').inner_text()
    page.get_by_role("link", name="Begin a draft").click()
    page.get_by_label(f"Change “{NAME}”").check()
    sound(author, "new")
    page.get_by_role("button", name="Begin").click()
    page.locator(".cm-editor").wait_for()
    sound(author, "editor")
    return running


def reports(therapist: Visitor, client: str) -> str:
    """The page of a new episode under this protocol."""
    page = therapist.goes_to("/report")
    page.get_by_label("Client", exact=False).first.fill(client)
    page.get_by_text("Reported earlier, another protocol, or an exercise").click()
    page.get_by_label("Protocol").select_option(label=NAME)
    page.get_by_label("In words").fill("Stopped drinking last night")
    page.get_by_role("button", name="Open the episode").click()
    page.wait_for_url("**/episodes/*")
    return page.url.removeprefix(therapist.address)


def runs_on(visitor: Visitor, episode: str, version: str) -> None:
    page = visitor.goes_to(episode)
    expect(page.get_by_text(f"{NAME} {version} ·")).to_be_visible()


def moves(leader: Visitor, review: str) -> None:
    """Every open episode of this protocol, through the engine."""
    page = leader.goes_to(review.replace("review", "moving"))
    sound(leader, "moving")
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_role("heading", name="Moved last")).to_be_visible(timeout=LONG)
    sound(leader, "moved")


def writes(author: Visitor) -> None:
    """A mistake is named, leads to its place, and is mended; what changes is told beside it."""
    page = author.page
    replaced(page, "due: 24h", "due: 12 hours")
    wrong = page.locator("#finding-list li.error")
    expect(wrong.first).to_contain_text("Line")
    expect(wrong.first.locator(".remedy")).not_to_be_empty()
    sound(author, "mistake")
    wrong.first.get_by_role("link").click()
    expect(page.locator(".cm-activeLine")).to_contain_text("due: 12 hours")
    replaced(page, "due: 12 hours", "due: 12h")
    replaced(page, f"version: {NEW}", f"version: {NEW}\nmigrates_from: {{{OLD}: {{}}}}")
    expect(page.locator("#finding-list li.none")).to_be_visible()
    expect(page.locator("#saved")).to_contain_text("Saved")
    page.get_by_role("link", name="What changes").click()
    expect(page.get_by_text("24 h → 12 h — SHORTER")).to_be_visible()
    sound(author, "changes")
    for side in ("Tables", "Sources", "Diagram"):
        page.get_by_role("link", name=side, exact=True).click()
        expect(page.locator(f'#beside[data-side="{side.lower()}"]')).to_be_visible()
        sound(author, side.lower())


def tries(author: Visitor, address: str) -> None:
    """By hand, by its scenarios, and by proof."""
    page = author.page
    page.get_by_role("link", name="Try by hand").click()
    sound(author, "begin-by-hand")
    page.get_by_role("button", name="Begin", exact=True).click()
    page.get_by_role("button", name="Until the next deadline").click()
    expect(page.locator(".duty.late").first).to_contain_text("overdue")
    sound(author, "by-hand")
    page.get_by_role("link", name="Scenarios").click()
    sound(author, "scenarios")
    page.locator("a[data-row]").first.click()
    sound(author, "scenario")
    page.goto(f"{address}/trials")
    page.get_by_role("button", name="Prove and test").click()
    expect(page.get_by_text("✓ proved").first).to_be_visible(timeout=LONG)
    sound(author, "trials")
    for place in ("history", "whatif"):
        page.goto(f"{address}/{place}")
        sound(author, place)


def submits(author: Visitor, address: str) -> str:
    """The address of the review."""
    page = author.page
    page.goto(f"{address}/submit")
    page.get_by_label("Why this change").fill("The night staff asked for it.")
    sound(author, "submit")
    page.get_by_role("button", name="Submit for review").click()
    expect(page.get_by_text("A second person publishes")).to_be_visible()
    return page.url.removeprefix(author.address)


def publishes(reviewer: Visitor, review: str) -> None:
    """One scenario still expects the later deadline: the reviewer signs for that by name."""
    page = reviewer.goes_to(review)
    expect(page.get_by_text("The night staff asked for it.")).to_be_visible()
    sound(reviewer, "review")
    page.get_by_label("Why all the same").fill("The scenario expects the later deadline; sooner is agreed.")
    page.get_by_role("button", name="Sign and publish").click()
    expect(page.get_by_text("is published. Open episodes keep")).to_be_visible()


def colour(page: Page, selector: str, of: str) -> str:
    return page.locator(selector).first.evaluate("(one, of) => getComputedStyle(one)[of]", of)


def test_a_deadline_is_shortened_proved_reviewed_and_published(home: House):
    with home.visitor("iris") as author:
        with home.visitor("maya") as therapist:
            before = reports(therapist, "client-before")
        running = begins(author)
        writes(author)
        address = author.page.url.partition("?")[0].partition("#")[0]
        tries(author, address)
        review = submits(author, address)
    with home.visitor("ruth") as reviewer:
        publishes(reviewer, review)
        page = reviewer.goes_to("/protocols")
        rows = page.locator("section", has_text=NAME).locator("tbody tr")
        expect(rows.nth(0)).to_contain_text("in effect")
        expect(rows.nth(1)).to_contain_text("superseded")
        expect(page.locator("section", has_text=NAME).locator(".drafts")).to_have_count(0)
        expect(rows.nth(0).locator('td[data-label="Open episodes"]')).to_have_text("0")
        expect(rows.nth(1).locator('td[data-label="Open episodes"]')).to_have_text(running)
        sound(reviewer, "list")
        with home.visitor("maya") as therapist:
            runs_on(therapist, reports(therapist, "client-after"), NEW)
            runs_on(therapist, before, OLD)
        moves(reviewer, review)
        with home.visitor("maya") as therapist:
            runs_on(therapist, before, NEW)
    with home.visitor("ruth", "phone", "dark") as reading:
        for place in (review, "/protocols", address.removeprefix(home.address)):
            reading.goes_to(place)
            sound(reading, f"phone-{place.strip('/').replace('/', '-')[:24]}")
        assert colour(reading.page, ".hf-diagram .title", "fill") == colour(reading.page, "body", "color")


def test_without_scripts_a_draft_is_written_and_checked(home: House):
    with home.visitor("iris", scripts=False) as author:
        page = author.goes_to("/studio/new")
        page.get_by_label("A small protocol that works").check()
        page.get_by_label("Name of a new protocol").fill("quiet_line")
        page.get_by_role("button", name="Begin").click()
        area = page.locator("#f-text")
        area.fill(area.input_value().replace("clock: safety", "clok: safety", 1))
        page.get_by_role("button", name="Save and check").click()
        expect(page.locator("#finding-list")).to_contain_text("did you mean `clock`")
