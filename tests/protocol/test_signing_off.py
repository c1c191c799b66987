"""What of a move needs a clinician's name, what the refusal names, and what is kept of the name."""

from __future__ import annotations

from typing import Any

from protocol import events as e
from tests.protocol.story import Story, code, kinds
from tests.protocol.test_migrating import SIGNED, SLOW, move, newer, policy


def test_dropping_always_needs_a_name() -> None:
    story = Story.begun()
    onto = newer(policy("waive", because="The stage has no limit any more."))
    assert code(move(story, onto)) == "sign_off_needed"
    gaps: list[dict[str, Any]] = [
        {"sign_off_reason": " "},
        {"sign_off_role": "peer"},
        {"sign_off_role": "nobody"},
        {"sign_off_by": None},
    ]
    for gap in gaps:
        assert code(move(story, onto, **{**SIGNED, **gap})) == "sign_off_needed"
    receipt = move(story, onto, **SIGNED)
    assert kinds(receipt) == ["Migrated", "ObligationWaived"]
    (waived,) = [one for one in receipt.events if isinstance(one, e.ObligationWaived)]
    assert waived.reason == "The stage has no limit any more. — Agreed in the round."
    assert not story.owed("finish_assessment")


def test_a_name_that_was_not_needed_answers_for_nothing() -> None:
    receipt = move(Story.begun(), newer(), **SIGNED)
    (moved,) = [one for one in receipt.events if isinstance(one, e.Migrated)]
    assert (moved.sign_off_by, moved.sign_off_role, moved.sign_off_reason) == ("", "", "")


def test_only_what_needs_a_name_is_named_in_the_refusal() -> None:
    story = Story.begun()
    story.answer(plan="yes")
    assert story.owed("decide_step_up")
    receipt = move(story.later("30m"), newer(policy("rearm"), obligations=SLOW))
    assert receipt.refusal is not None
    assert receipt.refusal.missing == ("finish_assessment-1: later",)
