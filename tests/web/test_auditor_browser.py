"""As an auditor in the browser: the one breached follow-up among two hundred episodes, and the way through one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from audit.database import connect
from audit.sealing import Keyring
from audit.store import Store
from protocol import commands as c
from protocol.engine import Engine
from protocol.summary import summarise
from settings import load
from tests.protocol.specs import compact
from tests.protocol.story import KEY, START, Story
from tests.web.browser import House, Visitor, house
from tests.web.player import press

pytestmark = pytest.mark.full

EPISODES, BREACHED = 200, 137
MOST_PRESSES = 6
LOOKED_AT = (
    "/audit",
    "/audit?breach=first_contact",
    "/audit/verify",
    "/audit/exports",
    "/audit/conformance",
    "/audit/access",
    "/audit/disclosures",
    "/audit/retention?show=all",
)


@contextmanager
def standing_still(page: Page) -> Iterator[None]:
    """What the page asks by itself waits for its answer meanwhile: a page that loads anew can't be looked at."""
    held, over = list[Route](), False

    def hold(route: Route) -> None:
        if route.request.headers.get("x-live") and not over:
            held.append(route)
        else:
            route.fallback()

    page.route("**/*", hold)
    yield
    over = True
    for route in held:  # first: taking the handler away lets them go by itself, and then they can't be
        route.continue_()
    page.unroute("**/*", hold)


def one_of_many(number: int) -> Story:
    """A quiet episode; every tenth missed another deadline, and a single one its follow-up contact."""
    story = Story(now=START - timedelta(days=30) + timedelta(minutes=number))
    story.engine = Engine(compact(), f"many-{number:03}", KEY)
    client_ref = f"client-{2000 + number}"
    story.do(c.OpenEpisode, episode_id=f"many-{number:03}", client_ref=client_ref, owner="maya")
    story.in_follow_up()
    if number == BREACHED:
        story.later("73h").contact(ago="1h")
    else:
        story.contact()
        if number % 10 == 0:
            story.later("73h").sweep()
    return story


async def seed(home: House) -> None:
    told = load(home.up.environment())
    records = connect(told.database_url.get_secret_value())
    store, spec = Store(records, Keyring((key.id, key.secret) for key in told.record_keys)), compact()
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    for number in range(EPISODES):
        story = one_of_many(number)
        await store.append(story.engine.rows, summarise(spec, story.episode))
    await records.dispose()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("auditor")) as made:
        with ThreadPoolExecutor(1) as beside:  # the browser has a loop of its own here
            beside.submit(lambda: asyncio.run(seed(made))).result()
        yield made


def test_the_one_breached_follow_up_is_found_among_two_hundred_and_explained(home: House):
    """From the sign-in on, as somebody who has never been here: what stands on the page leads there."""
    with home.guest() as visitor:
        presses = 0

        def press(link: Locator) -> None:
            nonlocal presses
            presses += 1
            link.click()

        page = visitor.goes_to("/sign-in")
        page.get_by_label("Account").fill("finn")
        page.get_by_label("Password").fill(home.password)
        press(page.get_by_role("button", name="Sign in", exact=True))
        page.wait_for_url("**/audit")  # where an auditor's work begins
        presses += 2  # the menu and the choice in it
        page.get_by_label("Missed deadline").select_option(label="Speak to the client")
        page.wait_for_url("**breach=first_contact**")
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(1)
        expect(rows.first).to_contain_text(f"many-{BREACHED}")
        press(rows.first.get_by_role("link").first)
        page.wait_for_url(f"**/audit/episodes/many-{BREACHED}**")
        beside = page.locator("section", has=page.get_by_role("heading", name="Breaches in this episode"))
        breach = beside.locator("li.duty", has=page.get_by_role("link", name="Speak to the client", exact=True))
        press(breach.get_by_role("link", name="Speak to the client", exact=True))
        page.wait_for_url("**at=*")
        rule = page.locator("dl.facts dd", has_text="first_contact")
        expect(rule).to_contain_text("Speak to the client")
        expect(rule).to_contain_text("[P]")  # which rule, and where it comes from
        expect(breach).to_contain_text("was due")  # when, and whether it was kept
        expect(breach).to_contain_text("done in time, but written down only after the deadline")
        press(breach.get_by_text("What led there"))
        expect(breach.locator("ol li").filter(has_text="reached Client")).to_be_visible()
        visitor.picture("auditor-explained")
        assert presses <= MOST_PRESSES, f"{presses} presses"


def sound(visitor: Visitor, name: str) -> list[str]:
    """What is wrong with the page as it is; keeps its picture."""
    visitor.picture(name)
    wrong = [f"{name}: {one}" for one in (*visitor.violations(), *visitor.complaints)]
    visitor.complaints.clear()
    return wrong + ([f"{name}: is {visitor.overflow()} px too wide"] if visitor.overflow() > 0 else [])


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_records_are_verified_handed_out_and_judged_in_the_browser(home: House, size: str, scheme: str):
    wrong: list[str] = []
    with home.visitor("finn", size, "dark" if scheme == "dark" else "light") as visitor:
        page = visitor.goes_to("/audit/verify")
        with standing_still(page):
            press(page, page.get_by_role("button", name="Verify"))
            wrong += sound(visitor, f"verify-{size}-going")
        expect(page.locator("#progress")).to_have_count(0, timeout=120_000)  # until then the former result stands there
        expect(page.get_by_role("heading", name="All good")).to_be_visible(timeout=120_000)
        wrong += sound(visitor, f"verify-{size}")
        page = visitor.goes_to(f"/audit/episodes/many-{BREACHED}")
        wrong += sound(visitor, f"replay-{size}")
        page.get_by_role("link", name="Export", exact=True).click()
        page.get_by_role("button", name="Make the files").click()
        expect(page.get_by_text("Say what the reader may see").first).to_be_visible()
        visitor.complaints.clear()  # the browser notes every form that is answered with errors
        wrong += sound(visitor, f"export-{size}-asked")
        page.get_by_label("Nothing of substance use").check()
        page.get_by_label("Who receives it?").fill("State board")
        page.get_by_label("Why?").fill("complaint 12")
        page.get_by_role("button", name="Make the files").click()
        page.get_by_role("heading", name="How the receiver checks it").wait_for(timeout=120_000)
        wrong += sound(visitor, f"export-{size}")
        with page.expect_download() as coming:
            page.get_by_role("link", name=".zip").click()
        assert coming.value.suggested_filename.endswith(".zip")
        page = visitor.goes_to("/audit/conformance")
        page.get_by_label("Why?").fill("quarterly review")
        wrong += sound(visitor, f"conformance-{size}-form")
        page.get_by_role("button", name="Judge the period").click()
        page.get_by_role("heading", name="Episodes", exact=True).wait_for(timeout=120_000)
        wrong += sound(visitor, f"conformance-{size}")
    assert wrong == []


def test_slider_and_arrow_keys_step_through_the_episode(home: House):
    with home.visitor("finn") as visitor:
        page = visitor.goes_to(f"/audit/episodes/many-{BREACHED}")
        page.keyboard.press("ArrowRight")
        page.wait_for_url("**at=2")
        page.keyboard.press("ArrowRight")
        page.wait_for_url("**at=3")
        page.keyboard.press("ArrowLeft")
        page.wait_for_url("**at=2")
        page.keyboard.press("b")
        page.wait_for_url(lambda url: not url.endswith("at=2"))
        expect(page.get_by_text("overdue").first).to_be_visible()
        slide(page, 4)
        page.wait_for_url("**at=4")
        expect(page.locator("label", has_text="Entry")).to_contain_text("4 of")


def slide(page: Page, to: int) -> None:
    slider = page.locator("input.slide")
    slider.evaluate("(one, to) => { one.value = to; one.dispatchEvent(new Event('change', {bubbles: true})) }", to)


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_every_page_of_the_auditor_is_sound(home: House, size: str, scheme: str):
    wrong: list[str] = []
    with home.visitor("finn", size, "dark" if scheme == "dark" else "light") as visitor:
        for path in LOOKED_AT:
            visitor.complaints.clear()
            visitor.goes_to(path)
            visitor.picture(f"auditor-{size}-{path.strip('/').replace('/', '-').replace('?', '-')}")
            wrong += [f"{path}: {one}" for one in (*visitor.violations(), *visitor.complaints)]
            if visitor.overflow() > 0:
                wrong.append(f"{path}: is {visitor.overflow()} px too wide")
    assert wrong == []
