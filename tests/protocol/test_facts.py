"""Answers are checked by the type of their fact; what does not fit is refused in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import commands as c
from protocol import events as e
from protocol.facts import Refused, check_facts, describe
from protocol.program import program
from tests.protocol.specs import NOTICES, compact, protocol
from tests.protocol.story import Story, code, kinds, span


def checked(**facts: Any) -> Any:
    return check_facts(program(compact()), facts)


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
    story = Story.begun()
    story.answer(q1=1)
    assert "q_sum" not in story.episode.facts
    receipt = story.answer(q2=2)
    assert receipt.events[0] == e.FactsRecorded({"q2": 2, "q_sum": 3}, story.now)
    assert story.episode.facts["q_sum"].value == 3
    story.answer(q1=0)
    assert story.episode.facts["q_sum"].value == 2


@pytest.mark.parametrize("answer", ["refused", "unknown"])
def test_a_score_goes_with_the_first_of_its_items(answer: str):
    story = Story.begun()
    story.answer(q1=3, q2=3)
    assert story.episode.risk == "high"
    receipt = story.answer(q1=answer)
    assert receipt.events[0] == e.FactsRecorded({"q1": answer, "q_sum": "unknown"}, story.now)
    assert "q_sum" not in story.episode.facts
    assert story.episode.risk == "high"


def test_a_refused_item_gives_no_score():
    story = Story.begun()
    story.answer(q1="refused", q2=3)
    assert "q_sum" not in story.episode.facts


def test_a_total_that_somebody_wrote_down_stays():
    story = Story.begun()
    story.answer(q_sum=5)
    story.answer(q1=1)
    assert story.episode.facts["q_sum"].value == 5
    story.answer(q2="unknown", q_sum=2)
    assert story.episode.facts["q_sum"].value == 2


# Written down late


def test_the_newer_answer_stays_current_and_the_older_one_is_in_the_trail():
    story = Story.begun().later("2h")
    story.answer(safe="yes")
    receipt = story.later("1m").do(c.RecordFacts, facts={"safe": "no", "told": "yes"}, ago="1h")
    assert e.FactsRecorded({"safe": "no", "told": "yes"}, story.now - span("1h")) in receipt.events
    assert {name: known.value for name, known in story.episode.facts.items()} == {"safe": "yes", "told": "yes"}


def test_of_two_answers_of_the_same_moment_the_later_entry_counts():
    story = Story.begun().later("2h")
    story.answer(safe="yes")
    story.answer(safe="no")
    assert story.episode.facts["safe"].value == "no"


def test_an_older_taking_back_leaves_the_newer_answer():
    story = Story.begun().later("2h")
    story.answer(safe="yes")
    story.do(c.RecordFacts, facts={"safe": "unknown"}, ago="1h")
    assert story.episode.facts["safe"].value == "yes"


def test_a_positive_answer_that_is_written_down_late_still_raises_the_risk():
    story = Story.begun().later("2h")
    story.answer(plan="no")
    story.do(c.RecordFacts, facts={"plan": "yes"}, ago="1h")
    assert story.episode.facts["plan"].value == "no"
    assert story.episode.risk == "high"
    story.do(c.RecordFacts, facts={"plan": "yes", "intent": "yes"}, ago="1h")
    assert (story.episode.risk, story.episode.stage) == ("imminent", "emergency_response")


def test_late_answers_that_alarm_nobody_raise_nothing():
    story = Story.begun().later("2h")
    story.answer(plan="no", pain=9)
    assert kinds(story.do(c.RecordFacts, facts={"plan": "unknown", "pain": 0}, ago="1h")) == ["FactsRecorded"]
    assert story.episode.risk == "low"


def test_a_late_answer_is_seen_beside_what_was_answered_since():
    story = Story.begun().later("2h")
    story.answer(plan="no", intent="no")
    story.do(c.RecordFacts, facts={"plan": "refused"}, ago="1h")
    assert story.episode.risk == "moderate"


def test_the_score_of_a_late_form_still_raises_the_risk():
    story = Story.begun().later("2h")
    story.answer(q1=0, q2=0)
    story.do(c.RecordFacts, facts={"q1": 3, "q2": 3}, ago="1h")
    assert story.episode.facts["q_sum"].value == 0
    assert story.episode.risk == "high"


def test_a_late_item_is_added_up_with_the_newer_one():
    story = Story.begun().later("2h")
    story.answer(q1=1)
    moment = story.now
    receipt = story.later("1m").do(c.RecordFacts, facts={"q1": 0, "q2": 2}, ago="1h")
    assert receipt.events[:2] == (
        e.FactsRecorded({"q1": 0, "q2": 2}, story.now - span("1h")),
        e.FactsRecorded({"q_sum": 3}, moment),
    )
    assert story.episode.facts["q_sum"].value == 3


def test_a_late_form_that_is_refused_is_heard_all_the_same():
    story = Story.begun().later("2h")
    story.answer(plan="no")
    receipt = story.do(c.CompleteStep, step="extra", facts={"plan": "yes"}, ago="1h")
    assert code(receipt) == "wrong_stage"
    assert story.episode.risk == "high"


ANSWERS = st.sampled_from([0, 1, 2, 3, "unknown"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["q1", "q2"]), ANSWERS, st.integers(0, 50)), max_size=12))
def test_in_whatever_order_it_is_written_down_the_newest_answer_counts(entries: list[tuple[str, int | str, int]]):
    """And the score is the sum of the current items, or there is none."""
    story = Story.begun().later("1h")
    current: dict[str, tuple[int, int | str]] = {}
    for item, answer, minutes in entries:
        story.do(c.RecordFacts, facts={item: answer}, at=story.now - timedelta(minutes=minutes))
        if item not in current or current[item][0] >= minutes:
            current[item] = minutes, answer
            if answer == "unknown":
                del current[item]
        facts = {name: known.value for name, known in story.episode.facts.items()}
        assert {name: facts.get(name) for name in current} == {name: told for name, (_, told) in current.items()}
        assert facts.get("q_sum") == (sum(int(told) for _, told in current.values()) if len(current) == 2 else None)


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
