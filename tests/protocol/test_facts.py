"""Answers are checked by the type of their fact; what does not fit is refused in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import commands as c
from protocol import events as e
from protocol.facts import Refused, check_facts, describe
from protocol.program import program
from tests.protocol.specs import NOTICES, compact, protocol
from tests.protocol.story import Story, code, kinds


def checked(**facts: Any) -> Any:
    return check_facts(program(compact()), None, facts)


@pytest.mark.parametrize(
    ("facts", "recorded"),
    [
        ({"harm": "yes"}, "yes"),
        ({"harm": "no"}, "no"),
        ({"plan": "refused"}, "refused"),
        ({"means": "ready"}, "ready"),
        ({"pain": 0}, 0),
        ({"pain": 10}, 10),
        ({"q1": "refused"}, "refused"),
        ({"address": " 12 Elm "}, " 12 Elm "),
        ({"signs": ("fever", "shaking")}, ("shaking", "fever")),
        ({"signs": ()}, ()),
        ({"signs": ("shaking", "sweating", "fever")}, ("shaking", "sweating", "fever")),
        ({"signs": ("fever", "fever")}, ("fever",)),
        ({"call_at": "2026-12-01T14:20:00-08:00"}, "2026-12-01T22:20:00+00:00"),
        ({"call_at": "2026-12-01T14:20Z"}, "2026-12-01T14:20:00+00:00"),
        ({"harm": "unknown"}, "unknown"),
        ({"pain": "unknown"}, "unknown"),
        ({"signs": "unknown"}, "unknown"),
    ],
)
def test_what_fits_is_recorded_in_one_form(facts: dict[str, Any], recorded: object):
    assert list(checked(**facts).values()) == [recorded]


@pytest.mark.parametrize(
    "facts",
    [
        {"harm": "maybe"},
        {"harm": "refused"},
        {"harm": 1},
        {"harm": True},
        {"harm": ("yes",)},
        {"means": "plenty"},
        {"means": 2},
        {"means": ()},
        {"pain": 11},
        {"pain": -1},
        {"pain": "5"},
        {"pain": True},
        {"pain": 5.0},
        {"address": ""},
        {"address": "  "},
        {"address": 5},
        {"signs": "fever"},
        {"signs": ("fever", "joy")},
        {"signs": ["fever"]},
        {"call_at": "2026-12-01T14:20:00"},
        {"call_at": "tomorrow"},
        {"call_at": 5},
        {"call_at": "0001-01-01T00:00:00+14:00"},
        {"call_at": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_what_does_not_fit_is_refused(facts: dict[str, Any]):
    refused = checked(**facts)
    assert isinstance(refused, Refused)
    assert refused.code == "invalid_fact"
    assert next(iter(facts)) in refused.message


def test_a_mistyped_name_gets_a_hint():
    refused = checked(adress="x")
    assert (refused.code, refused.remedy) == ("unknown_fact", "Did you mean address?")
    assert checked(zzzzzz="x").remedy == "Use a fact that the protocol declares."


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ("harm", "yes or no"),
        ("plan", "yes or no, or refused"),
        ("means", "one of none, some, ready"),
        ("signs", "some of shaking, sweating, fever"),
        ("pain", "a whole number from 0 to 10"),
        ("address", "a text that is not empty"),
        ("call_at", "a date and time with its zone, such as 2026-12-01T14:20:00-08:00"),
    ],
)
def test_the_remedy_says_what_may_be_answered(fact: str, words: str):
    assert describe(compact().facts[fact]) == words


def test_a_score_is_added_up_when_its_last_item_is_answered():
    assert checked(q1=1) == {"q1": 1}
    assert checked(q1=1, q2=3) == {"q1": 1, "q2": 3, "q_sum": 4}
    story = Story.begun()
    story.answer(q1=1)
    assert "q_sum" not in story.episode.facts
    story.answer(q2=2)
    assert story.episode.facts["q_sum"].value == 3
    story.answer(q1=0)
    assert story.episode.facts["q_sum"].value == 2


def test_a_refused_item_has_no_score():
    assert "q_sum" not in checked(q1="refused", q2=3)


def test_facts_recorded_by_a_command_carry_when_and_where_they_were_said():
    story = Story.begun().later("1h")
    receipt = story.do(c.RecordFacts, facts={"safe": "yes"}, ago="20m")
    assert kinds(receipt) == ["FactsRecorded"]
    known = story.episode.facts["safe"]
    assert known.value == "yes"
    assert known.at == story.now - (story.now - receipt.events[0].at)
    assert known.sequence == story.episode.revision


def test_unknown_takes_an_answer_back():
    story = Story.begun()
    story.answer(safe="yes", harm="no")
    story.answer(safe="unknown")
    assert "safe" not in story.episode.facts
    assert story.episode.facts["harm"].value == "no"
    assert any(isinstance(event, e.FactsRecorded) and event.facts == {"safe": "unknown"} for event in story.events())


def test_one_wrong_answer_refuses_the_whole_entry():
    story = Story.begun()
    assert code(story.answer(safe="yes", pain=99)) == "invalid_fact"
    assert code(story.answer(safe="yes", nonsense="x")) == "unknown_fact"
    assert code(story.answer()) == "missing_facts"
    assert "safe" not in story.episode.facts


@settings(max_examples=40, deadline=None)
@given(st.permutations(["safe", "pain", "means", "plan", "told", "nonsense", "q1"]))
def test_the_order_in_which_facts_are_listed_changes_nothing(names: list[str]):
    """The trail writes names sorted: reacting in the order of listing, a replay would come out otherwise."""
    told = {"text": "Told.", "when": {"told": "yes", "if_unknown": "fails"}}
    spec = protocol(notices={**NOTICES, "told": told})
    right = {"safe": "no", "pain": 9, "means": "ready", "plan": "yes", "told": "yes", "q1": 2}
    wrong = {**right, "pain": 99, "nonsense": "?"}
    for answers in (right, wrong):
        as_listed, sorted_so = Story.begun(spec), Story.begun(spec)
        as_listed.answer(**{name: answers[name] for name in names if name in answers})
        sorted_so.answer(**dict(sorted(answers.items())))
        assert as_listed.events() == sorted_so.events()
