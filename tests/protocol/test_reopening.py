"""Obligations that open again: what takes the place of a pending one, and what may never put it off."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from protocol import commands as c
from protocol import events as e
from protocol.duties import Trigger
from protocol.turn import MOST_INSTANCES
from tests.protocol.specs import duty, with_duties
from tests.protocol.story import Story, kinds, span


@pytest.fixture
def story() -> Story:
    return Story.begun()


def of(receipt: Any, kind: type[Any]) -> list[Any]:
    return [event for event in receipt.events if isinstance(event, kind)]


def test_what_opens_again_supersedes_what_is_not_yet_overdue(story: Story):
    story.in_follow_up()
    receipt = story.later("1h").answer(pain=9)
    (superseded,) = of(receipt, e.ObligationSuperseded)
    assert superseded == e.ObligationSuperseded("first_contact-1", "first_contact", "first_contact-2", story.now)
    (owed,) = story.owed("first_contact")
    assert owed.due_at == story.now + span("72h")


def test_an_overdue_obligation_is_never_superseded(story: Story):
    story.in_follow_up()
    story.later("72h").sweep()
    receipt = story.answer(pain=9)
    assert not of(receipt, e.ObligationSuperseded)
    assert [(owed.obligation_id, owed.missed) for owed in story.owed("first_contact")] == [
        ("first_contact-1", True),
        ("first_contact-2", False),
    ]
    story.answer(plan="yes", intent="no")
    assert [(owed.obligation_id, owed.missed) for owed in story.owed("first_contact")] == [
        ("first_contact-1", True),
        ("first_contact-3", False),
    ]


def test_a_raised_risk_never_lengthens_what_is_owed_already(story: Story):
    story.in_follow_up()
    story.answer(plan="yes", intent="no")
    (owed,) = story.owed("first_contact")
    assert owed.due_at == story.now + span("24h")


def test_what_keeps_its_first_deadline_does_not_open_again(story: Story):
    story.do(c.DeclareEmergency)
    first = story.owed("again")[0].due_at
    story.later("10m").do(c.DeclareEmergency)
    (owed,) = story.owed("again")
    assert (owed.obligation_id, owed.due_at) == ("again-1", first)
    story.later("2h").do(c.DeclareEmergency)
    assert [owed.obligation_id for owed in story.owed("again")] == ["again-1"]


def test_with_several_overdue_ones_no_more_are_opened():
    story = Story.begun(with_duties(often=duty("1h", [{"not_reached": "client"}], [{"done": "reassess"}])))
    for _ in range(MOST_INSTANCES + 2):
        story.contact("no_answer")
        story.later("2h").sweep()
    assert [owed.missed for owed in story.owed("often")] == [True] * MOST_INSTANCES
    assert MOST_INSTANCES == 3


def test_beside_overdue_ones_the_pending_one_is_still_superseded():
    opens = [{"not_reached": "client"}, {"event": "risk_raised"}]
    story = Story.begun(with_duties(often=duty("1h", opens, [{"done": "reassess"}])))
    for _ in range(MOST_INSTANCES - 1):
        story.contact("no_answer")
        story.later("2h").sweep()
    story.contact("no_answer")
    story.later("1m").answer(pain=9)
    assert [(owed.obligation_id, owed.missed) for owed in story.owed("often")] == [
        ("often-1", True),
        ("often-2", True),
        ("often-4", False),
    ]


# Nothing is put off by opening again


def test_going_back_and_forward_again_leaves_a_pending_contact_as_it_is(story: Story):
    story.in_follow_up()
    (first,) = story.owed("first_contact")
    story.later("71h").do(c.GoBack, to="coping", reason="r")
    story.do(c.CompleteStep, step="calm")
    receipt = story.do(c.Advance, to="follow_up")
    assert kinds(receipt) == ["StageEntered"]
    assert story.owed("first_contact") == [first]


def test_a_pending_one_keeps_its_ladder_and_its_acknowledgement():
    story = Story.begun(with_duties(told=duty("3h", [{"reached": "client"}], [{"done": "reassess"}], "now")))
    story.contact()
    story.sweep()
    story.do(c.Acknowledge, obligation_id="told-1")
    (first,) = story.owed("told")
    story.later("5m").contact()
    assert story.owed("told") == [first]
    assert first.lease_until is not None


def test_a_new_deadline_that_is_sooner_takes_the_place_of_the_pending_one():
    due = {"by": "means", "values": {"none": "5h", "some": "3h", "ready": "1h"}}
    story = Story.begun(with_duties(quick=duty(due, [{"reached": "client"}], [{"done": "reassess"}])))
    story.answer(means="none")
    story.contact()
    story.answer(means="ready")
    receipt = story.contact()
    assert of(receipt, e.ObligationSuperseded)
    assert story.due("quick") == span("1h")
    story.answer(means="some")
    assert not of(story.contact(), e.ObligationSuperseded)
    assert story.due("quick") == span("1h")


def test_an_equal_deadline_leaves_the_pending_one(story: Story):
    story.in_follow_up()
    story.do(c.GoBack, to="coping", reason="r")
    story.do(c.CompleteStep, step="calm")
    story.do(c.Advance, to="follow_up")
    assert [owed.obligation_id for owed in story.owed("first_contact")] == ["first_contact-1"]


def test_only_a_risk_that_rises_in_the_same_step_counts_anew(story: Story):
    story.in_follow_up()
    due = story.owed("first_contact")[0].due_at
    story.later("1h").answer(pain=9)
    raised = story.owed("first_contact")[0].due_at
    assert raised == due + span("1h")
    story.later("1h").do(c.GoBack, to="coping", reason="r")
    story.do(c.CompleteStep, step="calm")
    story.do(c.Advance, to="follow_up")
    assert story.owed("first_contact")[0].due_at == raised


def test_an_emergency_that_raises_the_risk_counts_anew(story: Story):
    opens = [{"done": "reassess"}, {"event": "emergency_declared"}]
    story = Story.begun(with_duties(call=duty("2h", opens, [{"done": "plan_review"}])))
    story.do(c.CompleteStep, step="reassess")
    story.later("1h").do(c.DeclareEmergency)
    assert story.due("call") == span("2h")
    story.later("1h").do(c.DeclareEmergency)
    assert story.due("call") == span("1h")


COUNTING = {
    "entered": {"entered": "follow_up", "counts_anew": True},
    "done": {"done": "plan_review", "counts_anew": True},
}


def test_the_first_entry_of_a_stage_counts_anew_where_the_protocol_says_so():
    opens = [{"reached": "client"}, COUNTING["entered"]]
    story = Story.begun(with_duties(call=duty("5h", opens, [{"done": "reassess"}])))
    story.contact()
    story.later("1h").in_follow_up()
    assert story.due("call") == span("5h")
    story.later("1h").do(c.GoBack, to="coping", reason="r")
    story.do(c.CompleteStep, step="calm")
    story.do(c.Advance, to="follow_up")
    assert story.due("call") == span("4h")


def test_a_step_counts_anew_when_it_is_done_for_the_first_time():
    opens = [{"reached": "client"}, COUNTING["done"]]
    story = Story.begun(with_duties(call=duty("5h", opens, [{"done": "reassess"}])))
    story.contact()
    story.later("1h").in_follow_up().do(c.CompleteStep, step="plan_review", facts={"safe": "yes"})
    assert story.due("call") == span("5h")
    story.later("1h").do(c.CompleteStep, step="plan_review")
    assert story.due("call") == span("4h")


def test_a_step_that_was_only_skipped_was_not_done_yet():
    opens = [{"reached": "client"}, {"done": "calm", "counts_anew": True}]
    story = Story.begun(with_duties(call=duty("5h", opens, [{"done": "reassess"}])))
    story.contact()
    story.in_follow_up().do(c.GoBack, to="coping", reason="r")
    story.do(c.SkipStep, step="calm", reason="r")
    story.later("1h").do(c.CompleteStep, step="calm")
    assert story.due("call") == span("5h")


@pytest.mark.parametrize("trigger", [{"reached": "client"}, {"event": "risk_raised"}, {"when": {"plan": "yes"}}])
def test_only_a_stage_or_a_step_has_a_first_time(trigger: dict[str, Any]):
    with pytest.raises(ValidationError, match="only these have a first time"):
        Trigger.model_validate({**trigger, "counts_anew": True})


def test_what_is_kept_as_it_is_never_counts_anew():
    opens = [{"entered": "follow_up", "counts_anew": True}]
    with pytest.raises(ValidationError, match="nothing counts anew"):
        with_duties(call=duty("5h", opens, [{"done": "reassess"}], reopening="keep"))
