"""Obligations: what opens them, what opens them again, and when they are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from protocol import commands as c
from protocol import events as e
from tests.protocol.specs import FACTS, duty, protocol, with_duties
from tests.protocol.story import START, Story, code, span


@pytest.fixture
def story() -> Story:
    return Story.begun()


def of(receipt: Any, kind: type[Any]) -> list[Any]:
    return [event for event in receipt.events if isinstance(event, kind)]


# Opening


def test_entering_a_stage_opens_what_it_asks_for(story: Story):
    (owed,) = story.episode.obligations.values()
    assert owed.obligation_id == "finish_assessment-1"
    assert (owed.owner, owed.opened_at, owed.due_at) == ("owner", START, START + span("2h"))
    assert (owed.missed, owed.rung, owed.lease_until) == (False, -1, None)


def test_an_event_opens_only_while_its_condition_holds(story: Story):
    story.answer(pain=9)
    assert not story.owed("first_contact")
    later = Story.begun().in_follow_up()
    assert [owed.obligation_id for owed in later.owed("first_contact")] == ["first_contact-1"]
    later.answer(pain=9)
    assert [owed.obligation_id for owed in later.owed("first_contact")] == ["first_contact-2"]


def test_a_condition_opens_at_the_moment_it_becomes_true_and_not_again(story: Story):
    story.answer(plan="yes", intent="no")
    assert [owed.obligation_id for owed in story.owed("decide_step_up")] == ["decide_step_up-1"]
    story.answer(harm="yes")
    assert [owed.obligation_id for owed in story.owed("decide_step_up")] == ["decide_step_up-1"]


def test_a_condition_that_fails_and_holds_again_opens_again(story: Story):
    story.answer(plan="yes", intent="no")
    story.do(c.CompleteStep, step="reassess", facts={"plan": "no"})
    story.do(c.LowerRisk, level="low", reason="r")
    story.answer(plan="yes", intent="no")
    assert [owed.obligation_id for owed in story.owed("decide_step_up")] == ["decide_step_up-2"]


@pytest.mark.parametrize(
    "when",
    [
        {"plan": "yes", "if_unknown": "holds"},
        {"plan": {"known": "no"}},
        {"contact.client": "no"},
        {"crisis.relapse": "no"},
        {"obligation.dispatch": "none"},
        {"risk": "none"},
        {"care": "more"},
    ],
)
def test_before_its_opening_nothing_was_true_of_an_episode(when: dict[str, Any]):
    """So what holds at the opening becomes true then."""
    story = Story.begun(with_duties(early=duty("1h", [{"when": when}], [{"done": "start"}])))
    assert story.owed("early")


@pytest.mark.parametrize(
    ("trigger", "act"),
    [
        ({"event": "episode_opened"}, lambda _: None),
        ({"event": "emergency_declared"}, lambda s: s.do(c.DeclareEmergency)),
        ({"event": "risk_raised"}, lambda s: s.answer(pain=9)),
        ({"entered": "follow_up"}, lambda s: s.in_follow_up()),
        ({"done": "reassess"}, lambda s: s.do(c.CompleteStep, step="reassess")),
        ({"decided": "plain"}, lambda s: decide(s, "plain", "left")),
        ({"decided": "plain", "options": ["left"]}, lambda s: decide(s, "plain", "left")),
        ({"opened": "dispatch"}, lambda s: s.answer(harm="yes")),
        ({"met": "finish_assessment"}, lambda s: s.in_follow_up()),
        ({"missed": "finish_assessment"}, lambda s: s.later("2h").sweep()),
        ({"waived": "handover_seen"}, lambda s: waived_handover(s)),
        ({"reached": "client"}, lambda s: s.contact()),
        ({"not_reached": "client"}, lambda s: s.contact("voicemail")),
        ({"event": "handover_offered"}, lambda s: s.do(c.OfferHandover, to="ben", reason="r")),
        ({"event": "handover_accepted"}, lambda s: handover(s, c.AcceptHandover)),
        ({"event": "handover_declined"}, lambda s: handover(s, c.DeclineHandover, reason="r")),
        ({"event": "co_signature_needed"}, lambda s: decide(s, "report", "yes")),
        ({"when": {"handover": "offered"}}, lambda s: s.do(c.OfferHandover, to="ben", reason="r")),
        ({"when": {"cosignature": "waiting"}}, lambda s: decide(s, "report", "yes")),
        ({"when": {"plain": "right", "if_unknown": "fails"}}, lambda s: decide(s, "plain", "right")),
        ({"when": {"crisis.relapse": "yes"}}, lambda s: s.do(c.RecordCrisisType, crisis_type="relapse")),
        ({"when": {"contact.client": "yes"}}, lambda s: s.contact()),
        ({"when": {"attempts.client": {"at_least": 1}}}, lambda s: s.contact("no_answer")),
        ({"when": {"step.reassess": "done"}}, lambda s: s.do(c.CompleteStep, step="reassess")),
        ({"when": {"stage": "follow_up"}}, lambda s: s.in_follow_up()),
        ({"when": {"peak_risk": "low"}}, lambda s: s.answer(pain=9)),
        ({"when": {"obligation.finish_assessment": "overdue"}}, lambda s: s.later("2h").sweep()),
        ({"when": {"obligation.finish_assessment": "met"}}, lambda s: s.in_follow_up()),
        ({"when": {"obligation.dispatch": "open"}}, lambda s: s.answer(harm="yes")),
        ({"when": {"obligation.handover_seen": "waived"}}, lambda s: waived_handover(s)),
        ({"when": {"screen.status": "complete"}}, lambda s: s.answer(plan="no")),
        ({"when": {"care": "hospital"}}, lambda s: s.answer(harm="yes")),
    ],
)
def test_each_trigger_opens_when_its_event_happens_and_not_before(trigger: dict[str, Any], act: Any):
    story = Story.begun(with_duties(triggered=duty("100h", [trigger], [{"done": "plan_review"}])))
    assert bool(story.owed("triggered")) is (trigger == {"event": "episode_opened"})
    act(story)
    assert story.owed("triggered")


def decide(story: Story, decision: str, option: str, **fields: Any) -> Any:
    return story.do(c.RecordDecision, decision=decision, option=option, rationale="r", **fields)


def handover(story: Story, answer: type[Any], **fields: Any) -> None:
    story.do(c.OfferHandover, to="ben", reason="r")
    assert code(story.do(answer, by="ben", **fields)) is None


def waived_handover(story: Story) -> None:
    story.do(c.OfferHandover, to="ben", reason="r")
    assert code(story.do(c.Waive, obligation_id="handover_seen-1", reason="r", role="supervisor")) is None


@pytest.mark.parametrize(
    ("trigger", "act"),
    [
        ({"event": "risk_lowered"}, lambda s: lowered(s)),
        ({"when": {"risk": "none", "peak_risk": "low"}}, lambda s: lowered(s)),
        ({"event": "step_skipped"}, lambda s: skipped(s)),
        ({"event": "co_signature_needed"}, lambda s: skipped(s)),
        ({"when": {"step.calm": "skipped"}}, lambda s: skipped(s)),
        ({"when": {"obligation.again": "superseded"}}, lambda s: None),
    ],
)
def test_triggers_that_need_a_longer_story(trigger: dict[str, Any], act: Any):
    story = Story.begun(with_duties(triggered=duty("100h", [trigger], [{"done": "plan_review"}])))
    act(story)
    assert bool(story.owed("triggered")) is ("obligation.again" not in str(trigger))


def lowered(story: Story) -> None:
    story.answer(pain=9)
    story.do(c.CompleteStep, step="reassess", facts={"plan": "no", "pain": 1})
    assert not story.owed("triggered")
    assert code(story.do(c.LowerRisk, level="none", reason="r")) is None


def skipped(story: Story) -> None:
    story.in_follow_up()
    story.do(c.GoBack, to="coping", reason="r")
    assert not story.owed("triggered")
    assert code(story.do(c.SkipStep, step="calm", reason="r")) is None


def test_a_decision_opens_only_for_its_options(story: Story):
    decide(story, "report", "no")
    story.do(c.CoSign, subject="report", by="sue", role="supervisor")
    assert not story.owed("written_report")


def test_a_decision_that_needs_a_signature_opens_nothing_before_it_is_signed(story: Story):
    decide(story, "report", "yes")
    assert not story.owed("written_report")
    story.do(c.CoSign, subject="report", by="sue", role="supervisor")
    assert story.owed("written_report")


def test_an_obligation_opens_at_most_once_a_macro_step():
    opens = [{"event": "risk_raised"}, {"entered": "emergency_response"}, {"when": {"risk": "imminent"}}]
    story = Story.begun(with_duties(once=duty("1h", opens, [{"done": "reassess"}])))
    story.answer(harm="yes")
    assert [owed.obligation_id for owed in story.owed("once")] == ["once-1"]


def test_an_obligation_opens_no_more_often_than_its_limit(story: Story):
    for _ in range(4):
        story.contact("no_answer")
    opened = [event for event in story.events() if isinstance(event, e.ObligationOpened)]
    assert [event.obligation_id for event in opened if event.obligation == "try_client"] == [
        "try_client-1",
        "try_client-2",
    ]


# Due


@pytest.mark.parametrize(
    ("facts", "due"),
    [({}, "72h"), ({"plan": "refused"}, "72h"), ({"q1": 3, "q2": 3}, "24h")],
)
def test_a_due_time_by_a_table(facts: dict[str, Any], due: str):
    story = Story.begun()
    if facts:
        story.answer(**facts)
    story.in_follow_up()
    assert story.due("first_contact") == span(due)


def test_the_peak_decides_and_not_what_was_lowered_since(story: Story):
    story.do(c.DeclareEmergency)
    story.do(c.Advance)
    assert story.due("first_contact") == span("12h")


def test_a_value_that_a_due_table_forgot_falls_to_its_shortest_time():
    forgetful = {"by": "means", "values": {"some": "5h", "none": "3h", "ready": "4h"}}
    story = Story.begun(with_duties(quick=duty(forgetful, [{"reached": "client"}], [{"done": "reassess"}])))
    story.contact()
    assert story.due("quick") == span("3h")
    story.do(c.CompleteStep, step="reassess")
    story.answer(means="ready")
    story.contact()
    assert story.due("quick") == span("4h")


@pytest.mark.parametrize(
    ("call_at", "due"),
    [
        (None, timedelta(hours=8)),
        (timedelta(hours=2), timedelta(hours=2, minutes=15)),
        (timedelta(hours=7, minutes=50), timedelta(hours=8)),
        (timedelta(hours=30), timedelta(hours=8)),
        (timedelta(hours=-3), timedelta(0)),
    ],
)
def test_a_due_time_from_an_agreed_moment_has_a_ceiling(call_at: timedelta | None, due: timedelta):
    story = Story.begun(protocol(initial="coping"))
    if call_at is not None:
        story.answer(call_at=(story.now + call_at).isoformat())
    receipt = story.do(c.CompleteStep, step="calm")
    opened = next(event for event in of(receipt, e.ObligationOpened) if event.obligation == "call_back")
    assert opened.due_at - story.now == due


def test_a_moment_without_plus_is_due_then():
    due = {"moment": "call_at", "ceiling": "8h"}
    story = Story.begun(with_duties(quick=duty(due, [{"reached": "client"}], [{"done": "reassess"}])))
    story.answer(call_at=(story.now + timedelta(hours=1)).isoformat())
    story.contact()
    assert story.due("quick") == span("1h")


def test_a_moment_that_was_refused_falls_to_the_ceiling():
    refusable = {**FACTS["call_at"], "may_refuse": True}
    story = Story.begun(protocol(initial="coping", facts={**FACTS, "call_at": refusable}))
    story.answer(call_at="refused")
    story.do(c.CompleteStep, step="calm")
    assert story.due("call_back") == span("8h")


def test_a_moment_at_the_end_of_time_falls_to_the_ceiling():
    story = Story.begun(protocol(initial="coping"))
    story.answer(call_at="9999-12-31T23:59:59Z")
    story.do(c.CompleteStep, step="calm")
    assert story.due("call_back") == span("8h")


def test_calendar_and_working_days_run_on_local_days():
    story = Story.begun(now=datetime(2026, 11, 25, 23, 0, tzinfo=UTC))
    decide(story, "report", "yes")
    story.do(c.CoSign, subject="report", by="sue", role="supervisor")
    assert story.owed("written_report")[0].due_at == datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
    story.do(c.CompleteStep, step="start", facts={"address": "x"})
    story.do(c.CompleteStep, step="screening", facts={"plan": "no"})
    assert story.owed("same_day")[0].due_at == datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def test_a_late_entry_is_due_from_when_it_happened(story: Story):
    story.later("10m").do(c.RecordFacts, facts={"harm": "yes"}, ago="4m")
    assert story.due("dispatch") == span("1m")
