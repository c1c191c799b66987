"""As an auditor in the browser: the one breached follow-up among two hundred episodes, and the way through one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from audit.database import connect
from audit.sealing import Keyring
from audit.store import Store
from protocol import commands as c
from protocol.engine import Engine
from protocol.summary import summarise
from settings import load
from tests.protocol.specs import compact
from tests.protocol.story import KEY, START, Story
from tests.web.browser import House, house

pytestmark = pytest.mark.full

EPISODES, BREACHED = 200, 137
MOST_CLICKS = 8
LOOKED_AT = (
    "/audit",
    "/audit?breach=first_contact",
    "/audit/access",
    "/audit/disclosures",
    "/audit/retention?show=all",
)


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
    with home.visitor("finn") as visitor:
        page, clicks = visitor.goes_to("/"), 0

        def click(link: Locator) -> None:
            nonlocal clicks
            clicks += 1
            link.click()

        main = page.get_by_role("navigation", name="Main")
        click(main.locator("summary"))
        click(main.get_by_role("link", name="Audit"))
        clicks += 2  # the menu and the choice in it
        page.get_by_label("Missed deadline").select_option(label="Speak to the client")
        page.wait_for_url("**breach=first_contact**")
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(1)
        expect(rows.first).to_contain_text(f"many-{BREACHED}")
        click(rows.first.get_by_role("link").first)
        page.wait_for_url(f"**/audit/episodes/many-{BREACHED}**")
        click(page.get_by_role("link", name="First breach"))
        page.wait_for_url("**at=*")
        beside = page.locator("section", has=page.get_by_role("heading", name="Breaches in this episode"))
        breach = beside.locator("li.duty", has=page.get_by_role("link", name="Speak to the client", exact=True))
        click(breach.get_by_role("link", name="Speak to the client", exact=True))
        rule = page.locator("dl.facts dd", has_text="first_contact")
        expect(rule).to_contain_text("Speak to the client")
        expect(rule).to_contain_text("[P]")  # where the rule comes from
        click(breach.get_by_text("What led there"))
        led = breach.locator("ol li")
        expect(led.filter(has_text="reached Client")).to_be_visible()
        expect(breach).to_contain_text("done in time, but written down only after the deadline")
        visitor.picture("auditor-explained")
        assert clicks <= MOST_CLICKS


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
