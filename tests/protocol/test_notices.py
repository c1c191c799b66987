"""Notices: what a person must see now. They block nothing and are raised once for each reason."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import commands as c
from protocol import events as e
from tests.protocol.specs import NOTICES, protocol
from tests.protocol.story import Story, kinds


@pytest.fixture
def story() -> Story:
    return Story.begun()


def raised(receipt: Any) -> list[str]:
    return [event.notice for event in receipt.events if isinstance(event, e.NoticeRaised)]


def test_a_notice_is_raised_when_its_condition_becomes_true(story: Story):
    receipt = story.answer(safe="no")
    assert receipt.events[-1] == e.NoticeRaised("no_safety", "Not safe.", story.now)


def test_a_notice_is_not_raised_again_while_its_condition_holds(story: Story):
    story.answer(safe="no")
    assert raised(story.answer(safe="no")) == []
    story.answer(safe="yes")
    assert raised(story.answer(safe="no")) == ["no_safety"]


@pytest.mark.parametrize(
    "text", ["He has a gun.", "GUNS everywhere", "a hunting Rifle in the shed", "a gun and a rifle"]
)
def test_a_text_that_mentions_a_phrase_raises_its_notice_once(story: Story, text: str):
    assert raised(story.answer(story=text)) == ["guns"]
    assert raised(story.answer(story=text)) == ["guns"]


def test_a_text_without_the_phrase_raises_nothing(story: Story):
    assert raised(story.answer(story="all is quiet", address="12 Elm")) == []


def test_a_phrase_is_looked_for_in_every_text_that_comes_along(story: Story):
    assert raised(story.answer(pain=3, address="Gun Street 5")) == ["guns"]
    assert raised(story.contact(facts={"story": "a rifle"})) == ["guns"]
    assert raised(story.do(c.CompleteStep, step="start", facts={"address": "Rifle Range"})) == ["guns"]


def test_phrases_are_not_looked_for_in_numbers_and_lists(story: Story):
    assert raised(story.answer(pain=3, signs=("fever",))) == []


def test_two_reasons_for_one_notice_raise_it_once_a_step():
    both = {**NOTICES["guns"], "when": {"safe": "no", "if_unknown": "fails"}}
    story = Story.begun(protocol(notices={"guns": both}))
    assert raised(story.answer(safe="no", story="gun")) == ["guns"]


def test_different_notices_are_raised_side_by_side(story: Story):
    assert sorted(raised(story.answer(safe="no", story="gun"))) == ["guns", "no_safety"]


def test_a_notice_carries_the_time_of_what_it_tells(story: Story):
    story.later("1h")
    receipt = story.answer_ago("30m", story="gun")
    assert {event.at for event in receipt.events} == {receipt.events[0].at}


def test_what_is_reported_with_the_opening_is_noticed():
    story = Story.begun(facts={"story": "gun", "safe": "no"})
    assert sorted(event.notice for event in story.events() if isinstance(event, e.NoticeRaised)) == [
        "guns",
        "no_safety",
    ]


def test_a_protocol_without_phrases_listens_to_none():
    story = Story.begun(protocol(notices={}))
    assert kinds(story.answer(story="gun")) == ["FactsRecorded"]
