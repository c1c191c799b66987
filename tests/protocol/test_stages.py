"""Steps and stages: what may be done where, by whom, in which order; how a stage is left; how help is one act away."""

from __future__ import annotations

import pytest

from protocol import commands as c
from protocol import events as e
from protocol.machine import CLOSE
from tests.protocol.specs import STAGES, STEPS, compact, protocol
from tests.protocol.story import Story, code, kinds


@pytest.fixture
def story() -> Story:
    return Story.begun()


def test_a_step_with_its_form_answered_is_done(story: Story):
    receipt = story.do(c.CompleteStep, step="start", facts={"address": "12 Elm"}, note="quiet")
    assert kinds(receipt) == ["FactsRecorded", "StepCompleted"]
    assert receipt.events[1] == e.StepCompleted("start", "quiet", story.now)
    record = story.episode.steps["start"]
    assert (record.status, record.at, record.sequence) == ("done", story.now, story.episode.revision)


def test_a_form_with_missing_answers_is_refused_with_the_list(story: Story):
    receipt = story.do(c.CompleteStep, step="start")
    assert code(receipt) == "missing_facts"
    assert receipt.refusal is not None
    assert receipt.refusal.missing == ("address",)
    assert "1 answers of start" in receipt.refusal.message
    assert "start" not in story.episode.steps


def test_an_answer_given_since_the_stage_was_entered_need_not_be_repeated(story: Story):
    story.answer(address="12 Elm")
    assert kinds(story.do(c.CompleteStep, step="start")) == ["StepCompleted"]


def test_an_answer_from_before_the_stage_was_entered_must_be_given_anew(story: Story):
    story.answer(safe="yes")
    story.in_follow_up()
    assert code(story.do(c.CompleteStep, step="plan_review")) == "missing_facts"
    assert code(story.do(c.CompleteStep, step="plan_review", facts={"safe": "yes"})) is None


def test_what_a_step_sets_by_itself_need_not_be_answered():
    form = {**STEPS["calm"], "form": ["told"]}
    story = Story.begun(protocol(steps={**STEPS, "calm": form}, initial="coping"))
    assert kinds(story.do(c.CompleteStep, step="calm")) == ["FactsRecorded", "StepCompleted", "ObligationOpened"]
    assert story.episode.facts["told"].value == "yes"


def test_what_is_answered_outweighs_what_a_step_sets():
    story = Story.begun(protocol(initial="coping"))
    story.do(c.CompleteStep, step="calm", facts={"told": "no"})
    assert story.episode.facts["told"].value == "no"


def test_an_unfinished_instrument_does_not_hold_up_its_step(story: Story):
    story.do(c.CompleteStep, step="start", facts={"address": "12 Elm"})
    assert code(story.do(c.CompleteStep, step="screening")) is None


def test_an_unknown_step_is_refused_with_what_is_still_to_do(story: Story):
    refusal = story.do(c.CompleteStep, step="nonsense").refusal
    assert refusal is not None
    assert refusal.code == "unknown_step"
    assert refusal.remedy == "Steps still to do here: start, screening."
    assert code(story.do(c.SkipStep, step="nonsense", reason="r")) == "unknown_step"


def test_a_step_of_another_stage_is_refused(story: Story):
    assert code(story.do(c.CompleteStep, step="calm")) == "wrong_stage"
    assert code(story.do(c.SkipStep, step="calm", reason="r")) == "wrong_stage"


def test_an_any_stage_step_may_be_done_everywhere(story: Story):
    assert code(story.do(c.CompleteStep, step="reassess")) is None


def test_a_step_belongs_to_its_stage_only_while_its_condition_holds(story: Story):
    assert code(story.do(c.CompleteStep, step="extra")) == "wrong_stage"
    story.answer(pain=9)
    assert code(story.do(c.CompleteStep, step="extra")) is None


def test_a_role_that_may_not_do_a_step_is_refused(story: Story):
    refusal = story.do(c.CompleteStep, step="start", facts={"address": "x"}, role="peer").refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("wrong_role", "Ask a therapist to do it.")


def test_what_comes_before_must_be_done_before(story: Story):
    refusal = story.do(c.CompleteStep, step="screening").refusal
    assert refusal is not None
    assert (refusal.code, refusal.missing) == ("step_order", ("start",))


WAITING = {"title": "Waiting", "roles": ["therapist"], "after": ["extra"]}


def waiting(story: Story) -> str | None:
    return code(story.do(c.CompleteStep, step="waiting"))


def test_a_step_waits_only_for_what_belongs_to_the_episode_now():
    """`extra` belongs to the assessment while the pain is strong: a step after it is not held up without it."""
    stages = {**STAGES, "assessment": {**STAGES["assessment"], "steps": [*STAGES["assessment"]["steps"]]}}
    stages["assessment"]["steps"].append({"step": "waiting", "required": False})
    stages["coping"] = {**STAGES["coping"], "steps": [{"step": "calm"}]}
    story = Story.begun(protocol(steps={**STEPS, "waiting": WAITING}, stages=stages))
    assert waiting(story) is None
    story.answer(pain=9)
    assert waiting(story) == "step_order"
    story.do(c.CompleteStep, step="extra")
    assert waiting(story) is None


def test_a_step_waits_for_one_that_any_other_stage_asks_for():
    stages = {**STAGES, "assessment": {**STAGES["assessment"], "steps": [{"step": "waiting"}]}}
    story = Story.begun(protocol(steps={**STEPS, "waiting": WAITING}, stages=stages))
    assert waiting(story) == "step_order"


@pytest.mark.parametrize(("any_stage", "refused"), [(True, "step_order"), (False, None)])
def test_a_step_that_stands_in_no_stage_is_waited_for_only_if_it_can_be_done(any_stage: bool, refused: str | None):
    steps = {**STEPS, "waiting": WAITING, "extra": {**STEPS["extra"], "any_stage": any_stage}}
    bare = {**STAGES, "assessment": {**STAGES["assessment"], "steps": [{"step": "waiting"}]}}
    bare["coping"] = {**STAGES["coping"], "steps": [{"step": "calm"}]}
    assert waiting(Story.begun(protocol(steps=steps, stages=bare))) == refused


def test_a_stage_is_left_when_its_required_steps_are_done(story: Story):
    refusal = story.do(c.Advance).refusal
    assert refusal is not None
    assert (refusal.code, refusal.missing) == ("exit_not_met", ("start", "screening"))
    story.do(c.CompleteStep, step="start", facts={"address": "x"})
    refusal = story.do(c.Advance).refusal
    assert refusal is not None
    assert refusal.missing == ("screening",)
    story.do(c.CompleteStep, step="screening", facts={"plan": "no"})
    receipt = story.do(c.Advance)
    assert receipt.events[0] == e.StageEntered("coping", "assessment", "", story.now)
    assert story.episode.stage == "coping"
    assert story.episode.stage_entered.at == story.now
    assert story.episode.left["assessment"].at == story.now


def test_a_conditional_step_is_required_only_while_its_condition_holds(story: Story):
    story.do(c.CompleteStep, step="start", facts={"address": "x", "pain": 9})
    story.do(c.CompleteStep, step="screening", facts={"plan": "no"})
    assert code(story.do(c.Advance)) == "exit_not_met"
    story.answer(pain=1)
    assert code(story.do(c.Advance)) is None


def test_a_crisis_type_adds_its_steps_to_a_stage(story: Story):
    assert code(story.do(c.CompleteStep, step="relapse_talk")) == "wrong_stage"
    story.do(c.CompleteStep, step="start", facts={"address": "x"})
    story.do(c.CompleteStep, step="screening", facts={"plan": "no"})
    assert kinds(story.do(c.RecordCrisisType, crisis_type="relapse")) == ["CrisisTypeRecorded"]
    assert story.episode.crisis_types == ("relapse",)
    refusal = story.do(c.Advance).refusal
    assert refusal is not None
    assert refusal.missing == ("relapse_talk",)
    story.do(c.CompleteStep, step="relapse_talk")
    assert code(story.do(c.Advance)) is None


def test_a_crisis_type_counts_once_and_must_be_declared(story: Story):
    story.do(c.RecordCrisisType, crisis_type="relapse")
    story.do(c.RecordCrisisType, crisis_type="relapse")
    assert story.episode.crisis_types == ("relapse",)
    refusal = story.do(c.RecordCrisisType, crisis_type="boredom").refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("unknown_crisis_type", "Use one of: relapse.")


def test_the_exit_condition_of_a_stage_is_asked_for_in_its_words():
    story = Story.begun(protocol(initial="coping"))
    story.do(c.CompleteStep, step="calm", facts={"told": "no"})
    refusal = story.do(c.Advance).refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy, refusal.missing) == ("exit_not_met", "Tell the client.", ())
    story.answer(told="yes")
    assert code(story.do(c.Advance)) is None


def test_an_optional_step_may_be_left_open():
    story = Story.begun(protocol(initial="coping"))
    story.do(c.CompleteStep, step="calm")
    assert code(story.do(c.Advance)) is None


def test_one_may_choose_among_the_ways_on(story: Story):
    story.do(c.CompleteStep, step="start", facts={"address": "x"})
    story.do(c.CompleteStep, step="screening", facts={"plan": "no"})
    refusal = story.do(c.Advance, to="closed").refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("no_such_stage", "Ways on: coping, follow_up.")
    story.do(c.Advance, to="follow_up")
    assert story.episode.stage == "follow_up"
    refusal = story.do(c.Advance).refusal
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("no_such_stage", "Ways on: none.")


def test_one_goes_back_to_an_earlier_stage_with_a_reason(story: Story):
    story.in_follow_up()
    receipt = story.do(c.GoBack, to="coping", reason="more to do")
    assert receipt.events[0] == e.StageEntered("coping", "follow_up", "more to do", story.now)
    assert code(story.do(c.GoBack, to="assessment", reason="r")) is None


@pytest.mark.parametrize("to", ["coping", "assessment", "closed", "emergency_response", "nowhere"])
def test_one_does_not_go_back_to_where_one_has_not_been(story: Story, to: str):
    assert code(story.do(c.GoBack, to=to, reason="r")) == "no_such_stage"


def test_one_may_go_back_to_a_later_stage_that_was_left_already(story: Story):
    story.in_follow_up()
    story.do(c.GoBack, to="assessment", reason="r")
    assert code(story.do(c.GoBack, to="follow_up", reason="r")) is None


def test_a_skip_takes_effect_at_once_and_waits_for_a_signature():
    story = Story.begun(protocol(initial="coping"))
    receipt = story.do(c.SkipStep, step="calm", reason="asleep")
    assert receipt.events[0] == e.StepSkipped("calm", "asleep", "mara", story.now)
    record = story.episode.steps["calm"]
    assert (record.status, record.cosigned, record.by) == ("skipped", False, "mara")
    assert story.owed("sign")
    story.answer(told="yes")
    assert code(story.do(c.Advance)) is None


def test_a_step_that_nobody_may_co_sign_is_not_skipped(story: Story):
    assert code(story.do(c.SkipStep, step="start", reason="r")) == "cannot_skip"


def test_a_step_is_skipped_only_by_who_may_do_it():
    story = Story.begun(protocol(initial="coping"))
    assert code(story.do(c.SkipStep, step="calm", reason="r", role="peer")) == "wrong_role"


def test_a_done_step_replaces_its_skip():
    story = Story.begun(protocol(initial="coping"))
    story.do(c.SkipStep, step="calm", reason="r")
    story.do(c.CompleteStep, step="calm")
    assert story.episode.steps["calm"].status == "done"
    assert not story.owed("sign")


def test_a_clinical_rule_refuses_to_enter_a_stage(story: Story):
    story.do(c.CompleteStep, step="start", facts={"address": "x", "means": "ready"})
    story.do(c.CompleteStep, step="screening", facts={"plan": "no"})
    refusal = story.do(c.Advance, to="coping").refusal
    assert refusal is not None
    assert (refusal.code, refusal.message, refusal.remedy) == (
        "clinical_refusal",
        "Means are ready.",
        "Secure the means.",
    )
    assert code(story.do(c.Advance, to="follow_up")) is None
    assert code(story.do(c.GoBack, to="coping", reason="r")) == "clinical_refusal"
    assert code(story.do(c.GoBack, to="assessment", reason="r")) is None


def test_a_clinical_rule_refuses_to_finish_a_step_seeing_the_answers_that_came_with_it(story: Story):
    story.in_follow_up()
    assert code(story.do(c.CompleteStep, step="plan_review", facts={"safe": "no"})) == "clinical_refusal"
    assert "plan_review" not in story.episode.steps
    assert "safe" not in story.episode.facts


@pytest.mark.parametrize("stage", ["assessment", "coping", "follow_up"])
@pytest.mark.parametrize("role", ["therapist", "supervisor", "peer"])
def test_from_every_stage_every_role_declares_an_emergency_with_nothing_filled_in(stage: str, role: str):
    story = Story.begun(protocol(initial=stage))
    receipt = story.do(c.DeclareEmergency, role=role)
    assert kinds(receipt)[0] == "EmergencyDeclared"
    assert story.episode.stage == "emergency_response"
    assert story.episode.risk == "imminent"
    assert story.owed("dispatch")
    raised = next(event for event in receipt.events if isinstance(event, e.RiskRaised))
    assert (raised.rule, raised.previous, raised.because) == (-1, "none", "An emergency was declared.")


def test_an_emergency_declared_at_the_imminent_level_enters_the_stage_again(story: Story):
    story.do(c.DeclareEmergency)
    story.do(c.Advance)
    assert story.episode.stage == "follow_up"
    receipt = story.do(c.DeclareEmergency)
    assert kinds(receipt)[:2] == ["EmergencyDeclared", "StageEntered"]
    assert "RiskRaised" not in kinds(receipt)
    assert story.episode.stage == "emergency_response"


def test_an_emergency_declared_during_an_emergency_is_recorded(story: Story):
    story.do(c.DeclareEmergency)
    receipt = story.do(c.DeclareEmergency, reason="worse")
    assert receipt.events == (e.EmergencyDeclared("worse", story.now),)


def test_every_open_stage_can_be_closed_in_the_machine():
    from protocol.program import program

    stages = {source for source, trigger in program(compact()).stages if trigger == CLOSE}
    assert stages == {name for name in STAGES if name != "closed"}
