"""How long it takes until somebody is paged: never promised where a rise can open nothing, and never paged later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random

import pytest

from proof.claims.common import Ground
from proof.claims.paging import paging
from proof.pilot import Lost, Pilot
from proof.verdicts import Paging
from proof.walk import Walk
from protocol import events as e
from protocol.program import program
from protocol.spec import LEVELS, ProtocolSpec
from tests.proof.starter import starter
from tests.proof.test_prove import minimal

FIRST_DAY = date(2026, 1, 1)
NEXT_DAY = "opens: [{event: risk_raised, when: {risk: {at_least: moderate}}}]"
CALL_HELP = "opens: [{entered: help_comes}]"
ONCE = starter((NEXT_DAY, f"{NEXT_DAY}\n    at_most: 1"))
CALLED_ONCE = starter((CALL_HELP + "\n    met_by: [{reached", f"{CALL_HELP}\n    at_most: 1\n    met_by: [{{reached"))
KEPT = starter((NEXT_DAY, f"{NEXT_DAY}\n    reopening: keep"))
DAY = 86_400


def times(spec: ProtocolSpec, first_day: date = FIRST_DAY) -> dict[str, Paging]:
    return {one.level: one for one in paging(Ground(program(spec)), first_day)}


def test_a_rise_that_opens_a_duty_each_time_pages_somebody() -> None:
    found = times(starter())
    assert (found["moderate"].by, found["moderate"].paged) == ("next_day", 2 * DAY - 1800)
    assert (found["imminent"].by, found["imminent"].paged, found["imminent"].last_rung) == ("call_help", 0, 120)
    assert set(found) == {"moderate", "imminent"}, "no rule raises the risk to another level"


def test_a_duty_that_opens_once_only_is_no_promise() -> None:
    assert times(ONCE)["moderate"] == Paging("moderate")
    found = times(CALLED_ONCE)["imminent"]
    assert (found.by, found.paged) == ("help_ends", 4 * 3600 - 1800), "the second emergency calls nobody at once"


def test_a_duty_that_is_kept_as_it_was_may_page_too_late() -> None:
    """Opened at moderate risk it is due in two days, and stays so when the risk rises further."""
    assert times(KEPT)["imminent"].by == "call_help"
    unheard = "opens: [{event: emergency_declared}]"
    changes = [
        (f"{CALL_HELP}\n    met_by: [{{{end}", f"{unheard}\n    met_by: [{{{end}") for end in ("reached", "left")
    ]
    assert times(starter(*changes))["imminent"].by == "next_day"
    assert times(starter(*changes, (NEXT_DAY, f"{NEXT_DAY}\n    reopening: keep")))["imminent"] == Paging("imminent")


def test_the_days_that_are_tried_begin_where_they_are_said_to() -> None:
    holidays = "\n".join(f'    "2031-07-{day:02}": Closed' for day in range(1, 22))
    calendar = f"""
calendar:
  title: Work days
  working_days: [mon, tue, wed, thu, fri]
  holidays:
{holidays}
  source: {{grade: P}}
"""
    slow = ("clock: safety\n    due: {by: risk, values: {imminent: 24h, high: 24h, moderate: 48h}, otherwise: 48h}",
            "clock: business\n    due: 2wd")  # fmt: skip
    spec = starter(slow, ("title: Speak again\n    concern: safety", "title: Speak again\n    concern: care"),
                   more=calendar)  # fmt: skip
    usual, summer = (times(spec, day)["moderate"].paged for day in (FIRST_DAY, date(2031, 6, 1)))
    assert usual is not None
    assert summer is not None
    assert summer > usual + 10 * DAY


# Random episodes


def random_walks(spec: ProtocolSpec, numbers: range) -> Iterator[Walk]:
    """Episodes in which the risk rises and falls while people do some of what they owe."""
    for number in numbers:
        random, pilot = Random(number), Pilot(program(spec))
        walk = pilot.begin()
        for _ in range(14):
            assert walk is not None
            try:
                walk = _anything(pilot, walk, random) or walk
            except Lost:
                break
        assert walk is not None
        yield walk.wait(5 * DAY)


def _anything(pilot: Pilot, walk: Walk, random: Random) -> Walk | None:
    if walk.episode.closed_at is not None:
        return None
    choice = random.randrange(10)
    if choice < 4:
        return pilot.risk.to(walk, random.choice(LEVELS[1:]))
    if choice < 5:
        return pilot.act(walk, "declare_emergency", reason="danger")
    if choice < 8:
        return pilot.owing.settle_one(walk)
    if choice < 9:
        return pilot.go_to(walk, random.choice([name for name, one in pilot.spec.stages.items() if one.kind == "open"]))
    return walk.wait(random.choice((60, 1800, 3600, 7 * 3600, DAY)))


def broken_promises(walk: Walk, promised: dict[str, Paging]) -> Iterator[str]:
    """Rises after which nobody was paged in the promised time, nor was it done, nor begun anew by a later rise."""
    spec, stage = walk.program.spec, walk.program.spec.initial
    owed: dict[str, tuple[str, bool]] = {}
    for number, event in enumerate(walk.events):
        if isinstance(event, e.StageEntered):
            stage = event.stage
        elif isinstance(event, e.ObligationOpened):
            owed[event.obligation_id] = (event.obligation, False)
        elif isinstance(event, e.PageRequested):
            owed[event.obligation_id] = (event.obligation, True)
        elif isinstance(event, (e.ObligationMet, e.ObligationWaived, e.ObligationSuperseded)):
            owed.pop(event.obligation_id, None)
        elif isinstance(event, e.RiskRaised) and (promise := promised.get(event.level)) and promise.paged is not None:
            until = event.at + timedelta(seconds=promise.paged)
            paged_already = (promise.by, True) in owed.values()
            if stage != spec.emergency.stage and until <= walk.now and not paged_already:
                yield from _unheard(walk.events[number:], promise, until, event.at)


def _unheard(events: tuple[e.Event, ...], promise: Paging, until: datetime, since: datetime) -> Iterator[str]:
    heard = (e.PageRequested, e.ObligationMet, e.ObligationWaived, e.ObligationSuperseded)
    if not any(isinstance(one, heard) and one.obligation == promise.by and one.at <= until for one in events):
        yield f"{promise.level} at {since}: no page for {promise.by} until {until}"


@pytest.mark.parametrize("spec", [starter(), ONCE, CALLED_ONCE, KEPT, minimal()], ids=range(5))
def test_no_first_page_comes_later_than_promised(spec: ProtocolSpec) -> None:
    promised, rises = times(spec), 0
    for walk in random_walks(spec, range(40)):
        rises += sum(isinstance(event, e.RiskRaised) for event in walk.events)
        assert list(broken_promises(walk, promised)) == []
    assert rises > 40
