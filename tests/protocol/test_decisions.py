"""Decisions are recorded by a person, with the advice and the facts as seen, and count once they are signed."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import commands as c
from protocol import events as e
from protocol.effects import RequestReferral
from tests.protocol.specs import DECISIONS, OBLIGATIONS, protocol
from tests.protocol.story import Story, code, kinds


@pytest.fixture
def story() -> Story:
    return Story.begun()


def decided(story: Story, decision: str, option: str, **fields: Any) -> Any:
    return story.do(c.RecordDecision, decision=decision, option=option, rationale="because", **fields)


def sign(story: Story, subject: str, by: str = "sue", role: str = "supervisor", **fields: Any) -> Any:
    return story.do(c.CoSign, subject=subject, by=by, role=role, **fields)


def test_a_decision_keeps_advice_criteria_and_the_facts_as_seen(story: Story):
    story.answer(means="ready", signs=("shaking", "fever"), pain=5)
    receipt = decided(story, "step_up", "more")
    assert receipt.events[0] == e.DecisionRecorded(
        decision="step_up",
        option="more",
        rationale="because",
        advised="more",
        criteria="House criteria 1",
        seen={"means": "ready", "signs": "shaking, fever", "pain": "5"},
        by="mara",
        needs_cosignature=False,
        at=story.now,
    )
    record = story.episode.decisions["step_up"]
    assert (record.option, record.by, record.cosigned) == ("more", "mara", True)


def test_what_was_not_known_is_seen_as_unknown(story: Story):
    (event,) = decided(story, "step_up", "hospital").events[:1]
    assert event.seen == {"means": "unknown", "signs": "unknown", "pain": "unknown"}
    assert event.advised == "more"


def test_without_a_table_there_is_no_advice(story: Story):
    assert decided(story, "plain", "left").events[0].advised is None


@pytest.mark.parametrize(("option", "needs"), [("stay", True), ("more", False), ("hospital", False)])
def test_less_than_the_advice_needs_a_second_signature(story: Story, option: str, needs: bool):
    story.answer(means="ready")
    receipt = decided(story, "step_up", option)
    assert receipt.events[0].needs_cosignature is needs
    assert story.episode.decisions["step_up"].cosigned is not needs
    assert bool(story.owed("sign")) is needs


def test_some_decisions_always_need_a_second_signature(story: Story):
    assert decided(story, "report", "no").events[0].needs_cosignature is True
    assert decided(story, "plain", "left").events[0].needs_cosignature is False


def test_a_decision_that_always_needs_a_signature_needs_it_above_the_advice_too():
    always = {**DECISIONS["step_up"], "cosign": "always"}
    story = Story.begun(protocol(decisions={**DECISIONS, "step_up": always}))
    assert decided(story, "step_up", "hospital").events[0].needs_cosignature is True


def test_where_the_advice_is_unknown_a_second_signature_is_needed():
    silent = {**DECISIONS["step_up"], "advice": None}
    story = Story.begun(protocol(decisions={**DECISIONS, "step_up": silent}))
    assert decided(story, "step_up", "hospital").events[0].needs_cosignature is True


def test_a_referral_is_asked_for_once_the_decision_counts(story: Story):
    receipt = decided(story, "step_up", "hospital")
    revision = story.episode.revision
    asked = next(event for event in receipt.events if isinstance(event, e.ReferralRequested))
    assert (asked.decision, asked.option, asked.service) == ("step_up", "hospital", "bed finder")
    (effect,) = [one for one in story.engine.take_effects() if isinstance(one, RequestReferral)]
    assert effect == RequestReferral(
        asked.referral_id, "ep-1", "step_up", "hospital", "bed finder", story.now, drill=False
    )
    assert revision == story.episode.revision
    assert "ReferralRequested" not in kinds(decided(story, "step_up", "more"))


def test_each_referral_has_a_name_of_its_own(story: Story):
    first, second = (decided(story, "step_up", "hospital") for _ in range(2))
    names = {ev.referral_id for receipt in (first, second) for ev in receipt.events if hasattr(ev, "referral_id")}
    assert len(names) == 2


def test_a_referral_waits_for_the_second_signature(story: Story):
    assert "ReferralRequested" not in kinds(decided(story, "report", "yes"))
    assert "ReferralRequested" in kinds(sign(story, "report"))
    assert [effect.kind for effect in story.engine.take_effects()] == ["RequestReferral"]


def test_a_second_person_signs_a_decision(story: Story):
    decided(story, "report", "no")
    receipt = story.later("1h") and sign(story, "report", note="seen")
    assert receipt.events[0] == e.CoSigned("report", 3, "seen", story.now)
    record = story.episode.decisions["report"]
    assert (record.cosigned, record.option, record.by, record.at) == (True, "no", "mara", story.now)
    assert record.sequence == 5
    assert not story.owed("sign")


def test_a_second_person_signs_a_skip():
    story = Story.begun(protocol(initial="coping"))
    story.do(c.SkipStep, step="calm", reason="r")
    skipped_at = story.episode.steps["calm"].at
    assert "ObligationMet" in kinds(story.later("5m") and sign(story, "calm"))
    record = story.episode.steps["calm"]
    assert (record.cosigned, record.status, record.at, record.by) == (True, "skipped", skipped_at, "mara")


def test_one_signature_of_two_leaves_the_duty_open(story: Story):
    decided(story, "report", "no")
    story.answer(means="ready")
    decided(story, "step_up", "stay")
    sign(story, "report")
    assert story.owed("sign")
    sign(story, "step_up")
    assert not story.owed("sign")


def test_nobody_co_signs_their_own_act(story: Story):
    decided(story, "report", "no")
    assert code(sign(story, "report", by="mara", role="supervisor")) == "cosign_self"
    assert not story.episode.decisions["report"].cosigned


def test_only_the_named_roles_co_sign(story: Story):
    decided(story, "report", "no")
    assert code(sign(story, "report", by="pat", role="peer")) == "wrong_role"
    assert code(sign(story, "report", by="tim", role="therapist")) is None


def test_there_must_be_something_to_sign(story: Story):
    assert code(sign(story, "report")) == "nothing_to_cosign"
    decided(story, "report", "no")
    sign(story, "report")
    assert code(sign(story, "report")) == "nothing_to_cosign"
    assert code(sign(story, "calm")) == "nothing_to_cosign"


def test_the_latest_record_counts(story: Story):
    decided(story, "plain", "left")
    decided(story, "plain", "right")
    assert story.episode.decisions["plain"].option == "right"
    assert story.episode.decisions["plain"].sequence == story.episode.revision


def test_an_unknown_decision_or_option_is_refused(story: Story):
    refusal = decided(story, "lunch", "soup").refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("unknown_decision", "Use one of: step_up, report, plain.")
    refusal = decided(story, "plain", "up").refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("unknown_option", "Choose one of: left, right.")


def test_only_the_named_roles_decide(story: Story):
    assert code(decided(story, "step_up", "more", role="supervisor")) == "wrong_role"
    assert code(decided(story, "plain", "left", role="supervisor")) is None


def test_a_clinical_rule_refuses_a_decision(story: Story):
    story.answer(safe="no")
    assert code(decided(story, "plain", "right")) == "clinical_refusal"
    assert "plain" not in story.episode.decisions
    assert code(decided(story, "plain", "left")) is None


def test_a_clinical_rule_may_name_options():
    rule = {"act": {"decided": "plain", "options": ["left"]}, "because": "No.", "remedy": "Go right."}
    story = Story.begun(protocol(refusals={"no_left": rule}))
    assert code(decided(story, "plain", "left")) == "clinical_refusal"
    assert code(decided(story, "plain", "right")) is None


def test_a_signature_goes_to_what_waits_for_one_where_a_step_has_the_same_name():
    story = Story.begun(protocol(decisions={**DECISIONS, "start": DECISIONS["report"]}))
    story.do(c.CompleteStep, step="start", facts={"address": "x"})
    story.do(c.RecordDecision, decision="start", option="no", rationale="r")
    assert code(story.do(c.CoSign, subject="start", by="sue", role="supervisor")) is None
    assert story.episode.decisions["start"].cosigned
    assert story.episode.steps["start"].sequence < story.episode.decisions["start"].sequence


def test_a_protocol_without_decisions_says_so():
    kept = {name: OBLIGATIONS[name] for name in ("finish_assessment", "dispatch")}
    story = Story.begun(protocol(decisions={}, refusals={}, obligations=kept))
    refusal = story.do(c.RecordDecision, decision="x", option="y", rationale="r").refusal
    assert refusal is not None
    assert refusal.remedy == "Use one of: none."
