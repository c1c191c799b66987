"""Obligations: what ends them and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import commands as c
from protocol import events as e
from tests.protocol.specs import OBLIGATIONS, duty, protocol, with_duties
from tests.protocol.story import Story, code, kinds, span


@pytest.fixture
def story() -> Story:
    return Story.begun()


def of(receipt: Any, kind: type[Any]) -> list[Any]:
    return [event for event in receipt.events if isinstance(event, kind)]


def decide(story: Story, decision: str, option: str, **fields: Any) -> Any:
    return story.do(c.RecordDecision, decision=decision, option=option, rationale="r", **fields)


def test_a_live_contact_ends_a_contact_obligation(story: Story):
    story.in_follow_up()
    receipt = story.later("1h").contact()
    (met,) = of(receipt, e.ObligationMet)
    assert met == e.ObligationMet("first_contact-1", "first_contact", late=False, at=story.now)
    assert not story.owed("first_contact")
    assert story.episode.tallies["first_contact"].last == "met"


@pytest.mark.parametrize("opened_before", [True, False])
def test_evidence_counts_only_when_it_came_about_after_the_opening(opened_before: bool):
    story = Story.begun()
    if not opened_before:
        story.contact()
        story.in_follow_up()
    else:
        story.in_follow_up()
        story.later("1h").contact()
    assert bool(story.owed("first_contact")) is not opened_before


def test_a_contact_that_was_had_before_the_opening_and_written_down_after_ends_nothing(story: Story):
    story.later("1h").in_follow_up()
    story.later("10m").contact(ago="11m")
    assert story.owed("first_contact")
    story.contact(ago="10m")
    assert not story.owed("first_contact")


def test_being_late_counts_from_when_it_happened_and_not_from_when_it_was_written_down(story: Story):
    story.in_follow_up()
    story.later("73h").sweep()
    (met,) = of(story.contact(ago="90m"), e.ObligationMet)
    assert met.late is False
    assert met.at == story.now - span("90m")
    other = Story.begun().in_follow_up()
    (late,) = of(other.later("73h").contact(ago="30m"), e.ObligationMet)
    assert late.late is True
    assert other.episode.tallies["first_contact"].last == "met_late"


def test_the_very_moment_of_the_deadline_is_not_late(story: Story):
    story.in_follow_up()
    (met,) = of(story.later("72h").contact(), e.ObligationMet)
    assert met.late is False


def test_a_missed_deadline_stays_owed_until_the_thing_is_done(story: Story):
    story.later("2h")
    missed = next(event for event in story.sweep() if isinstance(event, e.DeadlineMissed))
    assert missed == e.DeadlineMissed("finish_assessment-1", "finish_assessment", story.now, story.now)
    assert story.owed("finish_assessment")[0].missed
    assert "DeadlineMissed" not in [event.kind for event in story.later("5h").sweep()]
    story.in_follow_up()
    assert not story.owed("finish_assessment")


def test_one_contact_ends_every_instance(story: Story):
    story.in_follow_up()
    story.later("72h").answer(pain=9)
    receipt = story.contact()
    assert [event.obligation_id for event in of(receipt, e.ObligationMet)] == ["first_contact-1", "first_contact-2"]


def test_every_part_of_the_evidence_must_come_about(story: Story):
    decide(story, "report", "yes")
    story.do(c.CoSign, subject="report", by="sue", role="supervisor")
    story.in_follow_up()
    story.contact()
    assert story.owed("written_report")
    story.later("1h").do(c.CompleteStep, step="plan_review", facts={"safe": "yes"})
    assert not story.owed("written_report")


def test_the_thing_is_done_when_its_last_part_is(story: Story):
    decide(story, "report", "yes")
    story.do(c.CoSign, subject="report", by="sue", role="supervisor")
    story.in_follow_up()
    story.later("1h").do(c.CompleteStep, step="plan_review", facts={"safe": "yes"})
    done = story.now
    story.later("1h")
    (met,) = [event for event in of(story.contact(ago="90m"), e.ObligationMet) if event.obligation == "written_report"]
    assert met.at == done


def test_evidence_with_a_condition_counts_only_while_it_holds():
    story = Story.begun(protocol(initial="coping"))
    story.do(c.CompleteStep, step="calm")
    story.contact()
    assert story.owed("call_back")
    story.answer(safe="yes")
    assert not story.owed("call_back")


def test_a_condition_alone_may_be_the_evidence(story: Story):
    story.answer(harm="yes")
    story.answer(handed="no")
    assert story.owed("dispatch")
    (met,) = of(story.later("1m").answer(handed="yes"), e.ObligationMet)
    assert (met.obligation, met.at) == ("dispatch", story.now)


def test_a_condition_that_held_before_is_met_no_earlier_than_the_opening(story: Story):
    story.later("1h").answer(harm="yes")
    opened = story.now
    (met,) = of(story.later("3m").do(c.RecordFacts, facts={"handed": "yes"}, ago="30m"), e.ObligationMet)
    assert met.at == opened


def test_attempts_end_a_duty_to_try(story: Story):
    story.contact("no_answer")
    assert story.owed("try_client")
    story.contact(party="family", exception="duty to warn")
    assert story.owed("try_client")
    assert [event.obligation_id for event in of(story.contact("voicemail"), e.ObligationMet)] == ["try_client-1"]
    assert [event.obligation_id for event in of(story.contact(), e.ObligationMet)] == ["try_client-2"]


def test_a_duty_to_try_does_not_end_by_the_attempt_that_opened_it(story: Story):
    receipt = story.contact("no_answer")
    assert kinds(receipt) == ["ContactAttempted", "ObligationOpened"]


def test_only_the_named_options_of_a_decision_count(story: Story):
    story.answer(plan="yes", intent="no")
    decide(story, "step_up", "hospital")
    assert story.owed("confirm_bed")
    decide(story, "plain", "left")
    assert story.owed("confirm_bed")
    decide(story, "plain", "right")
    assert not story.owed("confirm_bed")


def test_an_unsigned_decision_ends_nothing(story: Story):
    story.answer(plan="yes", intent="no")
    decide(story, "step_up", "stay")
    assert story.owed("decide_step_up")
    story.later("1h").do(c.CoSign, subject="step_up", by="sue", role="supervisor")
    assert not story.owed("decide_step_up")


def test_an_unsigned_decision_is_no_part_of_the_evidence_either():
    both = duty("9h", [{"event": "episode_opened"}], [{"decided": "report", "done": "reassess"}])
    story = Story.begun(with_duties(both=both))
    decide(story, "report", "no")
    story.do(c.CompleteStep, step="reassess")
    assert story.owed("both")
    story.do(c.CoSign, subject="report", by="sue", role="supervisor")
    assert not story.owed("both")


def test_a_skipped_step_is_no_evidence():
    spec = with_duties(calmed=duty("9h", [{"event": "episode_opened"}], [{"done": "calm"}]))
    story = Story.begun(spec.model_copy(update={"initial": "coping"}))
    story.do(c.SkipStep, step="calm", reason="r")
    assert story.owed("calmed")
    story.do(c.CompleteStep, step="calm")
    assert not story.owed("calmed")


def test_answers_are_refreshed_when_all_of_them_were_given_anew(story: Story):
    story.answer(plan="no", safe="yes")
    story.contact(party="family", exception="x")
    assert story.owed("rescreen")
    story.answer(plan="no")
    assert story.owed("rescreen")
    story.answer(safe="yes")
    assert not story.owed("rescreen")


def test_a_refreshed_instrument_means_the_items_it_asks_now(story: Story):
    story.contact(party="family", exception="x")
    story.answer(plan="yes", safe="yes")
    assert story.owed("rescreen")
    story.answer(intent="no")
    assert not story.owed("rescreen")


def test_an_acknowledgement_by_the_named_role_ends_a_duty_to_inform(story: Story):
    story.in_follow_up()
    story.later("72h").sweep()
    (owed,) = story.owed("tell_supervisor")
    story.do(c.Acknowledge, obligation_id=owed.obligation_id)
    assert story.owed("tell_supervisor")
    story.do(c.Acknowledge, obligation_id=owed.obligation_id, by="sue", role="supervisor")
    assert not story.owed("tell_supervisor")


def test_acknowledging_one_duty_ends_no_other(story: Story):
    story.in_follow_up()
    story.later("72h").sweep()
    story.do(c.Acknowledge, obligation_id="first_contact-1", by="sue", role="supervisor")
    assert story.owed("tell_supervisor")


def test_leaving_a_stage_for_an_emergency_ends_what_leaving_ends(story: Story):
    assert [event.obligation for event in of(story.do(c.DeclareEmergency), e.ObligationMet)] == ["finish_assessment"]


# Waiving


def test_a_waiver_ends_an_obligation_with_its_reason(story: Story):
    story.in_follow_up()
    receipt = story.do(c.Waive, obligation_id="first_contact-1", reason="moved away", role="supervisor")
    assert receipt.events[0] == e.ObligationWaived("first_contact-1", "first_contact", "moved away", story.now)
    assert not story.owed("first_contact")
    assert story.episode.tallies["first_contact"].last == "waived"
    assert story.owed("after_waiver")


def test_only_the_named_roles_waive(story: Story):
    story.in_follow_up()
    assert code(story.do(c.Waive, obligation_id="first_contact-1", reason="r")) == "wrong_role"


def test_what_nobody_may_waive_stays(story: Story):
    assert code(story.do(c.Waive, obligation_id="finish_assessment-1", reason="r", role="supervisor")) == "not_waivable"


def test_a_waiver_needs_its_condition(story: Story):
    story.answer(plan="refused")
    story.in_follow_up()
    refusal = story.do(c.Waive, obligation_id="first_contact-1", reason="r", role="supervisor").refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("not_waivable", "Its protocol names a condition: re-assess first.")


def test_a_waiver_names_something_open(story: Story):
    assert code(story.do(c.Waive, obligation_id="dispatch-1", reason="r")) == "unknown_obligation"


def test_the_duties_of_the_compact_protocol_are_all_told_about():
    """So that no word of the language goes untested here."""
    text = "".join(map(str, OBLIGATIONS.values()))
    for word in ("reached", "attempted", "done", "decided", "refreshed", "left", "acknowledged", "when", "not_reached"):
        assert f"'{word}'" in text


@pytest.mark.parametrize(
    "missing",
    [
        {"reached": "family"},
        {"attempted": "family"},
        {"done": "calm"},
        {"decided": "plain"},
        {"left": "coping"},
        {"acknowledged": "peer"},
        {"refreshed": ["safe"]},
        {"when": {"plain": "left", "if_unknown": "fails"}},
    ],
    ids=str,
)
def test_one_way_of_several_is_enough(missing: dict[str, Any]):
    ways = [{"done": "reassess", **missing}, missing, {"done": "reassess"}]
    story = Story.begun(with_duties(either=duty("9h", [{"event": "episode_opened"}], ways[1:])))
    story.do(c.CompleteStep, step="reassess")
    assert not story.owed("either")
    if "done" not in missing:
        both = Story.begun(with_duties(either=duty("9h", [{"event": "episode_opened"}], ways[:1])))
        both.do(c.CompleteStep, step="reassess")
        assert both.owed("either")
