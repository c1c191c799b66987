from __future__ import annotations

from datetime import timedelta

from audit.board import Load
from audit.projections import project
from practice.wellbeing import flags
from protocol.summary import EpisodeSummary
from tests.audit.records import owed, summary
from tests.web.desk import Desk


async def known(web: Desk, *summaries: EpisodeSummary) -> None:
    await web.parts.database.write(lambda connection: [project(connection, [], one) for one in summaries])


async def test_a_supervisor_sees_the_worst_first_and_who_carries_it(web: Desk):
    due = web.clock() - timedelta(minutes=5)
    late = owed(due_at=due, missed=True, rung=1, next_page_at=web.clock() + timedelta(minutes=3))
    await known(
        web,
        summary(1, "calm", risk="low", client_ref="client-2", owner="maya"),
        summary(1, "worst", risk="imminent", client_ref="client-1", owner="sam", obligations=(late,)),
    )
    async with web.signed_in("ruth") as browser:
        text = (await browser.get("/board")).text
    assert text.index("/episodes/worst") < text.index("/episodes/calm")
    assert "5 min overdue" in text
    assert "Rung 2 was paged" in text
    assert "Sam Lindqvist" in text


async def test_filters_live_in_the_address_and_refuse_what_is_no_filter(web: Desk):
    await known(
        web, summary(1, "a", risk="low"), summary(1, "b", risk="high"), summary(1, "c", risk="high", drill=True)
    )
    async with web.signed_in("ruth") as browser:
        text = (await browser.get("/board?level=high&drills=0")).text
        assert "/episodes/b" in text
        assert "/episodes/a" not in text
        assert "/episodes/c" not in text
        assert (await browser.get("/board?level=dire")).status_code == 422


async def test_a_therapist_has_no_board(web: Desk):
    async with web.signed_in("maya") as browser:
        assert (await browser.get("/board")).status_code == 403


async def test_an_empty_board_says_so(web: Desk):
    async with web.signed_in("ruth") as browser:
        assert "No open episode fits" in (await browser.get("/board")).text


def test_flags_are_raised_above_the_policy_and_not_at_it():
    calm = Load("maya", 9, 5, 5, 2, 0, 1)
    assert flags(calm) == ()
    assert flags(Load("maya", 9, 6, 6, 3, 1, 1)) == (
        "1 imminent episode in 7 days: support first",
        "3 high or imminent episodes in 7 days",
        "6 clients at high or imminent risk at once",
    )
