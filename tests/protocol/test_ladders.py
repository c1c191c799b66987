"""Ladders: who is paged when, what an acknowledgement does, and that they never end in silence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from protocol import commands as c
from protocol import events as e
from protocol.effects import EFFECT, Page
from protocol.open_duties import MOST_PAGES_OPEN
from tests.protocol.specs import LADDERS, duty, protocol, with_duties
from tests.protocol.story import START, Story, code, kinds, span


@pytest.fixture
def story() -> Story:
    return Story.begun()


def paged(events: Any) -> list[tuple[str, int, str]]:
    return [(event.obligation, event.rung, event.role) for event in events if isinstance(event, e.PageRequested)]


def report(story: Story, page_id: str, *, delivered: bool) -> Any:
    return story.do(
        c.ReportPage, by="holdfast", role="system", page_id=page_id, delivered=delivered, recipients=("mara",)
    )


# When the first page leaves


def test_a_ladder_that_starts_when_due_is_silent_before(story: Story):
    assert story.engine.next_deadline() == START + span("2h")
    assert not story.later("119m").sweep()
    assert paged(story.later("1m").sweep()) == [("finish_assessment", 0, "owner")]


def test_the_deadline_is_missed_before_its_first_page_leaves(story: Story):
    assert [event.kind for event in story.later("2h").sweep()] == ["DeadlineMissed", "PageRequested"]


def test_a_ladder_may_start_at_the_opening(story: Story):
    receipt = story.answer(harm="yes")
    assert ("dispatch", 0, "owner") in paged(receipt.events)


def test_a_ladder_may_start_before_the_deadline(story: Story):
    story.do(c.DeclareEmergency)
    (owed,) = story.owed("again")
    assert owed.next_page_at == story.now + span("30m")
    assert owed.due_at == story.now + span("1h")


def test_a_lead_longer_than_the_time_left_pages_at_the_opening():
    quick = duty("10m", [{"reached": "client"}], [{"done": "reassess"}], "soon")
    story = Story.begun(with_duties(quick=quick))
    assert ("quick", 0, "owner") in paged(story.contact().events)


def test_an_obligation_that_opens_overdue_is_missed_and_paged_at_once(story: Story):
    story.later("1h")
    receipt = story.do(c.RecordFacts, facts={"harm": "yes"}, ago="30m")
    missed = [event.obligation for event in receipt.events if isinstance(event, e.DeadlineMissed)]
    assert missed == ["dispatch"]


def test_a_timer_that_is_a_little_late_keeps_the_ladder_in_step(story: Story):
    (page,) = [event for event in story.later("2h").later("5s").sweep() if isinstance(event, e.PageRequested)]
    assert page.at == START + span("2h") + span("5s")
    assert page.next_page_at == START + span("2h") + span("10m")


def test_after_an_outage_the_ladder_goes_on_from_now(story: Story):
    (page,) = [event for event in story.later("2h").later("6s").sweep() if isinstance(event, e.PageRequested)]
    assert page.next_page_at == story.now + span("10m")


# What is paged


def test_a_page_says_what_is_due_when_and_whom_to_tell(story: Story):
    requested = next(event for event in story.later("2h").sweep() if isinstance(event, e.PageRequested))
    assert requested == e.PageRequested(
        page_id="ep-1-p1",
        obligation_id="finish_assessment-1",
        obligation="finish_assessment",
        rung=0,
        role="owner",
        channels=("email",),
        due_at=story.now,
        next_page_at=story.now + span("10m"),
        at=story.now,
    )
    (effect,) = story.engine.take_effects()
    assert effect == Page(
        page_id="ep-1-p1",
        episode_id="ep-1",
        obligation_id="finish_assessment-1",
        obligation="finish_assessment",
        role="owner",
        person="mara",
        channels=("email",),
        due_at=story.now,
        requested_at=story.now,
        urgency=0,
        drill=False,
    )
    assert EFFECT.validate_json(EFFECT.dump_json(effect)) == effect
    assert story.episode.pages == 1
    assert story.episode.pages_open == {"ep-1-p1": "finish_assessment-1"}


def test_a_page_carries_the_urgency_of_the_moment_and_says_when_it_is_an_exercise():
    story = Story.begun(drill=True)
    story.answer(harm="yes")
    urgent = [effect for effect in story.engine.take_effects() if isinstance(effect, Page)]
    assert [(page.urgency, page.drill, page.role, page.person) for page in urgent] == [(4, True, "owner", "mara")]


def test_a_page_to_a_role_names_nobody(story: Story):
    story.later("2h").sweep()
    story.later("10m").sweep()
    last = story.engine.take_effects()[-1]
    assert isinstance(last, Page)
    assert (last.role, last.person, last.channels) == ("supervisor", "", ("email", "webhook"))


def test_an_offered_handover_pages_the_person_it_is_offered_to(story: Story):
    story.do(c.OfferHandover, to="ben", reason="r")
    (page,) = story.engine.take_effects()
    assert isinstance(page, Page)
    assert (page.role, page.person) == ("addressee", "ben")


# Climbing


def test_the_ladder_climbs_and_its_last_rung_repeats_for_ever(story: Story):
    story.later("2h").sweep()
    seen = list[tuple[str, int, str]]()
    for wait in ("10m", "20m", "30m", "30m"):
        assert not story.later("4m").sweep()
        story.now -= span("4m")
        seen += paged(story.later(wait).sweep())
    assert [rung for _, rung, _ in seen] == [1, 1, 1, 1]
    assert seen[-1] == ("finish_assessment", 1, "supervisor")
    assert story.engine.next_deadline() == story.now + span("30m")


def test_each_rung_waits_its_own_time(story: Story):
    moments = list[timedelta]()
    for _ in range(5):
        due = story.engine.next_deadline()
        assert due is not None
        story.now = due
        story.sweep()
        moments.append(story.now - START)
    assert moments == [span(text) for text in ("120m", "130m", "150m", "180m", "210m")]


def test_after_an_outage_one_page_leaves_and_not_all_that_were_missed(story: Story):
    events = story.later("10h").sweep()
    assert [event.kind for event in events] == ["DeadlineMissed", "PageRequested"]
    assert story.engine.next_deadline() == story.now + span("10m")


@pytest.mark.parametrize(("late", "next_page"), [("5s", "130m"), ("6s", None)])
def test_a_timer_a_little_late_keeps_the_ladder_in_step(story: Story, late: str, next_page: str | None):
    story.later("2h").later(late).sweep()
    planned = START + span(next_page) if next_page else story.now + span("10m")
    assert story.engine.next_deadline() == planned


def test_a_ladder_of_one_rung_waits_first_and_repeats_then(story: Story):
    story.do(c.OfferHandover, to="ben", reason="r")
    moments = list[timedelta]()
    for _ in range(3):
        due = story.engine.next_deadline()
        assert due is not None
        moments.append(due - START)
        story.now = due
        story.sweep()
    assert moments == [span(text) for text in ("5m", "15m", "35m")]


def test_what_is_due_first_fires_first(story: Story):
    story.later("1h")
    story.contact("no_answer")
    story.contact("no_answer")
    story.answer(harm="yes")
    fired = [
        (event.kind, event.obligation)
        for event in story.later("9h").sweep()
        if isinstance(event, e.DeadlineMissed | e.PageRequested)
    ]
    order = [obligation for kind, obligation in fired if kind == "DeadlineMissed"]
    assert order == ["dispatch", "try_client", "decide_step_up"]


# Acknowledging


def test_an_acknowledgement_silences_for_its_lease_and_ends_nothing(story: Story):
    story.later("2h").sweep()
    receipt = story.later("1m").do(c.Acknowledge, obligation_id="finish_assessment-1", by="ben", role="peer")
    until = story.now + span("45m")
    assert receipt.events == (
        e.Acknowledged("finish_assessment-1", "finish_assessment", "ben", "peer", until, story.now),
    )
    (owed,) = story.owed("finish_assessment")
    assert (owed.lease_until, owed.next_page_at, owed.acknowledged_by) == (until, until, "ben")
    assert not paged(story.later("44m").sweep())


def test_when_the_lease_ends_the_next_rung_is_paged(story: Story):
    story.later("2h").sweep()
    story.do(c.Acknowledge, obligation_id="finish_assessment-1")
    assert paged(story.later("45m").sweep()) == [("finish_assessment", 1, "supervisor")]
    assert story.owed("finish_assessment")[0].lease_until is None


def test_saying_that_one_is_on_it_brings_no_page_sooner(story: Story):
    """The ladder's own next page stands where the lease is shorter."""
    slow = {**LADDERS["late"], "lease": "5m"}
    story = Story.begun(protocol(ladders={**LADDERS, "late": slow}))
    story.later("2h").sweep()
    story.do(c.Acknowledge, obligation_id="finish_assessment-1")
    (owed,) = story.owed("finish_assessment")
    assert (owed.lease_until, owed.next_page_at) == (story.now + span("5m"), story.now + span("10m"))
    assert not paged(story.later("9m").sweep())
    assert paged(story.later("1m").sweep()) == [("finish_assessment", 1, "supervisor")]


@pytest.mark.parametrize("by", ["mara", "ben"])
def test_saying_it_again_does_not_make_the_silence_longer(story: Story, by: str):
    story.later("2h").sweep()
    story.do(c.Acknowledge, obligation_id="finish_assessment-1", by="mara")
    until = story.now + span("45m")
    story.later("44m").do(c.Acknowledge, obligation_id="finish_assessment-1", by=by)
    (owed,) = story.owed("finish_assessment")
    assert (owed.lease_until, owed.next_page_at, owed.acknowledged_by) == (until, until, by)
    assert paged(story.later("1m").sweep()) == [("finish_assessment", 1, "supervisor")]


def test_a_page_begins_a_new_lease(story: Story):
    story.later("2h").sweep()
    story.do(c.Acknowledge, obligation_id="finish_assessment-1")
    story.later("45m").sweep()
    story.do(c.Acknowledge, obligation_id="finish_assessment-1")
    assert story.owed("finish_assessment")[0].lease_until == story.now + span("45m")


def test_a_lease_counts_from_now_even_when_written_down_late(story: Story):
    story.later("2h").sweep()
    story.later("5m").do(c.Acknowledge, obligation_id="finish_assessment-1", ago="5m")
    assert story.owed("finish_assessment")[0].lease_until == story.now + span("45m")


def test_the_deadline_passes_even_while_somebody_is_on_it(story: Story):
    story.do(c.DeclareEmergency)
    story.later("30m").sweep()
    story.do(c.Acknowledge, obligation_id="again-1")
    events = story.later("30m").sweep()
    assert [event.obligation for event in events if isinstance(event, e.DeadlineMissed)] == ["again"]
    assert not [name for name, _, _ in paged(events) if name == "again"]
    assert ("again", 1, "supervisor") in paged(story.later("15m").sweep())


def test_nobody_acknowledges_what_was_not_paged(story: Story):
    assert code(story.do(c.Acknowledge, obligation_id="finish_assessment-1")) == "nothing_to_acknowledge"
    assert code(story.do(c.Acknowledge, obligation_id="dispatch-1")) == "unknown_obligation"


# What becomes of a page


def test_a_delivered_page_closes_nothing(story: Story):
    story.later("2h").sweep()
    receipt = report(story, "ep-1-p1", delivered=True)
    assert receipt.events == (e.PageReported("ep-1-p1", True, ("mara",), "", story.now),)
    assert story.owed("finish_assessment")[0].next_page_at == story.now + span("10m")
    assert story.episode.pages_open == {}


def test_a_page_that_reached_nobody_makes_the_next_rung_due_at_once(story: Story):
    story.later("2h").sweep()
    receipt = report(story.later("1m"), "ep-1-p1", delivered=False)
    assert kinds(receipt) == ["PageReported", "PageRequested"]
    assert paged(receipt.events) == [("finish_assessment", 1, "supervisor")]


def test_a_failed_page_does_not_disturb_who_is_on_it(story: Story):
    story.later("2h").sweep()
    story.do(c.Acknowledge, obligation_id="finish_assessment-1")
    assert kinds(report(story, "ep-1-p1", delivered=False)) == ["PageReported"]


def test_an_older_page_that_failed_does_not_hurry_the_ladder():
    longer = {**LADDERS["late"], "rungs": [*LADDERS["late"]["rungs"], LADDERS["late"]["rungs"][0]]}
    story = Story.begun(protocol(ladders={**LADDERS, "late": longer}))
    story.later("2h").sweep()
    story.do(c.Acknowledge, obligation_id="finish_assessment-1")
    story.later("45m").sweep()
    assert kinds(report(story, "ep-1-p1", delivered=False)) == ["PageReported"]


def test_a_page_whose_obligation_is_done_may_still_be_reported(story: Story):
    story.later("2h").sweep()
    story.in_follow_up()
    assert kinds(report(story, "ep-1-p1", delivered=False)) == ["PageReported"]
    assert story.episode.pages_open == {}


def test_a_page_is_reported_once(story: Story):
    story.later("2h").sweep()
    report(story, "ep-1-p1", delivered=True)
    assert code(report(story, "ep-1-p1", delivered=True)) == "unknown_obligation"
    assert code(report(story, "ep-1-p9", delivered=True)) == "unknown_obligation"


def test_a_ladder_is_the_one_of_the_opening(story: Story):
    (owed,) = story.owed("finish_assessment")
    assert owed.ladder.name == "late"
    assert [(rung.page, rung.channels, rung.wait) for rung in owed.ladder.rungs] == [
        ("owner", ("email",), 600),
        ("supervisor", ("email", "webhook"), 1200),
    ]
    assert (owed.ladder.repeat, owed.ladder.lease) == (1800, 2700)


def test_a_page_to_a_role_names_nobody_while_a_handover_is_offered(story: Story):
    story.do(c.OfferHandover, to="ben", reason="r")
    story.later("130m").sweep()
    story.later("10m").sweep()
    persons = {(page.role, page.person) for page in story.engine.take_effects() if isinstance(page, Page)}
    assert persons == {("addressee", "ben"), ("owner", "mara"), ("supervisor", "")}


def test_a_page_to_an_addressee_without_an_offer_names_nobody():
    asked = duty("1h", [{"reached": "client"}], [{"done": "reassess"}], "addressee")
    story = Story.begun(with_duties(asked=asked))
    story.contact()
    (page,) = story.engine.take_effects()
    assert isinstance(page, Page)
    assert (page.role, page.person) == ("addressee", "")


def test_reports_that_never_come_are_not_waited_for_for_ever(story: Story):
    for _ in range(MOST_PAGES_OPEN + 3):
        story.now = story.owed("finish_assessment")[0].next_at()
        story.sweep()
    pages = story.episode.pages
    assert list(story.episode.pages_open) == [
        f"ep-1-p{pages - MOST_PAGES_OPEN + 1 + n}" for n in range(MOST_PAGES_OPEN)
    ]
    assert MOST_PAGES_OPEN == 100
    assert code(report(story, "ep-1-p1", delivered=True)) == "unknown_obligation"
    assert code(report(story, f"ep-1-p{pages}", delivered=True)) is None
