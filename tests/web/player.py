"""Plays the entries of a scenario on the pages, as people do: finds forms by their titles, fields by their questions.

What cannot happen while a browser waits is left out: time does not pass, so nothing here comes due.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import Locator, Page, expect

from protocol.local_time import to_utc
from protocol.program import program
from protocol.words import Words, plain
from protocol_specs.loader import load, load_protocol
from rehearsal.scenario import Answer, Answers, Entry, Expectation, Scenario
from rehearsal.script import timeline
from tests.web.browser import PATIENCE, Visitor
from web.forms import asks

SPECS = Path(__file__).parents[2] / "protocol_specs"
NAME = "virtual_iop_crisis"
SAID = {"reached": "Reached: we spoke"}
TOLD_IN = ("safe_to_talk", "rapid_assessment", "suicide_screen", "consent_matrix")
"""The forms in which something is told that a scenario records without a form."""
CALM: Answers = {
    "crisis_nature": "Told in the session",
    "suicidal_thoughts": "no",
    "homicidal_thoughts": "no",
    "self_harm_risk": "no",
    "medical_danger": "no",
    "weapon_or_violence": "no",
    "engages": "yes",
    "coping_now": "Music",
    "supports_available": "some",
    "emergency_services_consent": "given",
}
"""What a form wants besides, where a scenario says nothing about it."""
SPEC = load_protocol(SPECS / f"{NAME}.yaml")
PROGRAM, WORDS = program(SPEC), Words(SPEC)


def scenario(name: str) -> Scenario:
    return load(SPECS / "scenarios" / NAME / f"{name}.yaml", Scenario)


def starting(text: str) -> re.Pattern[str]:
    """A question, with or without its `(optional)`."""
    return re.compile(rf"^{re.escape(text)}( \(optional\))?$")


def told_of(page: Page) -> str:
    """What the page says is wrong."""
    found = page.locator(".problems")
    return found.first.inner_text() if found.count() else ""


def press(page: Page, button: Locator) -> None:
    """Press what leads to another page."""
    with page.expect_navigation(wait_until="load", timeout=PATIENCE):
        button.click(timeout=PATIENCE)


def unfold(page: Page, details: Locator) -> None:
    """Open what is folded."""
    if details.get_attribute("open", timeout=PATIENCE) is None:
        details.locator("summary").first.click(timeout=PATIENCE)


def answer(form: Locator, name: str, value: Answer, moment: str = "") -> None:
    """Answer one question of a form."""
    fact = SPEC.facts[name]
    given = list(value) if isinstance(value, tuple) else [str(value)]
    if fact.type == "several" and not isinstance(value, tuple):
        given = [one.strip() for one in str(value).split(",")]
    own = f'[name="fact.{name}"]'
    one = form.locator(own).first
    one.wait_for(state="attached", timeout=PATIENCE)
    for fold in form.locator("details", has=form.page.locator(own)).all():
        unfold(form.page, fold)
    if fact.type in ("yes_no", "choice", "several") and one.evaluate("one => one.tagName") != "SELECT":
        group = form.get_by_role("group", name=starting(fact.ask)).filter(has=form.page.locator(own))
        for word in given:
            label = {"unknown": "Not known", "refused": "Did not want to say"}.get(word, plain(word).capitalize())
            group.get_by_label(label, exact=True).check(timeout=PATIENCE)
    elif fact.type == "choice":
        form.get_by_label(starting(fact.ask)).and_(form.page.locator(own)).select_option(given[0], timeout=PATIENCE)
    else:
        form.get_by_label(starting(fact.ask)).and_(form.page.locator(own)).fill(moment or given[0], timeout=PATIENCE)


def report(visitor: Visitor, client: str, crisis: str = "", said: str = "", *, drill: bool = False) -> str:
    """Report a crisis; the address of the episode."""
    page = visitor.goes_to("/report")
    page.get_by_label("Client", exact=True).fill(client)
    if crisis:
        page.get_by_role("radio", name=re.compile(f"^{re.escape(SPEC.crisis_types[crisis].title)}")).check()
    page.get_by_label("In words").fill(said)
    if drill:
        page.get_by_text("Another protocol, or an exercise").click()
        page.get_by_label("This is an exercise (drill)").check()
    press(page, page.get_by_role("button", name="Open the episode"))
    page.wait_for_url("**/episodes/*", timeout=PATIENCE)
    return page.url.removeprefix(visitor.address)


@dataclass
class Player:
    """Plays one scenario. `people` are those of the scenario, at their browsers."""

    script: Scenario
    people: Mapping[str, Visitor]
    place: str = ""
    untold: dict[str, Answer] = field(default_factory=dict[str, Answer])
    """What was known when the episode was opened, and not yet told on a page."""
    last: Visitor | None = None
    """Who acted last."""

    def opens(self) -> str:
        """Report it; what else is known is told in the forms that ask for it, as they come."""
        first, *more = self.script.open.crisis_types or ("",)
        visitor = self.people[self.script.open.by]
        self.place = report(visitor, f"client-{uuid4().hex[:8]}", first, "" if first else "It began in the session.")
        self.untold = dict(self.script.open.facts)
        for crisis in more:
            self.small(visitor, "record-crisis-type", {"Which?": SPEC.crisis_types[crisis].title}, "Add it")
            self.taken(visitor)
        return self.place

    def plays(self, entries: Iterable[Entry]) -> None:
        """Do these entries, and look on the page for what must be true after each."""
        times = {id(cue.entry): cue.at for cue in timeline(SPEC, self.script)}
        for entry in entries:
            if entry.wait or entry.by is None:
                continue
            visitor = self.people[entry.by]
            if visitor is not self.last or "/acts/" in visitor.page.url:
                visitor.goes_to(self.place)  # afresh: somebody else may have changed it
                self.last = visitor
            self.does(visitor, entry, times[id(entry)])
            wanted = entry.expect or Expectation()
            if wanted.refused:
                self.refused(visitor, wanted.missing)
            else:
                self.taken(visitor)
                if entry.step == "session_start":
                    self.tells(
                        visitor, {name: one for name, one in self.untold.items() if asked_in(name, "consent_matrix")}
                    )
                self.seen(visitor.page, wanted)

    def does(self, visitor: Visitor, entry: Entry, at: datetime) -> None:
        """One act."""
        match entry.do:
            case "complete_step":
                self.completes(visitor, entry.step or "", entry.facts or {}, at)
            case "record_facts":
                self.tells(visitor, entry.facts or {}, at)
            case "record_contact":
                self.contacts(visitor, entry)
            case "acknowledge":
                title = re.escape(WORDS.obligation(entry.obligation or ""))
                press(visitor.page, visitor.page.get_by_role("button", name=re.compile(rf"^I am on it\s?: {title}$")))
            case "record_crisis_type":
                title = SPEC.crisis_types[entry.crisis_type or ""].title
                self.small(visitor, "record-crisis-type", {"Which?": title}, "Add it")
            case "advance":
                self.advances(visitor, entry.to)
            case "lower_risk":
                fields = {"To": (entry.level or "").capitalize(), "What the re-assessment showed": entry.reason or ""}
                self.small(visitor, "lower-risk", fields, "Lower it")
            case "close_episode":
                self.closes(visitor, entry)
            case "record_decision":
                self.decides(visitor, entry)
            case _:
                raise AssertionError(f"nobody knows how to {entry.do} on the page")

    def completes(self, visitor: Visitor, step: str, facts: Mapping[str, Answer], at: datetime | None = None) -> None:
        """Find the step on the page, answer it, send it."""
        form, title = self.form_of(visitor.page, step), re.escape(SPEC.steps[step].title)
        known = {name: one for name, one in self.untold.items() if asked_in(name, step)}
        wanted = {**known, **facts}
        button = re.compile(rf"^(Complete “{title}”|{title}: save)$")
        if form.get_by_role("button", name="Not yet", exact=True).count():
            button = re.compile("^Yes$" if wanted.pop(SPEC.steps[step].form[0]) == "yes" else "^Not yet$")
        for name, value in wanted.items():
            answer(form, name, value, moment_of(name, value, at))
            self.untold.pop(name, None)
        press(visitor.page, form.get_by_role("button", name=button))

    def tells(self, visitor: Visitor, facts: Mapping[str, Answer], at: datetime | None = None) -> None:
        """Tell what a scenario records without a form: in the forms that ask for it, or by a button in the banner."""
        left = dict(facts)
        pressed = [button for name, value, button in BUTTONS if left.get(name) == value and left.pop(name)]
        for step in TOLD_IN:
            own = {name: left.pop(name) for name in tuple(left) if asked_in(name, step)}
            if own:
                form = self.form_of(visitor.page, step)
                empty = {
                    name: CALM[name] for name in SPEC.steps[step].form if name in CALM and not answered(form, name)
                }
                self.completes(visitor, step, {**empty, **own}, at)
                self.taken(visitor)
        for button in pressed:
            press(visitor.page, visitor.page.get_by_role("button", name=button))
            self.taken(visitor)
        assert not left, f"no form asks for {', '.join(left)}"

    def form_of(self, page: Page, step: str) -> Locator:
        """The form of a step: in the emergency's loop, before one's eyes, or behind its link."""
        loop = page.locator(f"#loop-{step}")
        if loop.count():
            unfold(page, loop.locator("> details"))
            return loop.locator("form")
        form = page.locator("form#step").filter(has=page.locator(f'input[name="step"][value="{step}"]'))
        if not form.count():
            title = SPEC.steps[step].title
            link = page.locator("#steps-here").get_by_role("link", name=title, exact=True)
            if not link.count():
                unfold(page, page.locator("#steps-here > details"))
            if link.count():
                press(page, link.first)
            else:  # it belongs to another stage: by its address, as a bookmark would
                page.goto(page.url.partition("?")[0].partition("#")[0].partition("/acts/")[0] + f"?step={step}")
        return form

    def small(self, visitor: Visitor, place: str, fields: Mapping[str, str], button: str) -> None:
        """Fill one of the folded forms and send it."""
        fold = visitor.page.locator(f"details#act-{place}-{place}, details#act-{place}, details#decide-{place}").first
        unfold(visitor.page, fold)
        form = fold.locator("form")
        for label, value in fields.items():
            group = form.get_by_role("group", name=starting(label))
            one = form.get_by_label(starting(label))
            if group.count():
                group.get_by_label(value, exact=True).check(timeout=PATIENCE)
            elif one.evaluate("one => one.tagName") == "SELECT":
                one.select_option(label=value, timeout=PATIENCE)
            else:
                one.fill(value, timeout=PATIENCE)
        press(visitor.page, form.get_by_role("button", name=button, exact=True))

    def contacts(self, visitor: Visitor, entry: Entry) -> None:
        outcome = str(entry.outcome)
        fields = {
            "Who?": SPEC.parties[entry.party or ""].title,
            "How?": plain(str(entry.channel)).capitalize(),
            "What came of it? Only a live conversation is a contact.": SAID.get(outcome, plain(outcome).capitalize()),
            "Note": entry.note or "",
            "Legal basis, if it is outside the client's consent": entry.exception or "",
        }
        self.small(visitor, "record-contact", fields, "Write it down")

    def advances(self, visitor: Visitor, to: str | None) -> None:
        """By the one button where it is offered, else by the folded form."""
        title = SPEC.stages[to].title if to else ""
        button = visitor.page.get_by_role("button", name=re.compile(rf"^Go on to {re.escape(title)}"))
        if button.count():
            press(visitor.page, button.first)
        else:
            self.small(visitor, "advance-elsewhere", {"Where to?": title} if title else {}, "Go on")

    def closes(self, visitor: Visitor, entry: Entry) -> None:
        outcome, page = SPEC.closing.outcomes[entry.outcome or ""].title, visitor.page
        last = page.locator("form[action$='/close-episode']").filter(has=page.get_by_role("radio"))
        if last.count():  # nothing else is left to do here: it stands open
            last.get_by_label(outcome, exact=True).check(timeout=PATIENCE)
            last.get_by_label("Why, in a few words").fill(entry.reason or "", timeout=PATIENCE)
            press(page, last.get_by_role("button", name="Close the episode"))
            return
        fields = {"How does it end?": outcome, "Why, in a few words": entry.reason or ""}
        self.small(visitor, "close-episode", fields, "Close it")

    def decides(self, visitor: Visitor, entry: Entry) -> None:
        option = SPEC.decisions[entry.decision or ""].options[entry.option or ""].title
        fields = {"What is decided": option, "Why": entry.rationale or ""}
        self.small(visitor, entry.decision or "", fields, "Record the decision")

    def taken(self, visitor: Visitor) -> None:
        """What was sent was taken, and nothing went wrong in the browser."""
        assert told_of(visitor.page) == ""
        assert visitor.complaints == []

    def refused(self, visitor: Visitor, missing: Iterable[str]) -> None:
        """It was not sent, and the page names what is missing. The browser's only complaint is the answer's status."""
        problems = visitor.page.locator(".problems")
        expect(problems).to_be_visible(timeout=PATIENCE)
        for name in missing:
            asked = [SPEC.facts[name].ask] if name in SPEC.facts else []
            asked += [SPEC.steps[name].title] if name in SPEC.steps else []  # some of either share their names
            expect(problems).to_contain_text(re.compile("|".join(map(re.escape, asked or [name]))))
        assert [one for one in visitor.complaints if "422" not in one] == []
        visitor.complaints.clear()

    def seen(self, page: Page, wanted: Expectation) -> None:
        """What a scenario expects, as far as a page shows it."""
        if wanted.stage:
            here = page.locator('nav[aria-label="Stages"] [aria-current="step"]')
            expect(here).to_contain_text(SPEC.stages[wanted.stage].title, timeout=PATIENCE)
        if wanted.risk:
            expect(page.locator(".identity .risk")).to_have_text(f"Risk: {wanted.risk}", timeout=PATIENCE)
        owed = page.locator("#duties .duty .what > span:first-child")
        for kind in wanted.open:
            expect(owed.get_by_text(WORDS.obligation(kind), exact=True).first).to_be_attached(timeout=PATIENCE)
        for kind in {*wanted.not_open, *wanted.ended} - wanted.open.keys():
            expect(owed.get_by_text(WORDS.obligation(kind), exact=True)).to_have_count(0, timeout=PATIENCE)
        for notice in wanted.notices:
            expect(page.locator("#main")).to_contain_text(SPEC.notices[notice].text, timeout=PATIENCE)
        if wanted.resources is not None:
            whom = page.locator("#rescue, #whom").filter(has_text=re.compile("Read aloud"))
            for number in wanted.resources.numbers:
                expect(whom).to_contain_text(number, timeout=PATIENCE)
            for number in wanted.resources.absent:
                expect(whom).not_to_contain_text(number)


BUTTONS = (
    ("connection", "lost", "Client dropped off"),
    ("connection", "unresponsive_on_camera", "Client does not respond"),
)
"""What is told by a press in the banner."""


def asked_in(name: str, step: str) -> bool:
    """Whether a step's form asks for a fact."""
    return name in asks(PROGRAM, step)


def answered(form: Locator, name: str) -> bool:
    """Whether a question of a form has an answer already."""
    return bool(
        form.locator(f'[name="fact.{name}"]').evaluate_all(
            "all => all.some(one => ['radio', 'checkbox'].includes(one.type) ? one.checked : one.value !== '')"
        )
    )


def moment_of(name: str, value: Answer, at: datetime | None) -> str:
    """A moment of the scenario, as far from now as it was from its entry; empty for anything else."""
    if SPEC.facts[name].type != "moment" or at is None:
        return ""
    written = to_utc(str(value), WORDS.zone, at)
    return (datetime.now(WORDS.zone) + (written - at)).strftime("%Y-%m-%dT%H:%M")
