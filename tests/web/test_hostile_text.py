"""Hostile words in every field that people write: they are read as words, and no script of theirs runs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Page, Request

from tests.web.browser import House, Visitor, house
from tests.web.player import press, told_of

pytestmark = pytest.mark.full

ALARM = "document.documentElement.dataset.harmed=1"
HOSTILE = (
    f"<script>{ALARM}</script>",
    f'"><img src=x onerror={ALARM}>',
    f"'><svg/onload={ALARM}>",
    f"</textarea></title></style><script>{ALARM}</script>",
    f"javascript:{ALARM}",
    "{{ 7919*7907 }}{% include 'base.html' %}${7919*7907}",
    "<base href=//evil.example><form action=//evil.example><input name=x>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<iframe srcdoc='<script>parent.document.documentElement.dataset.harmed=1</script>'></iframe>",
)
SCRIPTS = HOSTILE[:4]
EVERYTHING = " ".join(HOSTILE)
NAME = HOSTILE[0][:60] + HOSTILE[1][:58]
STAFF = HOSTILE[1]
ROTA = Path(__file__).parents[2] / "protocol_specs" / "rota.yaml"
RUN = "62615533"
"""What the template in the corpus would come to."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("hostile")
    rota = folder / "rota.yaml"
    text = ROTA.read_text(encoding="utf-8")
    for name in ("Maya Ortiz", "Sam Lindqvist"):
        text = text.replace(f"name: {name}", f"name: {json.dumps(STAFF)}")
    rota.write_text(text, encoding="utf-8")
    with house(folder, HOLDFAST_ROTA=str(rota)) as made:
        yield made


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def writes(page: Page, within: str = "main form") -> None:
    """Put the corpus into every field of a form that takes words, whatever length the page allows."""
    for one in page.locator(f"{within} textarea, {within} input[type=text]").all():
        if one.get_attribute("name") in ("client", "county", "phone") or "phone" in str(one.get_attribute("name")):
            continue
        longest = int(one.get_attribute("data-most") or 110)
        one.evaluate("(one, text) => { one.value = text }", EVERYTHING[:longest])


def a_client(home: House) -> str:
    """A client whose every word is hostile; the address of their page."""
    with home.visitor("ruth") as visitor:
        page = visitor.goes_to("/clients/new")
        for fold in page.locator("main details").all():
            fold.evaluate("one => { one.open = true }")
        writes(page)
        for one in page.locator('input[type="text"]').all():
            name = str(one.get_attribute("name"))
            if name == "name" or name.endswith("-name"):
                one.fill(NAME)
        press(page, page.locator("main .btn.go"))
        assert told_of(page) == ""
        return page.url.removeprefix(visitor.address).partition("?")[0]


def an_episode(home: House, client: str) -> str:
    """Their episode, with hostile answers, notes, reasons and addenda."""
    with home.visitor("ruth") as visitor:
        page = visitor.goes_to("/report")
        page.get_by_label("Client", exact=True).fill(client.rpartition("/")[2])
        page.locator('input[name="crisis"][value="suicidality"]').check()
        page.get_by_label("In words").fill(EVERYTHING)
        press(page, page.get_by_role("button", name="Open the episode"))
        place = page.url.removeprefix(visitor.address)
        for step in ("session_start", "safe_to_talk", "safety_plan", "facility_search"):
            page = visitor.goes_to(f"{place}?step={step}")
            for fold in page.locator("#step details").all():
                fold.evaluate("one => { one.open = true }")
            answers_first(page)
            writes(page, "#step")
            press(page, page.locator("#step .btn.go"))
        press(page, page.locator(".sos-act button"))
        small_acts(visitor, place)
        return place


def answers_first(page: Page) -> None:
    """Whatever is asked with choices is answered with the first; times and numbers with something."""
    page.locator("#step").evaluate(
        """form => {
          for (const group of form.querySelectorAll('fieldset'))
            if (!group.querySelector('input:checked')) group.querySelectorAll('input')[0].checked = true;
          for (const list of form.querySelectorAll('select')) if (!list.value) list.selectedIndex = 1;
          for (const one of form.querySelectorAll('input[type=datetime-local]')) one.value ||= '2026-11-29T10:00';
          for (const one of form.querySelectorAll('input[type=number]')) one.value ||= '1';
        }"""
    )


def small_acts(visitor: Visitor, place: str) -> None:
    """A contact, an addendum, a hand-over, a decision: each with hostile words."""
    for act in ("record-contact", "add-addendum", "offer-handover", "record-decision/step_up"):
        page = visitor.goes_to(place)
        name, _, which = act.partition("/")
        fold = page.locator(f"#decide-{which}" if which else f'details.act:has(form[action$="/{name}"])').first
        fold.evaluate("one => { one.open = true }")
        form = fold.locator("form")
        for radio in form.locator("input[type=radio]").all()[:1]:
            radio.check()
        for number in form.locator("input[type=number]").all():
            number.fill("1")
        for field in form.locator("textarea, input[type=text]").all():
            field.evaluate("(one, text) => { one.value = text }", EVERYTHING)
        press(page, form.locator(".btn").first)


def of_the_staff(home: House) -> None:
    """An account with a hostile name that leads an episode, a holiday and a leave of hostile words."""
    with home.visitor("abel") as visitor:
        page = visitor.goes_to("/accounts")
        form = page.locator('form[action="/accounts"]')
        form.get_by_label("Account", exact=True).fill("harm")
        form.get_by_label("Name", exact=True).fill(STAFF)
        form.get_by_label("Therapist", exact=True).check()
        form.get_by_label("First password").fill(home.password)
        press(page, form.get_by_role("button", name="Make the account"))
        assert told_of(page) == ""
    with home.visitor("harm") as visitor:
        page = visitor.goes_to("/report")
        page.get_by_label("Client", exact=True).fill(f"client-{uuid4().hex[:8]}")
        page.get_by_label("In words").fill(EVERYTHING)
        press(page, page.get_by_role("button", name="Open the episode"))
    with home.visitor("ruth") as visitor:
        page = visitor.goes_to("/rota")
        for fields in ({"Day": today(), "Its name": STAFF}, {"Who is away": "maya", "First day": today()}):
            fold = page.locator("details", has=page.get_by_label(list(fields)[-1], exact=True))
            fold.locator("summary").click()
            for label, value in fields.items():
                one = fold.get_by_label(label, exact=True)
                one.select_option(value) if one.evaluate("one => one.tagName") == "SELECT" else one.fill(value)
            press(page, fold.get_by_role("button", name="What would this do?"))
            assert harm(page) == []
            press(page, page.locator("#preview button"))
            assert told_of(page) == ""


def a_facility(home: House) -> None:
    """Facilities by form and by a list that was pasted."""
    columns = ("name", "kind", "county", "phone", "hours", "takes", "checked")
    told = io.StringIO()
    lines = csv.writer(told)
    lines.writerows([columns, (NAME, "php", HOSTILE[1], "", HOSTILE[2], EVERYTHING[:390], "2026-11-20")])
    with home.visitor("iris") as visitor:
        page = visitor.goes_to("/facilities/import")
        page.locator("textarea").fill(told.getvalue())
        press(page, page.locator("main .btn.go"))
        assert told_of(page) == ""


def test_words_stay_words_wherever_they_are_shown(home: House):
    client = a_client(home)
    place = an_episode(home, client)
    a_facility(home)
    of_the_staff(home)
    number = place.rpartition("/")[2]
    shown = {
        "ruth": (
            *(client, f"{client}/change", f"{client}/access", "/clients", "/", "/board", "/signatures"),
            *(place, f"{place}?step=session_start", f"{place}?step=safety_plan", f"{place}/timeline", f"{place}/plan"),
            *(f"{place}/plan/shared", f"{place}/step-up", f"/audit/episodes/{number}", "/facilities", "/reassign"),
            *(f"/clients?find={uuid4().hex[:4]}%22%3E%3Cscript%3E", "/openings", "/audit/access", "/audit/disclosures"),
            *("/rota", "/board?owner=harm", "/reassign?owner=harm", "/insight", "/audit/retention"),
        ),
        "iris": ("/facilities", "/rota"),
        "harm": ("/", "/account", "/report", "/clients"),
        "abel": ("/accounts",),
        "finn": ("/audit", "/audit/access", "/board"),
    }
    wrong: list[str] = []
    read = 0
    for person, paths in shown.items():
        with home.visitor(person) as visitor:
            asked = elsewhere(visitor)
            for path in paths:
                page = visitor.goes_to(path)
                page.locator("main").wait_for()
                page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
                read += ALARM in page.locator("main").inner_text()
                wrong += [f"{path}: {one}" for one in harm(page)]
                wrong += [f"{path}: {one}" for one in visitor.complaints if "Failed to load resource" not in one]
                visitor.complaints.clear()
            wrong += asked
    assert wrong == []
    assert read > 12, "the words are there to be read"


def elsewhere(visitor: Visitor) -> list[str]:
    """What the browser asks for at other places than ours, as it does."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((visitor.address, "data:", "about:")):
            asked.append(request.url)

    visitor.page.on("request", note)
    return asked


MADE = (
    "script:not([nonce])",
    "[onerror]",
    "[onload]",
    "iframe",
    "base",
    "meta[http-equiv]",
    '[href^="javascript:"]',
    "form[action*=evil]",
)
"""What the words would come to as markup."""


def harm(page: Page) -> list[str]:
    """What the words did beside being read."""
    found: list[str] = []
    if page.locator("html").get_attribute("data-harmed") is not None:
        found.append("a script of theirs ran")
    if RUN in page.content():
        found.append("a template of theirs was rendered")
    for selector in MADE:
        if page.locator(selector).count():
            found.append(f"{selector} came to be")
    return found


def test_the_browser_would_refuse_them_even_if_they_came_through(home: House):
    """The second wall: with the words put in as markup, the policy of the page keeps them from running."""
    with home.visitor("ruth") as visitor:
        page = visitor.goes_to("/")
        page.evaluate("text => { document.querySelector('main').innerHTML = text }", " ".join(SCRIPTS))
        page.evaluate(f"""() => {{ const one = document.createElement('script');
            one.textContent = '{ALARM}'; document.body.append(one); }}""")
        page.locator("main img").wait_for(state="attached")
        assert page.locator("html").get_attribute("data-harmed") is None
        assert any("Content Security Policy" in one for one in visitor.complaints)
