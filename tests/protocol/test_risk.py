"""The engine may raise a level by itself; only a documented re-assessment lowers it."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import commands as c
from protocol import events as e
from tests.protocol.specs import RISK, P, protocol
from tests.protocol.story import Story, code, kinds


@pytest.fixture
def story() -> Story:
    return Story.begun()


@pytest.mark.parametrize(
    ("facts", "level", "because", "rule"),
    [
        ({"pain": 8}, "low", "p", 1),
        ({"plan": "refused"}, "moderate", "unfinished", 0),
        ({"q1": 1, "q2": 3}, "high", "sum", 2),
        ({"plan": "yes", "intent": "no"}, "high", "plan", 3),
        ({"harm": "yes"}, "imminent", "harm", 5),
        ({"plan": "yes", "intent": "yes", "pain": 10}, "imminent", "intent", 4),
    ],
)
def test_the_highest_rule_that_holds_raises_the_level(
    story: Story, facts: dict[str, Any], level: str, because: str, rule: int
):
    receipt = story.answer(**facts)
    (raised,) = [event for event in receipt.events if isinstance(event, e.RiskRaised)]
    assert raised == e.RiskRaised(level, "none", because, rule, story.now)
    assert (story.episode.risk, story.episode.peak_risk) == (level, level)
    assert story.episode.risk_changed.at == story.now


@pytest.mark.parametrize("facts", [{"pain": 7}, {"harm": "no"}, {"plan": "no"}, {"q1": 1, "q2": 2}])
def test_answers_below_every_rule_raise_nothing(story: Story, facts: dict[str, Any]):
    assert kinds(story.answer(**facts)) == ["FactsRecorded"]
    assert story.episode.risk == "none"


def test_a_refused_or_unfinished_screen_counts_as_positive(story: Story):
    story.answer(plan="yes", intent="refused")
    assert story.episode.risk == "high"
    other = Story.begun()
    other.answer(intent="no")
    assert other.episode.risk == "moderate"


def test_the_level_rises_and_never_falls_by_itself(story: Story):
    story.answer(plan="yes", intent="no")
    assert story.episode.risk == "high"
    receipt = story.answer(plan="no", pain=9)
    assert "RiskLowered" not in kinds(receipt)
    assert "RiskRaised" not in kinds(receipt)
    assert story.episode.risk == "high"
    story.answer(harm="yes")
    assert story.episode.risk == "imminent"


def test_the_emergency_level_enters_the_emergency_stage_by_itself(story: Story):
    receipt = story.answer(harm="yes")
    assert kinds(receipt)[:4] == ["FactsRecorded", "RiskRaised", "StageEntered", "ObligationOpened"]
    assert story.episode.stage == "emergency_response"
    entered = receipt.events[2]
    assert isinstance(entered, e.StageEntered)
    assert (entered.left, entered.reason) == ("assessment", "harm")


def test_below_the_emergency_level_the_stage_stays(story: Story):
    story.answer(plan="yes", intent="no")
    assert story.episode.stage == "assessment"


def test_a_protocol_may_open_the_emergency_earlier():
    story = Story.begun(protocol(emergency={"stage": "emergency_response", "at": "high", "script": ["Help."]}))
    story.answer(plan="yes", intent="no")
    assert story.episode.stage == "emergency_response"
    other = Story.begun(protocol(emergency={"stage": "emergency_response", "at": "high", "script": ["Help."]}))
    other.do(c.DeclareEmergency)
    assert other.episode.risk == "high"


def test_a_second_disclosure_at_the_highest_level_enters_the_emergency_again(story: Story):
    story.answer(harm="yes")
    story.do(c.Advance)
    assert story.episode.stage == "follow_up"
    receipt = story.answer(plan="yes", intent="yes")
    assert story.episode.stage == "emergency_response"
    assert "RiskRaised" not in kinds(receipt)
    entered = next(event for event in receipt.events if isinstance(event, e.StageEntered))
    assert entered.reason == "intent"


def test_lesser_news_at_the_highest_level_enters_nothing(story: Story):
    story.answer(harm="yes")
    story.do(c.Advance)
    story.answer(plan="yes", intent="no")
    assert story.episode.stage == "follow_up"


def reassessed(story: Story, **facts: Any) -> Story:
    assert code(story.do(c.CompleteStep, step="reassess", facts=facts)) is None
    return story


def test_a_documented_reassessment_lowers_the_level(story: Story):
    story.answer(plan="yes", intent="no")
    reassessed(story, plan="no")
    receipt = story.do(c.LowerRisk, level="low", reason="calm now")
    assert receipt.events == (e.RiskLowered("low", "high", "calm now", story.now),)
    assert (story.episode.risk, story.episode.peak_risk) == ("low", "high")


def test_without_a_reassessment_the_level_stays(story: Story):
    story.answer(plan="yes", intent="no")
    story.answer(plan="no")
    refusal = story.do(c.LowerRisk, level="low", reason="r").refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("reassessment_needed", "Finish the screen.")
    assert story.episode.risk == "high"


def test_a_reassessment_from_before_the_last_raise_does_not_count(story: Story):
    reassessed(story, plan="no")
    story.answer(plan="yes", intent="no")
    story.answer(plan="no")
    assert code(story.do(c.LowerRisk, level="low", reason="r")) == "reassessment_needed"


def test_new_evidence_for_the_level_makes_a_reassessment_stale(story: Story):
    story.answer(plan="yes", intent="no")
    reassessed(story, plan="no")
    receipt = story.answer(plan="yes")
    assert e.RiskConfirmed("high", "plan", 3, story.now) in receipt.events
    story.answer(plan="no")
    assert code(story.do(c.LowerRisk, level="low", reason="r")) == "reassessment_needed"
    reassessed(story, plan="no")
    assert code(story.do(c.LowerRisk, level="low", reason="r")) is None


def test_evidence_within_the_reassessment_makes_it_stale(story: Story):
    story.answer(plan="yes", intent="no")
    reassessed(story, plan="yes", intent="no")
    story.answer(plan="no")
    assert code(story.do(c.LowerRisk, level="low", reason="r")) == "reassessment_needed"


def test_evidence_for_a_lower_level_leaves_the_reassessment_as_it_is(story: Story):
    story.answer(plan="yes", intent="no")
    reassessed(story, plan="no")
    assert kinds(story.answer(pain=9)) == ["FactsRecorded"]
    assert code(story.do(c.LowerRisk, level="low", reason="r")) is None


def test_without_a_reassessment_there_is_nothing_to_make_stale(story: Story):
    story.answer(plan="yes", intent="no")
    assert kinds(story.answer(plan="yes", intent="no")) == ["FactsRecorded"]
    reassessed(story, plan="no")
    story.answer(plan="yes")
    assert kinds(story.answer(plan="yes")) == ["FactsRecorded"]


def test_a_second_disclosure_at_the_highest_level_makes_the_reassessment_stale_too(story: Story):
    story.answer(harm="yes")
    story.do(c.Advance)
    reassessed(story, plan="no", harm="no")
    receipt = story.answer(harm="yes")
    assert kinds(receipt)[1:3] == ["StageEntered", "RiskConfirmed"]
    story.answer(harm="no")
    assert code(story.do(c.LowerRisk, level="low", reason="r")) == "reassessment_needed"


def test_evidence_above_the_emergency_level_confirms_nothing_lower():
    story = Story.begun(protocol(emergency={"stage": "emergency_response", "at": "high", "script": ["Help."]}))
    story.answer(harm="yes")
    story.do(c.Advance)
    reassessed(story, plan="no", harm="no")
    assert "RiskConfirmed" not in kinds(story.answer(plan="yes", intent="no"))
    assert story.episode.stage == "emergency_response"


def test_evidence_in_a_refused_form_makes_the_reassessment_stale(story: Story):
    story.answer(plan="yes", intent="no")
    reassessed(story, plan="no")
    receipt = story.do(c.CompleteStep, step="extra", facts={"plan": "yes"})
    assert kinds(receipt) == ["FactsRecorded", "CommandRefused", "RiskConfirmed"]


def test_a_reassessment_that_happened_before_the_evidence_does_not_count(story: Story):
    story.later("2h").answer(plan="yes", intent="no")
    story.later("1m").do(c.CompleteStep, step="reassess", facts={"plan": "no"}, ago="1h")
    story.answer(plan="no")
    assert code(story.do(c.LowerRisk, level="low", reason="r")) == "reassessment_needed"


def test_what_lowering_requires_must_have_been_answered_since(story: Story):
    story.answer(plan="no")
    story.answer(pain=9)
    reassessed(story, pain=1)
    assert code(story.do(c.LowerRisk, level="none", reason="r")) == "reassessment_needed"
    story.do(c.RecordFacts, facts={"plan": "no"}, at=story.now)
    assert code(story.do(c.LowerRisk, level="none", reason="r")) is None


def test_what_lowering_requires_must_not_be_dated_back(story: Story):
    story.later("2h").answer(pain=9)
    reassessed(story, pain=1)
    story.later("1m").do(c.RecordFacts, facts={"plan": "no"}, ago="1h")
    assert code(story.do(c.LowerRisk, level="none", reason="r")) == "reassessment_needed"


def test_each_lowering_needs_a_reassessment_of_its_own(story: Story):
    story.answer(plan="yes", intent="no")
    reassessed(story, plan="no")
    assert code(story.do(c.LowerRisk, level="moderate", reason="r")) is None
    assert code(story.do(c.LowerRisk, level="low", reason="r")) == "reassessment_needed"


def test_a_skipped_reassessment_is_none():
    steps = {"reassess": {"title": "R", "roles": ["therapist"], "any_stage": True, "skip_cosigned_by": ["peer"]}}
    story = Story.begun(protocol(steps={**document_steps(), **steps}))
    story.answer(plan="yes", intent="no")
    story.answer(plan="no")
    story.do(c.SkipStep, step="reassess", reason="r")
    assert code(story.do(c.LowerRisk, level="low", reason="r")) == "reassessment_needed"


def document_steps() -> dict[str, Any]:
    from tests.protocol.specs import STEPS

    return STEPS


def test_what_lowering_requires_must_hold(story: Story):
    story.answer(pain=9)
    reassessed(story, pain=1)
    assert code(story.do(c.LowerRisk, level="none", reason="r")) == "reassessment_needed"
    story.answer(plan="no")
    assert code(story.do(c.LowerRisk, level="none", reason="r")) is None


def test_the_level_is_not_lowered_below_what_the_answers_say(story: Story):
    story.answer(plan="yes", intent="yes")
    reassessed(story, plan="yes", intent="no")
    refusal = story.do(c.LowerRisk, level="moderate", reason="r").refusal
    assert refusal is not None
    assert refusal.code == "below_floor"
    assert "at least high" in refusal.message
    assert code(story.do(c.LowerRisk, level="high", reason="r")) is None


def test_what_stands_in_the_way_is_said_first(story: Story):
    """With no re-assessment at all that is missing; after one, the answers that still mean the level."""
    story.answer(plan="yes", intent="no")
    assert code(story.do(c.LowerRisk, level="low", reason="r")) == "reassessment_needed"
    reassessed(story, plan="yes", intent="no")
    assert code(story.do(c.LowerRisk, level="low", reason="r")) == "below_floor"


def test_lowering_goes_downwards(story: Story):
    assert code(story.do(c.LowerRisk, level="none", reason="r")) == "not_lower"
    story.answer(pain=9)
    assert code(story.do(c.LowerRisk, level="low", reason="r")) == "not_lower"
    assert code(story.do(c.LowerRisk, level="high", reason="r")) == "not_lower"


def test_only_the_named_roles_lower_a_level(story: Story):
    story.answer(pain=9)
    reassessed(story, plan="no", pain=0)
    assert code(story.do(c.LowerRisk, level="none", reason="r", role="supervisor")) == "wrong_role"
    assert code(story.do(c.LowerRisk, level="none", reason="r")) is None


def test_the_peak_remembers_the_highest_level(story: Story):
    story.answer(plan="yes", intent="no")
    reassessed(story, plan="no")
    story.do(c.LowerRisk, level="none", reason="r")
    story.answer(pain=9)
    assert (story.episode.risk, story.episode.peak_risk) == ("low", "high")


def test_a_rule_that_holds_before_anything_was_said_raises_the_level_at_the_opening():
    rules = [
        {"level": "moderate", "when": {"plan": "yes", "if_unknown": "holds"}, "because": "not asked yet", "source": P},
        *RISK["rules"],
    ]
    story = Story.begun(protocol(risk={**RISK, "rules": rules}))
    assert story.episode.risk == "moderate"


def test_answers_that_come_with_the_opening_count():
    story = Story.begun(facts={"harm": "yes"})
    assert story.episode.risk == "imminent"
    assert story.episode.stage == "emergency_response"
