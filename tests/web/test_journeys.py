"""The acceptance scenarios in a real Chromium, as the people of a program live them: every role, wide and narrow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from audit.database import connect
from audit.sealing import Keyring
from audit.store import Store
from cli.demo_seed import SESSION
from protocol.summary import summarise
from rehearsal.play import play
from rehearsal.rehearse import VirtualStage, finished
from rehearsal.scenario import Answer, Entry
from settings import load
from tests.web.browser import House, Scheme, Visitor, house
from tests.web.player import CALM, PATIENCE, PROGRAM, SPEC, WORDS, Player, answer, press, report, scenario, told_of

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("journeys")) as made:
        yield made


def ends_well(visitor: Visitor, name: str) -> None:
    """The page at the end of a journey: kept to be looked at, sound for axe, nothing cut off, no complaint."""
    visitor.picture(f"journey-{name}")
    assert (visitor.violations(), visitor.complaints) == ([], [])
    assert visitor.overflow() <= 0


@contextmanager
def playing(home: House, name: str, **sizes: str) -> Generator[Player]:
    """A scenario with its people at browsers: the clinician's episodes are Maya's, the supervisor is Ruth."""
    script = scenario(name)
    with ExitStack() as open_now:
        maya = open_now.enter_context(home.visitor("maya", sizes.get("maya", "desktop")))
        people = {one: maya for one, role in script.people.items() if role != "supervisor"}
        if any(entry.by == "sol" for entry in script.steps):
            people["sol"] = open_now.enter_context(home.visitor("ruth"))
        yield Player(script, people)


def today(player: Player) -> list[Entry]:
    """The entries before the first that begins another day: what comes after can't be waited for."""
    steps = player.script.steps
    first = player.script.starts[:10]
    later = next((n for n, one in enumerate(steps) if len(one.at) > 10 and one.at[:10] != first), len(steps))
    return list(steps[:later])


# A newcomer, from the README alone.

CALM_ANSWERS: dict[str, Answer] = {
    **CALM,
    **{name: one for step in scenario("craving_without_danger").steps for name, one in (step.facts or {}).items()},
    **SESSION,
    "clinician_level": "low",
    "cooccurring_view": "Nothing beside the craving",
    "severe_cooccurring": "no",
    "early_signals": "increased_cravings",
    "telehealth_consent": "verbal",
    "risks_and_limits_told": "yes",
    "telehealth_consent_date": "2026-01-05T09:00",
    "licence_told": "yes",
    "interruption_risk_told": "yes",
    "emergency_contact_consent": "refused",
    "emergency_services_consent": "given",
    "cssrs_6": "never",
}


def shown(form: Locator) -> list[str]:
    """The facts that a form asks for before anything is unfolded."""
    names: list[str] = form.locator('[name^="fact."]').evaluate_all(
        "all => all.filter(one => !one.closest('details:not([open])')).map(one => one.name.slice(5))"
    )
    return list(dict.fromkeys(names))


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_a_newcomer_leads_a_drill_from_report_to_follow_up(home: House, size: str, scheme: Scheme):
    """One green button a page, pressed until the episode is in follow-up: no more presses than the README promises."""
    with home.visitor("maya", size, scheme) as visitor:
        report(visitor, f"drill-{uuid4().hex[:8]}", "craving", drill=True)
        page, presses, stages = visitor.page, 1, [stage(visitor.page)]
        while stages[-1] != SPEC.stages["follow_up"].title:
            expect(page.get_by_text("DRILL", exact=True).first).to_be_visible()
            form = page.locator("form#step")
            for name in shown(form) if form.count() else ():
                if name in CALM_ANSWERS:
                    answer(form, name, CALM_ANSWERS[name])
            green = page.locator("main .btn.go")
            expect(green).to_have_count(1)
            press(page, green)
            assert told_of(page) == ""
            presses += 1
            if stage(page) != stages[-1]:
                stages.append(stage(page))
        assert stages == [SPEC.stages[name].title for name in WAY]
        assert 0 < presses <= MOST_PRESSES, presses
        ends_well(visitor, f"newcomer-{size}")


WAY = ("assessment", "rapport", "problem_identification", "exploring_feelings", "coping", "action_plan", "follow_up")
MOST_PRESSES = 20
"""The README says fifteen to twenty."""


def stage(page: Page) -> str:
    return page.locator('nav[aria-label="Stages"] [aria-current="step"]').inner_text().partition("(")[0].strip()


def test_the_same_beginning_by_keyboard_alone(home: House):
    """Tab, Enter, Space and arrows from the sign-in to the second form; where the focus is can always be seen."""
    with home.visitor("maya") as visitor:
        visitor.context.clear_cookies()
        page = visitor.goes_to("/sign-in")
        types(page, page.get_by_label("Account"), "maya")
        types(page, page.get_by_label("Password"), home.password)
        enter(page, page.get_by_role("button", name="Sign in", exact=True))
        enter(page, page.get_by_role("navigation", name="Main").get_by_role("link", name="Report a crisis"))
        types(page, page.get_by_label("Client", exact=True), f"drill-{uuid4().hex[:8]}")
        chooses(page, page.locator('input[name="crisis"]'), "craving")
        reaches(page, page.locator("summary", has_text="Another protocol, or an exercise"))
        page.keyboard.press("Enter")
        reaches(page, page.get_by_label("This is an exercise (drill)"))
        page.keyboard.press("Space")
        enter(page, page.get_by_role("button", name="Open the episode"))
        form = page.locator("form#step")
        for name in shown(form):
            fields = form.locator(f'[name="fact.{name}"]')
            if SPEC.facts[name].type in ("yes_no", "choice") and fields.first.get_attribute("type") == "radio":
                chooses(page, fields, str(CALM_ANSWERS[name]))
            elif fields.first.evaluate("one => one.tagName") == "SELECT":
                types(page, fields.first, str(CALM_ANSWERS[name]))
            else:
                types(page, fields.first, str(CALM_ANSWERS[name]))
        enter(page, page.get_by_role("button", name=f"Complete “{SPEC.steps['session_start'].title}”"))
        assert told_of(page) == ""
        expect(page.get_by_role("heading", name=SPEC.steps["rapid_assessment"].title)).to_be_visible()
        ends_well(visitor, "keyboard")


def reaches(page: Page, goal: Locator) -> None:
    """Tab on until the goal has the focus; every stop on the way can be seen."""
    here = goal.element_handle(timeout=PATIENCE)
    for _ in range(120):
        page.keyboard.press("Tab")
        where = page.evaluate(FOCUS, here)
        assert where["marked"], f"the focus can't be seen on {where['what']}"
        if where["here"]:
            return
    raise AssertionError(f"the keyboard does not get to {goal}")


FOCUS = """goal => {
  const one = document.activeElement, seen = [one, one.closest("label"), one.nextElementSibling].filter(Boolean);
  const drawn = (part) => { const s = getComputedStyle(part);
    return (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== "none"; };
  return { here: one === goal, marked: one === document.body || seen.some(drawn), what: one.outerHTML.slice(0, 200) };
}"""


def types(page: Page, goal: Locator, text: str) -> None:
    reaches(page, goal)
    page.keyboard.type(text)


def chooses(page: Page, group: Locator, value: str) -> None:
    """Into the group with Tab, to the answer with the arrows."""
    values: list[str] = group.evaluate_all("all => all.map(one => one.value)")
    reaches(page, group.first)
    page.keyboard.press("Space")
    for _ in range(values.index(value)):
        page.keyboard.press("ArrowDown")
    expect(group.nth(values.index(value))).to_be_checked()


def enter(page: Page, goal: Locator) -> None:
    reaches(page, goal)
    with page.expect_navigation(wait_until="load", timeout=PATIENCE):
        page.keyboard.press("Enter")


# Scenario 1: the worst minute, on a phone; the supervisor watches.


def test_contact_lost_at_imminent_risk(home: House):
    with playing(home, "disconnect_at_imminent_risk", maya="phone") as player:
        maya, ruth = player.people["mara"], player.people["sol"]
        player.opens()
        start, screen, _, lost, *rest = today(player)
        player.plays([start, screen])
        board = ruth.goes_to("/board")
        row = board.get_by_role("row").filter(has=board.locator(f'a[href="{player.place}"]'))
        expect(row.get_by_text("high", exact=True)).to_be_visible()
        press(maya.page, maya.page.locator(".sos-act button"))
        expect(maya.page.get_by_role("heading", name="Emergency: call now")).to_be_visible()
        panel = maya.page.locator("#sos-call")
        expect(panel.locator(".where")).to_contain_text("21 Bark Street, Unit 4, Orange")
        expect(panel.locator(".script")).to_contain_text("21 Bark Street, Unit 4, Orange")
        expect(row.get_by_text("imminent", exact=True)).to_be_visible()
        maya.picture("journey-1-emergency-phone")
        player.plays([lost, *rest])
        ends_well(maya, "1-therapist-phone")
        ruth.goes_to("/board")
        ends_well(ruth, "1-board")


# What people in the present can do of the others: forms, refusals, duties.


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("consent_to_contact_missing", "desktop"),
        ("php_has_no_place", "desktop"),
        ("minor_at_home_with_violence", "desktop"),
        ("unresponsive_on_camera", "phone"),
        ("code_word_and_gone", "phone"),
    ],
)
def test_the_day_of_a_scenario_on_the_pages(home: House, name: str, size: str):
    with playing(home, name, maya=size) as player:
        player.opens()
        player.plays(today(player))
        ends_well(player.people["mara"], f"{name}-{size}")


def test_a_follow_up_missed_three_times_is_seen_on_the_trail(home: House):
    """Two days can't be waited for in a browser: the auditor steps through them, to the breach and to the end."""
    with ThreadPoolExecutor(1) as aside:  # this thread has Playwright's loop
        episode = aside.submit(asyncio.run, recorded(home, "follow_up_missed_three_times")).result()
    with home.visitor("finn") as visitor:
        page = visitor.goes_to(f"/audit/episodes/{episode}")
        missed = WORDS.obligation("follow_up_24h")
        press(page, page.get_by_role("link", name="First breach"))
        press(page, page.locator("aside").get_by_role("link", name=missed))
        expect(page.get_by_role("heading", name=f"OVERDUE: {missed}")).to_be_visible()
        press(page, page.get_by_role("link", name="End", exact=True))
        expect(page.get_by_text("every decision comes out the same")).to_be_visible()
        expect(page.locator("aside .risk")).to_have_text("Risk: moderate")
        ends_well(visitor, "3-auditor")


async def recorded(home: House, name: str) -> str:
    """Play a scenario on the core and put its trail into the records of the running installation."""
    settings = load(home.up.environment())
    script = scenario(name)
    stage = VirtualStage(SPEC, script)
    finished(play(PROGRAM, script, stage))
    end = finished(stage.episode())
    assert end is not None
    database = connect(settings.database_url.get_secret_value(), pool_size=1)
    try:
        store = Store(database, Keyring((key.id, key.secret) for key in settings.record_keys))
        await store.save_protocol(SPEC.content_hash, SPEC.protocol, SPEC.version, SPEC.canonical())
        await store.append(stage.trail, summarise(SPEC, end))
    finally:
        await database.dispose()
    return end.episode_id


def test_before_her_leave_a_therapist_hands_over_and_the_other_accepts_on_the_phone(home: House):
    """Scenario 4: nothing changes until the offer is accepted, the answer is owed, and no duty is lost on the way."""
    with home.visitor("maya") as maya, home.visitor("sam", "phone") as sam:
        place = report(maya, f"client-{uuid4().hex[:8]}", "relapse", "relapsed, cannot stop thinking about it")
        leave = Player(scenario("therapist_on_leave"), {"tess": maya, "otis": sam}, place)
        fold = {"To whom? It counts when they accept; no deadline changes.": SAM, "Why?": "On leave until December 18"}
        before = owed(maya.page)
        leave.small(maya, "offer-handover", fold, "Offer it")
        leave.taken(maya)
        expect(maya.page.get_by_text("Nothing changes until they accept")).to_be_visible()
        expect(maya.page.get_by_text("owned by Maya Ortiz")).to_be_visible()
        answer_owed = WORDS.obligation("handover_answer")
        expect(maya.page.locator("#duties")).to_contain_text(answer_owed)
        queue = sam.goes_to("/")
        press(queue, queue.locator(f'a[href^="{place}"]').first)
        sam.picture("journey-4-offer-phone")
        press(sam.page, sam.page.get_by_role("button", name="Accept the episode"))
        expect(sam.page.get_by_text("owned by Sam Lindqvist")).to_be_visible()
        leave.taken(sam)
        assert owed(sam.page) == before
        on_the_day = [one for one in today(leave) if one.by == "otis" and one.do in ("record_contact", "complete_step")]
        leave.plays(on_the_day)
        ends_well(sam, "4-owner-phone")


SAM = "Sam Lindqvist (Therapist, On-call clinician, Second on-call clinician)"


def owed(page: Page) -> list[str]:
    return sorted(page.locator("#duties .duty .what > span:first-child").all_inner_texts())


# Every role once.


def test_the_auditor_replays_what_was_just_played(home: House):
    """From the list of episodes to the first breach, or to the end where nothing was missed."""
    with home.visitor("maya") as maya:
        place = report(maya, f"client-{uuid4().hex[:8]}", "suicidality", "Does not want to go on")
        press(maya.page, maya.page.locator(".sos-act button"))
    with home.visitor("finn") as visitor:
        page = visitor.goes_to("/audit")
        press(page, page.locator(f'a[href*="{place.rpartition("/")[2]}"]').first)
        press(page, page.get_by_role("link", name=re.compile("^(First breach|End)$")).first)
        expect(page.get_by_text("every decision comes out the same")).to_be_visible()
        expect(page.locator("aside .risk")).to_have_text("Risk: imminent")
        ends_well(visitor, "auditor")


def test_clinical_operations_read_the_protocol_and_open_the_studio(home: House):
    with home.visitor("iris") as visitor:
        page = visitor.goes_to("/protocols")
        press(page, page.locator("a[data-row]").first)
        expect(page.get_by_role("link", name="Deadlines")).to_be_visible()
        ends_well(visitor, "protocol")
        visitor.goes_to("/studio/new")
        ends_well(visitor, "studio")


def test_the_administrator_makes_an_account_and_its_owner_signs_in(home: House):
    name = f"new-{uuid4().hex[:6]}"
    with home.visitor("abel") as visitor:
        page = visitor.goes_to("/accounts")
        page.get_by_label("Account", exact=True).fill(name)
        page.get_by_label("Name", exact=True).fill("Nia Newcomer")
        page.get_by_role("group", name="Roles").get_by_label("Therapist", exact=True).check()
        page.get_by_label("First password").fill(home.password)
        press(page, page.get_by_role("button", name="Make the account"))
        expect(page.get_by_role("table")).to_contain_text("Nia Newcomer")
        ends_well(visitor, "administrator")
    with home.visitor(name) as visitor:
        expect(visitor.page.get_by_text("Hide screen")).to_be_attached()
