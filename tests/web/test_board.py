from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from audit.board import Load
from audit.projections import project
from practice.roster_gaps import RosterGaps
from practice.wellbeing import REST, flags, rests_until
from protocol.roster import Gap
from protocol.summary import EpisodeSummary
from tests.audit.records import owed, summary
from tests.web.desk import Desk
from tests.web.recorded import recorded
from tests.web.test_api_nouns import caller

HOUR = timedelta(hours=1)


async def known(web: Desk, *summaries: EpisodeSummary) -> None:
    await web.parts.database.write(lambda connection: [project(connection, [], one) for one in summaries])


async def test_a_supervisor_sees_the_worst_first_and_who_carries_it(web: Desk):
    due = web.clock() - timedelta(minutes=5)
    late = owed(due_at=due, missed=True, rung=1, next_page_at=web.clock() + timedelta(minutes=3))
    await known(
        web,
        summary(1, "calm", risk="low", client_ref="client-2", owner="maya", obligations=()),
        summary(1, "worst", risk="imminent", client_ref="client-1", owner="sam", obligations=(late,)),
    )
    async with web.signed_in("ruth") as browser:
        text = (await browser.get("/board")).text
    assert text.index("/episodes/worst") < text.index("/episodes/calm")
    assert "5 min overdue" in text
    assert "Rung 2 was paged" in text
    assert "Sam Lindqvist" in text


async def test_filters_live_in_the_address_and_refuse_what_is_no_filter(web: Desk):
    later = (owed(due_at=web.clock() + HOUR, next_page_at=None),)
    await known(
        web,
        summary(1, "a", risk="low", obligations=later),
        summary(1, "b", risk="high", obligations=later),
        summary(1, "c", risk="high", drill=True, obligations=later),
    )
    async with web.signed_in("ruth") as browser:
        text = (await browser.get("/board?level=high&drills=0")).text
        assert "/episodes/b" in text
        assert "/episodes/a" not in text
        assert "/episodes/c" not in text
        assert (await browser.get("/board?level=dire")).status_code == 422


async def test_hours_in_which_nobody_would_answer_are_shown(web: Desk):
    now = web.clock()
    rungs, no_shift = ("x: y, rung 2",), ("no shift of `on_call` covers this", "add a shift: `sam`")
    hours = (
        Gap("on_call", "", now - HOUR, now + HOUR, *no_shift, rungs),
        Gap("therapist", "maya", now + 30 * HOUR, now + 60 * HOUR, "maya is on leave", "name a cover", rungs),
        Gap("peer", "", now - 2 * HOUR, now - HOUR, "over", "nothing", rungs),
    )
    await RosterGaps(web.parts.database).keep(hours, now + 60 * HOUR, now - 3 * HOUR, web.parts.rota.zone)
    async with web.signed_in("ruth") as browser:
        text = (await browser.get("/board")).text
        assert 'Nobody would answer <span class="count">2</span>' in text
        assert 'On call</b><span class="chip">now</span>' in text, "nobody is being paged: no alarm"
        assert "No shift of on call covers this: add a shift: sam." in text
        assert "Maya Ortiz as owner" in text
        assert "and on</p>" in text, "the search ended before the gap did"
        assert "Over: nothing" not in text
        paged = owed(due_at=now, missed=True, rung=1, next_page_at=now + HOUR)
        await known(web, summary(1, "worst", risk="imminent", obligations=(paged,)))
        assert 'On call</b><span class="chip warn">now</span>' in (await browser.get("/board")).text
        async with caller(web, "ruth") as http:
            told = (await http.get("/board")).json()["gaps"]
        assert [(one["role"], one["owner"]) for one in told] == [("on_call", ""), ("therapist", "maya")]
        await RosterGaps(web.parts.database).keep((), now, now, web.parts.rota.zone)
        assert "Nobody would answer" not in (await browser.get("/board")).text


async def test_ladders_of_drills_stand_apart_after_the_real_ones(web: Desk):
    soon, later = web.clock() + timedelta(minutes=1), web.clock() + timedelta(minutes=9)
    exercise = tuple(owed(f"d-{number}", rung=0, next_page_at=soon) for number in range(60))
    await known(
        web,
        summary(1, "exercise", drill=True, obligations=exercise),
        summary(1, "real", obligations=(owed("r", title="Call her back", rung=0, next_page_at=later),)),
    )
    async with web.signed_in("ruth") as browser:
        text = (await browser.get("/board")).text
    ladders = text.partition("Ladders under way")[2].partition("</section>")[0]
    real, _, drills = ladders.partition("In drills")
    assert 'class="count">1<' in real
    assert ("Call her back" in real, "DRILL" in real) == (True, False)
    assert drills.count("chip drill") == 12


async def test_a_therapist_has_no_board(web: Desk):
    async with web.signed_in("maya") as browser:
        assert (await browser.get("/board")).status_code == 403


async def test_an_empty_board_says_so(web: Desk):
    async with web.signed_in("ruth") as browser:
        assert "No open episode fits" in (await browser.get("/board")).text


def test_flags_are_raised_above_the_policy_and_not_at_it():
    now = datetime(2026, 12, 1, 12, tzinfo=UTC)
    calm = Load("maya", episodes=9, severe=5, severe_clients=5, recent_severe=2)
    assert flags(calm, now) == ()
    tired = replace(calm, severe_clients=6, recent_severe=3, recent_imminent=1, last_imminent=now - REST)
    assert rests_until(tired, now) is None
    assert rests_until(tired, now - timedelta(minutes=1)) == now
    assert flags(replace(tired, last_imminent=now), now)[1] == "nobody new at high risk now, unless they agree"
    assert flags(tired, now) == (
        "1 imminent episode in 7 days: support first",
        "3 high or imminent episodes in 7 days",
        "6 clients at high or imminent risk at once",
    )


async def test_what_waits_for_a_signature_is_read_and_signed_in_one_place(web: Desk):
    """The kinds come from the protocol that the episode runs under, whatever lies among the files."""
    await recorded(web, "php_has_no_place", steps=7)
    async with web.signed_in("ruth") as browser:
        page = (await browser.get("/signatures")).text
    assert "No bed is likely anyway." in page
    assert "The criteria advised" in page
    assert 'name="subject" value="step_up"' in page


async def test_episodes_of_somebody_away_are_offered_and_what_is_missing_is_said(web: Desk):
    await known(web, summary(1, "a", owner="maya"), summary(1, "b", owner="maya"), summary(1, "c", owner="sam"))
    async with web.signed_in("ruth") as browser:
        page = (await browser.get("/reassign?owner=maya")).text
        assert 'name="to.a"' in page
        assert 'name="to.c"' not in page
        assert '<option value="maya">Maya' not in page.split('name="to.a"')[1], "nobody is offered their own"
        answer = await browser.post("/reassign", owner="maya", **{"to.a": "sam"})
        assert answer.status_code == 422
        assert "Write why" in answer.text
        assert '<option value="sam" selected>' in answer.text
