"""Every page and state in a real Chromium, wide and narrow, light and dark: axe finds nothing, nothing is cut off."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect
from pyotp.totp import TOTP

from tests.cli.test_up import until
from tests.web.browser import CONTRAST, RULES, SIZES, House, Scheme, Visitor, house
from tests.web.every_page import CALM, DRILL, HIGH, NO_PAGES, addresses, pages, person_of
from tests.web.player import press
from web.app import ROUTERS
from web.guard import routes_of

pytestmark = pytest.mark.full

SCHEMES: tuple[Scheme, ...] = ("light", "dark")
PICTURED = {"desktop": "light", "phone": "dark"}
EXPECTED = ("401", "403", "404", "409", "422", "503")
"""Answers that the browser names as errors, though the page is the one that belongs there."""
OPEN_ALL = "[...document.querySelectorAll('main details, aside details')].forEach(one => one.open = true)"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("every_page"), HOLDFAST_WEBHOOK_TARGETS="hooks.example") as made:
        yield made


def wrong_in(visitor: Visitor, name: str) -> list[str]:
    """What is wrong with the page as it stands, in every size and colour; and a picture of two."""
    found: list[str] = []
    for size, viewport in SIZES.items():
        visitor.page.set_viewport_size(viewport)
        for scheme in SCHEMES:
            visitor.page.emulate_media(color_scheme=scheme)
            if PICTURED[size] == scheme:
                visitor.picture(f"{size}-{scheme}-{name}")
            rules = CONTRAST if scheme == "dark" else RULES  # colours are all that differs
            found += [f"{name} ({size}, {scheme}): {one}" for one in visitor.violations(rules)]
        if visitor.overflow() > 0:
            found.append(f"{name} ({size}): is {visitor.overflow()} px too wide")
    complaints = [one for one in visitor.complaints if not any(f"status of {code}" in one for code in EXPECTED)]
    visitor.complaints.clear()
    visitor.page.set_viewport_size(SIZES["desktop"])
    return [*found, *(f"{name}: {one}" for one in complaints)]


def name_of(address: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", re.sub("[0-9a-f]{64}", "hash", address)).strip("-")[:60] or "queue"


def made(home: House) -> dict[str, str]:
    """Two versions, a draft that was just begun, and another system that is told: addresses name them."""
    with home.visitor("iris") as author:
        links = author.goes_to("/protocols").locator("a[data-row]").all()
        first, other = (str(one.get_attribute("href")).rpartition("/")[2] for one in links[:2])
        page = author.goes_to("/studio/new")
        page.get_by_label("A small protocol that works").check()
        page.get_by_label("Name of a new protocol").fill("evening_line")
        page.get_by_role("button", name="Begin").click()
        page.locator(".cm-editor").wait_for()
        draft = page.url.partition("?")[0].partition("#")[0].rpartition("/")[2]
    return {"content_hash": first, "other_hash": other, "draft_id": draft, "subscription_id": subscribed(home)}


def subscribed(home: House) -> str:
    """Another system that is told what happens."""
    with home.visitor("abel") as visitor:
        page = visitor.goes_to("/webhooks")
        page.get_by_label("Address").fill("https://hooks.example/holdfast")
        page.get_by_role("group", name="What is it told?").get_by_role("checkbox").first.check()
        press(page, page.get_by_role("button", name="Tell it"))
        return str(page.locator("a[data-row]").get_attribute("href")).rpartition("/")[2]


def test_every_page_is_sound(home: House):
    """The pages are those of the application's routes. All are looked at before it is said what is wrong."""
    known, wrong = made(home), list[str]()
    todo = addresses(known) + [f"/protocols/{known['content_hash']}?view={one}" for one in ("stages", "tables")]
    for person in ("ruth", "iris", "abel", "maya"):
        with home.visitor(person) as visitor:
            for address in (one for one in todo if person_of(one) == person and not one.startswith("/sign-in")):
                visitor.goes_to(address)
                wrong += wrong_in(visitor, name_of(address))
    assert wrong == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_picture_of_a_protocol_is_read_by_day_and_night(home: House, scheme: Scheme):
    """axe does not look into pictures."""
    with home.visitor("iris", scheme=scheme) as visitor:
        page = visitor.goes_to("/protocols")
        page.locator("a[data-row]").first.click()
        colours = "one => [getComputedStyle(one).fill, getComputedStyle(document.body).color]"
        for named in (".heading", ".title"):
            written, ink = page.locator(f".hf-diagram {named}").first.evaluate(colours)
            assert written == ink


def test_what_is_not_visited_is_a_route_still():
    assert set(NO_PAGES) <= {one.path for one in routes_of(ROUTERS)}
    assert len(pages()) > 40


def test_every_fold_of_a_page_is_sound(home: House):
    wrong: list[str] = []
    with home.visitor("ruth") as visitor:
        for address in (f"/episodes/{HIGH}", f"/episodes/{DRILL}", "/account", "/report", f"/episodes/{HIGH}/plan"):
            visitor.goes_to(address).evaluate(OPEN_ALL)
            wrong += wrong_in(visitor, f"open-{name_of(address)}")
        page = visitor.goes_to("/board")
        page.locator(".top summary", has_text="Ruth").click()
        wrong += wrong_in(visitor, "open-menu")
    assert wrong == []


def test_errors_previews_and_conflicts_are_sound(home: House):
    wrong: list[str] = []
    with home.visitor("maya") as visitor, home.visitor("ruth") as other:
        page = visitor.goes_to("/report")
        page.get_by_role("button", name="Open the episode").click()
        page.locator(".problems").wait_for()
        wrong += wrong_in(visitor, "state-error")
        page = visitor.goes_to(f"/episodes/{CALM}")
        closing = page.locator("#act-lower-risk-lower-risk, details.act", has_text="Lower the risk").first
        closing.locator("summary").first.click()
        closing.get_by_label("What the re-assessment showed").fill("Calmer than before")
        closing.get_by_role("button", name="What will this do?").click()
        page.locator("#preview:focus, .problems:focus").wait_for()
        wrong += wrong_in(visitor, "state-preview")
        theirs = other.goes_to(f"/episodes/{CALM}")
        theirs.get_by_role("button", name="Client dropped off").click()
        theirs.get_by_text("lost").first.wait_for()
        page.get_by_role("button", name="Lower it").click()
        page.locator(".sides").wait_for()
        wrong += wrong_in(visitor, "state-conflict")
        visitor.goes_to("/clients/client-1002/access")
        wrong += wrong_in(visitor, "state-denied")
    assert wrong == []


def test_signing_in_and_the_lock_are_sound(home: House):
    wrong: list[str] = []
    with home.visitor("sam", scripts=True) as visitor:
        page = visitor.goes_to("/account")
        page.get_by_role("button", name="Lock this session").click()
        page.get_by_role("heading", name="Locked").wait_for()
        wrong += wrong_in(visitor, "state-locked")
        page.get_by_label("Password").fill("a wrong one")
        page.get_by_role("button", name="Go on").click()
        page.locator(".problems").wait_for()
        wrong += wrong_in(visitor, "state-locked-wrong")
        visitor.context.clear_cookies()
        visitor.goes_to("/sign-in")
        wrong += wrong_in(visitor, "state-sign-in")
    with home.visitor("sam") as visitor:
        page = visitor.goes_to("/report")
        page.get_by_label("In words").fill("Half a sentence")
        expect(page.locator(".saved")).to_contain_text("Saved ")
        visitor.context.clear_cookies()
        press(page, page.get_by_role("button", name="Open the episode"))
        wrong += wrong_in(visitor, "state-kept")
        page.get_by_label("Account").fill("sam")
        page.get_by_label("Password").fill(home.password)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="You are signed in again").wait_for()
        wrong += wrong_in(visitor, "state-resume")
    assert wrong == []


def test_the_second_factor_is_sound(home: House):
    wrong: list[str] = []
    with home.visitor("gale") as visitor:
        page = visitor.goes_to("/account")
        secret = page.locator("code").first.inner_text()
        page.get_by_label("Code").fill(TOTP(secret).now())
        page.get_by_label("Present password").first.fill(home.password)
        page.get_by_role("button", name="Turn it on").click()
        page.get_by_role("button", name="Turn it off").wait_for()
        wrong += wrong_in(visitor, "state-second-factor-on")
        visitor.context.clear_cookies()
        page = visitor.goes_to("/sign-in")
        page.get_by_label("Account").fill("gale")
        page.get_by_label("Password").fill(home.password)
        page.keyboard.press("Enter")
        page.get_by_label("Code from your authenticator app").wait_for()
        wrong += wrong_in(visitor, "state-code")
    assert wrong == []


@contextmanager
def without_records(home: House) -> Generator[None]:
    """The table of sessions is away, so that nobody can be told apart: as when the records do not answer."""
    file = next((home.up.folder / "var").rglob("*.db"))
    with sqlite3.connect(file, timeout=30) as records:
        records.execute("ALTER TABLE sessions RENAME TO sessions_away")
    try:
        yield
    finally:
        with sqlite3.connect(file, timeout=30) as records:
            records.execute("ALTER TABLE sessions_away RENAME TO sessions")


@contextmanager
def without_engine(home: House) -> Generator[None]:
    """Temporal stands still."""
    server = home.up.child("temporal")
    assert server is not None
    os.kill(server, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server, signal.SIGCONT)


def shows_silence(page: Page) -> bool:
    page.reload()
    return page.get_by_text("The engine does not answer").count() > 0


def test_what_is_shown_while_something_is_away_is_sound(home: House):
    wrong: list[str] = []
    with home.visitor("ruth") as visitor:
        with without_records(home):
            page = visitor.goes_to("/board")
            expect(page.get_by_text("988").first).to_be_visible()
            wrong += wrong_in(visitor, "state-records-away")
        page = visitor.goes_to(f"/episodes/{HIGH}")
        with without_engine(home):
            until(lambda: shows_silence(page), 60)
            wrong += wrong_in(visitor, "state-engine-away")
    assert wrong == []
