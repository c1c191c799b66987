"""A search for a place in a real Chromium: facilities asked beside the list, answers in place, an interim plan."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.cli.test_up import until
from tests.web.browser import SIZES, House, house

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
        until(lambda: page.reload() is not None and page.locator("#asked li").count() == 4, 30)
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
