"""The providers are away for a while: no duty may be quieter afterwards because its pages failed."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from proof.climbing import Climb
from protocol.open_duties import SOON
from protocol.program import Program, program
from tests.protocol.specs import LADDERS, protocol
from tests.protocol.story import START, Story, span
from tests.protocol.test_ladders import paged, report
from tests.shipped import protocol_in

SPECS = Path(__file__).parents[2] / "protocol_specs"
SHIPPED = ("virtual_iop_crisis", "withdrawal_monitoring", "caring_contacts")
REFUSED_FOR = timedelta(seconds=16)
"""How long the attempts of one page take while every connection is refused."""
OUTAGES = [timedelta(minutes=minutes) for minutes in (1, 3, 30)]
REPEATS = 3


@cache
def shipped(name: str) -> Program:
    return program(protocol_in(SPECS / f"{name}.yaml"))


def ladders() -> list[tuple[str, str, str]]:
    """Each ladder of each shipped protocol with a duty that uses it."""
    found = {(name, owed.ladder): duty for name in SHIPPED for duty, owed in shipped(name).spec.obligations.items()}
    return [(name, ladder, duty) for (name, ladder), duty in found.items()]


def told(
    compiled: Program, duty: str, away: tuple[datetime, datetime] | None, pages: int
) -> list[tuple[datetime, int]]:
    """When somebody was told, and how far the ladder had come by then."""
    climb, heard = Climb(compiled, duty), list[tuple[datetime, int]]()
    while len(heard) < pages:
        assert climb.next_page() is not None
        (owed,) = climb.episode.obligations.values()
        lost = away is not None and away[0] <= climb.page.at < away[1]
        if not lost:
            heard.append((climb.page.at, owed.place))
        climb.reported(delivered=not lost, after=REFUSED_FOR if lost else timedelta(0))
    return heard


@pytest.mark.parametrize(("name", "ladder", "duty"), ladders())
def test_an_outage_costs_no_more_than_itself_and_a_few_minutes(name: str, ladder: str, duty: str):
    """Whoever would have been told is told, at most the outage and `SOON` later; so is every repeat."""
    compiled = shipped(name)
    rungs = len(compiled.spec.ladders[ladder].rungs)
    plan = told(compiled, duty, None, rungs + REPEATS)
    for first in range(rungs + 1):
        for outage in OUTAGES:
            begins = plan[first][0]
            late = outage + SOON + REFUSED_FOR * rungs
            heard = told(compiled, duty, (begins, begins + outage), rungs + REPEATS)
            for (planned, place), (at, reached) in zip(plan, heard, strict=True):
                assert (at <= planned + late, reached >= place) == (True, True), (first, outage, planned - begins)


@pytest.mark.parametrize(("name", "ladder", "duty"), ladders())
def test_while_nobody_is_reached_somebody_is_tried_all_the_time(name: str, ladder: str, duty: str):
    climb = Climb(shipped(name), duty)
    climb.next_page()
    for _ in range(3 * len(shipped(name).spec.ladders[ladder].rungs)):
        climb.reported(delivered=False, after=REFUSED_FOR)
        reported = climb.now
        assert climb.next_page() is not None
        assert climb.page.at - reported <= SOON


def long(*waits: str, repeat: str = "8h") -> Story:
    """A ladder of so many rungs that begins when `finish_assessment` is due, after two hours."""
    roles = ("owner", "supervisor", "peer", "therapist")
    rungs = [{"page": role, "channels": ["email"], "wait": wait} for role, wait in zip(roles, waits, strict=False)]
    ladder = {**LADDERS["late"], "rungs": rungs, "repeat": repeat}
    return Story.begun(protocol(ladders={**LADDERS, "late": ladder})).later("2h")


def lose(story: Story, pages: int) -> list[int]:
    """So many pages on end reach nobody, each said 16 seconds after it left; the rungs they went to."""
    rungs = list[int]()
    for _ in range(pages):
        if not story.owed("finish_assessment")[0].page_id or story.engine.next_deadline() == story.now:
            story.sweep()
        (owed,) = story.owed("finish_assessment")
        rungs.append(owed.rung)
        report(story.later("16s"), owed.page_id, delivered=False)
        (after,) = story.owed("finish_assessment")
        if after.page_id == owed.page_id:
            story.now = after.next_page_at
            story.sweep()
    return rungs


def test_when_nobody_at_all_is_reached_the_ladder_begins_again_within_minutes():
    story = long("15m", "30m", "4h")
    assert lose(story, 6) == [0, 1, 2, 0, 1, 2]
    assert story.now == START + span("2h") + span("48s") * 2 + SOON * 2
    assert lose(story, 1) == [0]


def test_nothing_comes_later_than_it_was_planned():
    story = long("1m", "4h")
    lose(story, 2)
    assert story.now == START + span("2h") + span("16s") + span("1m")


def test_the_ladder_goes_back_to_the_rung_that_it_had_come_to():
    story = long("15m", "30m", "4h")
    story.sweep()
    report(story, "ep-1-p1", delivered=True)
    story.later("15m").sweep()
    assert lose(story, 3) == [1, 2, 1]
    assert paged(story.sweep()) == []
    (owed,) = story.owed("finish_assessment")
    assert (owed.rung, owed.place) == (2, 1)


def test_whoever_stands_in_gets_the_time_of_the_rung_and_the_ladder_goes_on_from_there():
    """Only one page is lost; the long waits of the last rungs do not begin before their time."""
    story = long("15m", "30m", "4h")
    lose(story, 1)
    (owed,) = story.owed("finish_assessment")
    assert (owed.rung, owed.place) == (1, 0)
    report(story, owed.page_id, delivered=True)
    assert owed.next_page_at == story.now + span("15m")
    assert paged(story.later("15m").sweep()) == [("finish_assessment", 1, "supervisor")]
    assert story.engine.next_deadline() == story.now + span("30m")


def test_the_last_rung_is_tried_again_within_minutes_and_then_waits_no_longer_than_planned():
    story = long("15m", "4h", repeat="8h")
    story.sweep()
    report(story, "ep-1-p1", delivered=True)
    story.later("15m").sweep()
    assert lose(story, 2) == [1, 1]
    (owed,) = story.owed("finish_assessment")
    assert owed.next_page_at == story.now + span("4h")
    report(story, owed.page_id, delivered=True)
    story.later("4h").sweep()
    assert story.engine.next_deadline() == story.now + span("8h")


def test_a_deadline_that_passes_while_nobody_is_reached_is_told_at_once():
    ladder = {**LADDERS["late"], "starts": "before_due", "lead": "2m"}
    story = Story.begun(protocol(ladders={**LADDERS, "late": ladder})).later("118m")
    story.sweep()
    report(story, "ep-1-p1", delivered=False)
    report(story, "ep-1-p2", delivered=False)
    assert story.engine.next_deadline() == story.now + span("2m")
    assert [event.kind for event in story.later("2m").sweep()] == ["DeadlineMissed", "PageRequested"]
