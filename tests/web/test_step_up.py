"""A search for a place in a real Chromium: facilities asked beside the list, answers in place, an interim plan."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.cli.test_up import until
from tests.web.browser import SIZES, House, house
from tests.web.player import press, report

pytestmark = pytest.mark.full

EPISODE = {"desktop": "8a40d7b1-demo", "phone": "5e1f0c52-demo"}
"""One of the fictional episodes for each size, so that neither goes on where the other ended."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("step-up")) as made:
        yield made


@pytest.mark.parametrize("size", SIZES)
def test_no_facility_has_a_place_and_an_interim_plan_runs(home: House, size: str):
    """Scenario 6: three are asked and none has a place; asked again, the fourth answer stands beside the others."""
    with home.visitor("ruth", size) as visitor:
        page = visitor.goes_to(f"/episodes/{EPISODE[size]}/step-up")
        for number, answer in enumerate(("waitlist", "does_not_fit", "no_answer")):
            ask(page, number, f"Intake {number}", answer)
        ask(page, 0, "Intake again", "waitlist")
        until(lambda: page.reload() is not None and page.locator("#asked li").count() == 4, 90)
        plan = page.locator("#loop-interim_plan")
        if not plan.locator("form").is_visible():
            plan.locator("details > summary").first.click()
        plan.get_by_label("Who contacts the client every day?").fill("maya")
        plan.get_by_label("What makes us go to the emergency department?").fill(
            "Intent, or drinking with pills at hand"
        )
        plan.get_by_role("button", name="save").click()
        expect(page.locator("#loop-interim_plan .said-so")).to_contain_text("Intent, or drinking")
        visitor.picture(f"step-up-{size}")
        assert visitor.violations() == []
        assert visitor.overflow() == 0


def ask(page: Page, number: int, person: str, answer: str) -> None:
    facility = page.locator("#places .duty").nth(number)
    facility.locator("summary").click()
    facility.get_by_label("Person spoken to").fill(person)
    facility.locator(f'input[value="{answer}"]').check()
    facility.get_by_role("button", name="Write down the answer").click()
    expect(page.locator("#asked").get_by_text(person)).to_be_visible(timeout=30_000)


def test_from_the_decision_to_the_admission_by_clicks(home: House):
    """The criteria and the facts behind them, an edition, options with a rationale, the search, the warm hand-over."""
    with home.visitor("ruth", "phone") as visitor:
        place = report(visitor, f"client-{uuid4().hex[:8]}", "craving", "Two bad weeks")
        page = visitor.page
        press(page, page.get_by_role("link", name="Step-up of care"))
        assert page.url.endswith(f"{place}/step-up")
        page.get_by_text("The criteria, rule by rule").click()
        expect(page.locator("ol", has_text="Partial hospitalization").first).to_be_visible()
        facts = page.locator("dl.facts").first
        expect(facts.get_by_text("▲ not known").first).to_be_visible()
        writes(page, "level_of_care", {"care_dimensions": "Dimension 3 severe"}, choice="asam_third")
        expect(facts).to_contain_text("asam third")
        decision = page.locator("form[action$='/acts/record-decision']")
        decision.get_by_label("Partial hospitalization", exact=True).check()
        decision.get_by_label("Why, in your words").fill("Able to plan; partner at home")
        expect(decision.locator(".saved")).to_contain_text("Saved ")
        page.reload()
        expect(decision.get_by_label("Why, in your words")).to_have_value("Able to plan; partner at home")
        decision.get_by_role("button", name="What will this do?").click()
        expect(page.locator("#preview")).to_contain_text("Partial hospitalization")
        press(page, decision.get_by_role("button", name="Record the decision"))
        expect(page.get_by_text("Recorded: Partial hospitalization")).to_be_visible()
        expect(page.locator("aside")).to_contain_text("Interim plan")
        ask(page, 0, "Intake Lee", "waitlist")
        ask(page, 1, "Dr. Reyes", "place_offered")
        page = visitor.goes_to(f"{place}/step-up")
        writes(page, "interim_plan", {"interim_owner": "maya", "interim_ed_triggers": "Intent"})
        told = {"admission_facility": "The second one", "warm_handover_with": "Dr. Reyes, with the client on the line"}
        writes(page, "admission", told)
        expect(page.locator("#loop-admission .said-so")).to_contain_text("with the client on the line")
        visitor.picture("step-up-admitted-phone")
        assert (visitor.violations(), visitor.complaints, visitor.overflow()) == ([], [], 0)


def writes(page: Page, step: str, words: dict[str, str], choice: str = "") -> None:
    """One of the steps on the way, where it stands."""
    station = page.locator(f"#loop-{step}")
    if not station.locator("form").is_visible():
        station.locator("details > summary").first.click()
    if choice:
        station.locator(f'option[value="{choice}"], input[value="{choice}"]').first.evaluate(
            "one => one.tagName === 'OPTION' ? (one.parentElement.value = one.value) : one.click()"
        )
    for name, text in words.items():
        station.locator(f'[name="fact.{name}"]').fill(text)
    press(page, station.get_by_role("button", name="save"))
    expect(station.locator(".said-so").first).to_be_visible(timeout=30_000)
