"""Single sign-on in a real Chromium: in, on after a lock in place, and out."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.web.browser import SIZES, House, Visitor, house
from tests.web.identity_provider import provider
from tests.workflows.stack import free_port

pytestmark = pytest.mark.full

LENA = {"sub": "lena-at-the-provider", "preferred_username": "lena", "name": "Lena Ortiz", "groups": ["Therapists"]}
RENE = {"sub": "rene-at-the-provider", "preferred_username": "rene", "name": "Rene Roy", "groups": ["Therapists"]}
ADDRESS = '[name="fact.present_address"]'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    port = free_port()
    told = {
        "HOLDFAST_OIDC_ISSUER": f"http://127.0.0.1:{port}",
        "HOLDFAST_OIDC_CLIENT_ID": "holdfast",
        "HOLDFAST_OIDC_CLIENT_SECRET": "known to both",
        "HOLDFAST_OIDC_ROLES": "therapist=Therapists",
        "HOLDFAST_OIDC_NAME": "Kelp Clinic",
    }
    with provider(port, LENA, RENE), house(tmp_path_factory.mktemp("sso"), **told) as made:
        yield made


@pytest.fixture(params=["desktop", "phone"])
def context(home: House, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    scheme = "dark" if request.param == "phone" else "light"
    made = home.browser.new_context(viewport=SIZES[request.param], color_scheme=scheme, reduced_motion="reduce")
    yield made
    made.close()


def comes_in(page: Page, who: dict[str, object]) -> None:
    page.get_by_role("button", name="Sign in with Kelp Clinic").click()
    page.get_by_role("button", name=str(who["sub"])).first.click()


def test_in_on_after_a_lock_and_out(home: House, context: BrowserContext, request: pytest.FixtureRequest):
    visitor = Visitor(context, home.address)
    page = visitor.goes_to("/report")
    assert visitor.violations() == []
    assert visitor.overflow() <= 0
    visitor.picture(f"sign-in-provider-{request.node.callspec.id}")
    comes_in(page, LENA)
    page.get_by_label("Client", exact=True).fill(f"client-{uuid4().hex[:8]}")
    page.locator('input[name="crisis"][value="craving"]').check()
    page.get_by_role("button", name="Open the episode").click()
    page.wait_for_url("**/episodes/*")
    locks(context, home)
    page.locator(ADDRESS).fill("12 Kelp Lane")
    dialog = page.get_by_role("dialog", name="Sign in to go on")
    expect(dialog.get_by_role("button", name="Sign in with Kelp Clinic")).to_be_visible()
    expect(page.locator("#again-password")).to_be_hidden()
    assert visitor.violations() == []
    visitor.picture(f"sign-in-again-{request.node.callspec.id}")
    signs_in_beside(context, page, RENE)
    expect(dialog).to_be_visible()
    signs_in_beside(context, page, LENA)
    expect(dialog).to_have_count(0)
    expect(page.locator("#step .saved")).to_contain_text("Saved ")
    expect(page.locator(ADDRESS)).to_have_value("12 Kelp Lane")
    page.locator("summary", has_text="Lena").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def locks(context: BrowserContext, home: House) -> None:
    other = context.new_page()
    other.goto(f"{home.address}/account")
    other.get_by_role("button", name="Lock this session").click()
    expect(other.get_by_role("heading", name="Locked")).to_be_visible()
    other.close()


def signs_in_beside(context: BrowserContext, page: Page, who: dict[str, object]) -> None:
    """In the window that the dialog opens; it closes by itself when it was the right one."""
    with context.expect_page() as opened:
        page.get_by_role("dialog").get_by_role("button", name="Sign in with Kelp Clinic").click()
    window = opened.value
    window.get_by_role("button", name=str(who["sub"])).first.click()
    if who is LENA:
        return
    expect(window.get_by_text("another account")).to_be_visible()
    window.close()
