"""An episode led in the browser, on a real engine: from report to follow-up, with conflicts, drafts and refusals."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from cli.demo_seed import SESSION
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow
from tests.web.desk import Browser, Desk, RealClock, desk, form_of
from tests.workflows.stack import stack
from web.engine import PATIENCE

pytestmark = pytest.mark.full


async def reported(browser: Browser, crisis: str = "craving", **more: str) -> str:
    """The address of a fresh episode's page."""
    sent = form_of((await browser.get("/report")).text, "/report")
    answer = await browser.post("/report", **sent, client=f"client-{uuid4().hex[:8]}", crisis=crisis, **more)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def did(browser: Browser, place: str, act: str, **fields: str):
    """Send an act with the hidden fields of the page as it is."""
    page = (await browser.get(place)).text
    hidden = form_of(page, f"{place}/acts/{act}")
    return await browser.post(f"{place}/acts/{act}", **{**hidden, **fields})


def facts(**answers: str) -> dict[str, str]:
    return {f"fact.{name}": value for name, value in answers.items()}


async def recorded(web: Desk, place: str) -> None:
    """Wait until the records have what the engine has decided."""
    episode_id = place.rpartition("/")[2]
    async with asyncio.timeout(60):
        while (await web.parts.engine.view(episode_id)).unrecorded:
            await asyncio.sleep(0.05)


async def test_from_report_to_the_first_step(live: Desk):
    async with live.signed_in("maya") as browser:
        place = await reported(browser, said="wants to use tonight")
        page = (await browser.get(place)).text
        assert "Start the session" in page
        assert page.count('class="btn go"') == 1, "one primary action"
        answer = await did(browser, place, "complete-step", **facts(**SESSION))
        assert (answer.status_code, answer.headers["location"]) == (303, place)
        await recorded(live, place)
        assert "Done · " not in (await browser.get(place, **{"X-Live": "1"})).text, "kept for the page that is read"
        page = (await browser.get(place)).text
        assert "12 Kelp Lane, Unit 3, Oakland, Alameda County" in page
        assert 'href="tel:5105550137"' in page
        assert "Done · " in page, "what came about is said once"
        assert "Done · " not in (await browser.get(place)).text
        assert "Rapid assessment" in page, "the next step's form"
        assert "wants to use tonight" in page
        assert "12 Kelp" not in place
        queue = (await browser.get("/")).text
        assert place in queue


async def test_entries_that_the_records_do_not_have_yet_are_told_of(live: Desk, monkeypatch: pytest.MonkeyPatch):
    async with live.signed_in("maya") as browser:
        place = await reported(browser, said="wants to use tonight")
        await recorded(live, place)
        assert "being written down" not in (await browser.get(place)).text
        rows = await live.parts.queries.trail_rows(place.rpartition("/")[2])

        async def all_but_two(*_: object, **__: object) -> tuple[TrailRow, ...]:
            return rows[:-2]

        monkeypatch.setattr(live.parts.queries, "trail_rows", all_but_two)
        assert "The latest 2 entries are taken and being written down" in (await browser.get(place)).text


async def test_a_form_sent_twice_is_one_entry_and_a_crisis_reported_twice_one_episode(live: Desk):
    async with live.signed_in("maya") as browser:
        sent = form_of((await browser.get("/report")).text, "/report") | {"client": "client-twice", "crisis": "craving"}
        answers = await asyncio.gather(*(browser.post("/report", **sent) for _ in range(2)))
        assert {one.headers["location"] for one in answers} == {answers[0].headers["location"]}
        place = answers[0].headers["location"]
        await recorded(live, place)
        again = await browser.post("/report", **{**sent, "key": "another-form"})
        assert again.status_code == 409
        assert f"/report/onward/{place.rpartition('/')[2]}" in again.text, "the open episode is offered"
        assert 'value="client-twice"' in again.text
        hidden = form_of((await browser.get(place)).text, f"{place}/acts/add-addendum")
        for _ in range(2):
            await browser.post(f"{place}/acts/add-addendum", **{**hidden, "refers_to": "1", "text": "said twice"})
        await recorded(live, place)
        rows = await live.parts.queries.trail_rows(place.rpartition("/")[2])
        assert sum(row.kind == "AddendumAdded" for row in rows) == 1


async def test_what_is_missing_is_named_and_what_was_typed_stays(live: Desk):
    async with live.signed_in("maya") as browser:
        place = await reported(browser)
        answer = await did(browser, place, "complete-step", **facts(present_address="1 Pier Road"), note="half <done>")
        assert answer.status_code == 422
        assert 'value="1 Pier Road"' in answer.text
        assert "half &lt;done&gt;" in answer.text
        assert 'href="#f-fact.callback_number"' in answer.text, "the summary leads to the field"


async def test_a_conflict_shows_both_versions_and_keeps_the_text(live: Desk):
    async with live.signed_in("maya") as first:
        place = await reported(first)
        hidden = form_of((await first.get(place)).text, f"{place}/acts/complete-step")
        await did(first, place, "record-facts", **facts(present_address="9 Reef Street"))
        await did(first, place, "complete-step", **facts(**SESSION))
        answers = {**SESSION, "present_address": "1 Pier Road"}
        late = await first.post(f"{place}/acts/complete-step", **{**hidden, **facts(**answers)})
        assert late.status_code == 409
        assert "Somebody changed this while you wrote" in late.text
        assert "<del>1 Pier Road</del>" in late.text
        assert "<ins>12 Kelp Lane, Unit 3, Oakland</ins>" in late.text
        assert 'value="1 Pier Road"' in late.text


async def test_a_number_too_long_to_be_an_entry_keeps_the_text(live: Desk):
    async with live.signed_in("maya") as browser:
        place = await reported(browser)
        answer = await browser.post(f"{place}/acts/add-addendum", refers_to="9" * 5_000, text="what I saw")
    assert answer.status_code == 422
    assert "what I saw" in answer.text


async def test_the_emergency_is_one_press_and_brings_number_address_and_script(live: Desk):
    async with live.signed_in("maya") as browser:
        place = await reported(browser)
        page = (await browser.get(place)).text
        sent = form_of(page, f"{place}/emergency")
        assert (await browser.post(f"{place}/emergency", **sent)).status_code == 303
        await recorded(live, place)
        page = (await browser.get(place)).text
        assert "Emergency: call now" in page
        assert 'href="tel:911"' in page
        assert "Address not known: ask now" in page
        assert "Read aloud" in page
        assert "Emergency response" in page


async def test_a_client_who_drops_off_is_noted_in_one_press_even_from_an_old_page(live: Desk):
    async with live.signed_in("maya") as browser:
        place = await reported(browser)
        sent = form_of((await browser.get(place)).text, f"{place}/acts/record-facts")
        assert sent["fact.connection"] == "lost"
        await did(browser, place, "record-contact", party="client", channel="phone", outcome="reached")
        assert (await browser.post(f"{place}/acts/record-facts", **sent)).status_code == 303
        view = await live.parts.engine.view(place.rpartition("/")[2])
        assert view.episode is not None
        assert view.episode.facts["connection"].value == "lost"


async def test_a_preview_tells_what_would_come_about_and_sends_nothing(live: Desk):
    async with live.signed_in("maya") as browser:
        place = await reported(browser)
        before = await live.parts.engine.view(place.rpartition("/")[2])
        hidden = form_of((await browser.get(place)).text, f"{place}/acts/complete-step")
        answers = facts(suicidal_thoughts="yes", **SESSION)
        page = await browser.post(f"{place}/preview/complete-step", **{**hidden, **answers})
        assert page.status_code == 200
        assert "What this will do" in page.text
        assert "Nothing was sent yet" in page.text
        after = await live.parts.engine.view(place.rpartition("/")[2])
        assert before.episode is not None
        assert after.episode is not None
        assert after.episode.edited == before.episode.edited


async def test_a_draft_outlives_the_browser_and_ends_when_it_is_sent(live: Desk):
    async with live.signed_in("maya") as browser:
        place = await reported(browser)
        hidden = form_of((await browser.get(place)).text, f"{place}/acts/complete-step")
        typed = {**hidden, **facts(present_address="half an addr")}
        saved = await browser.http.post(
            f"{place}/draft", data={"form_token": browser.form_token, **typed}, headers={"accept": "application/json"}
        )
        assert saved.json()["said"].startswith("Saved ")
    async with live.signed_in("maya") as browser:
        page = (await browser.get(place)).text
        assert 'value="half an addr"' in page
        assert "Saved " in page
        await did(browser, place, "complete-step", **facts(**SESSION))
        assert "half an addr" not in (await browser.get(place)).text
    raw = (live.settings.var / "records.db").read_bytes()
    assert b"half an addr" not in raw, "drafts are sealed"


async def test_another_therapist_sees_it_only_once_it_is_handed_over(live: Desk):
    async with live.signed_in("maya") as maya, live.signed_in("sam") as sam:
        place = await reported(maya)
        await recorded(live, place)
        offered = await did(maya, place, "offer-handover", to="sam", reason="End of my shift")
        assert offered.status_code == 303
        await recorded(live, place)
        async with asyncio.timeout(60):
            while (page := await sam.get(place)).status_code == 403:
                await asyncio.sleep(0.1)
        assert "Accept the episode" in page.text
        assert (await did(sam, place, "accept-handover")).status_code == 303
        await recorded(live, place)
        assert "owned by Sam Lindqvist" in (await sam.get(place)).text


async def test_while_the_engine_is_away_the_records_are_shown_and_what_is_sent_is_kept(live: Desk):
    async with live.signed_in("maya") as browser:
        place = await reported(browser)
        await recorded(live, place)
        lost = live.settings.model_copy(update={"temporal_address": "127.0.0.1:1"})
        live.parts.engine.__init__(lost)  # the same engine, which now finds nobody
        page = await browser.get(place)
        assert page.status_code == 200
        assert "Not up to date since" in page.text
        sent = form_of(page.text, f"{place}/acts/complete-step")
        answer = await browser.post(f"{place}/acts/complete-step", **{**sent, **facts(present_address="1 Pier Road")})
        assert answer.status_code == 503
        assert 'value="1 Pier Road"' in answer.text
        assert f'value="{sent["key"]}"' in answer.text, "sent again it is the same command"


async def test_an_emergency_that_nobody_takes_is_said_soon(tmp_path: Path, temporal_port: int):
    """Temporal is there and no worker: the person is told to call long before other acts would be given up."""
    async with (
        stack(tmp_path, temporal_port, worker_sandbox=False) as made,
        desk(tmp_path, made.settings, RealClock()) as opened,
        opened.signed_in("maya") as browser,
    ):
        async with made.worker():
            place = await reported(browser)
            await recorded(opened, place)
            page = (await browser.get(place)).text
        async with asyncio.timeout(PATIENCE.total_seconds() / 2):
            answer = await browser.post(f"{place}/emergency", **form_of(page, f"{place}/emergency"))
        assert answer.status_code == 503


async def test_a_look_at_an_episode_is_written_into_the_access_trail(live: Desk):
    from audit.access import Sought, looked

    async with live.signed_in("maya") as browser:
        place = await reported(browser)
        for _ in range(2):
            await browser.get(place)
        looks = await looked(live.parts.database, Sought(episode_id=place.rpartition("/")[2]))
        assert [(one.who, one.what, one.purpose) for one in looks] == [("maya", "read", "care")]


CALM = SESSION | {
    "crisis_nature": "Wants to drink after a bad day",
    "suicidal_thoughts": "no",
    "homicidal_thoughts": "no",
    "self_harm_risk": "no",
    "medical_danger": "no",
    "weapon_or_violence": "no",
    "engages": "yes",
    "coping_now": "walking",
    "supports_available": "some",
    "affect_observed": "Tired, calmer by the minute",
    "surroundings_observed": "At home, alone",
    "observation_concern": "no",
    "cssrs_1": "no",
    "cssrs_2": "no",
    "cssrs_6": "never",
    "rapport_state": "trusting",
    "feelings": "shame",
    "coping_agreed": "yes",
    "plan_agreed": "yes",
    "plan_realistic": "yes",
    "help_route_told": "yes",
}
"""What a calm client answers; whatever else is asked gets the first choice, a middling number or a few words."""


def answer_to(spec: ProtocolSpec, name: str) -> str:
    fact = spec.facts[name]
    if name in CALM:
        return CALM[name]
    match fact.type:
        case "yes_no":
            return "yes"
        case "choice" | "several":
            return fact.choices[0]
        case "number":
            return str(fact.minimum or 0)
        case "moment":
            return "12:00"
        case "text":
            return "As told"


async def test_a_newcomer_gets_from_report_to_follow_up_by_the_one_primary_action(live: Desk):
    """Every page shows one next thing to do; doing it, and nothing else, leads to the follow-up."""
    spec = live.parts.shelf.open_now()["virtual_iop_crisis"]
    async with live.signed_in("maya") as browser:
        place = await reported(browser)
        for presses in range(20):
            page = (await browser.get(place)).text
            if "step-title" in page:
                sent = form_of(page, f"{place}/acts/complete-step")
                step = spec.steps[sent["step"]]
                asked = [*step.form, *(item.fact for one in step.instruments for item in spec.instruments[one].items)]
                told = facts(**{name: answer_to(spec, name) for name in asked if name in step.form or name in CALM})
                answer = await browser.post(f"{place}/acts/complete-step", **{**sent, **told})
            else:
                answer = await did(browser, place, "advance")
            assert answer.status_code == 303, (presses, answer.text[answer.text.find("problems") :][:900])
            episode = (await live.parts.engine.view(place.rpartition("/")[2])).episode
            if episode is not None and episode.stage == "follow_up":
                return
        pytest.fail("twenty presses were not enough")
