"""Three-valued logic, and what a condition may look like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from protocol.conditions import (
    MAX_DEPTH,
    MAX_LITERAL,
    MAX_TERMS,
    AllOf,
    AnyOf,
    Condition,
    Guard,
    Not,
    Truth,
    all_of,
    any_of,
    evaluate,
    negate,
    parse_guard,
    write_guard,
)
from protocol.conditions import Test as Comparison
from protocol.conditions import tests_in as comparisons_in

GUARD = TypeAdapter(Guard)

names = st.sampled_from(["a", "b", "crisis.x", "scale.status"])
literals = st.sampled_from(["yes", "no", "high", "3"])
comparisons = st.one_of(
    st.builds(Comparison, names, st.just("is"), st.lists(literals, min_size=1, max_size=3).map(tuple)),
    st.builds(Comparison, names, st.sampled_from(["at_least", "at_most"]), st.tuples(literals)),
    st.builds(Comparison, names, st.just("known"), st.sampled_from([("yes",), ("no",)])),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=4,
)
guards = st.builds(
    Guard, conditions.filter(lambda one: depth(one) < MAX_DEPTH), st.sampled_from([None, "holds", "fails"])
)


def depth(condition: Condition) -> int:
    match condition:
        case Comparison():
            return 1
        case AllOf(terms) | AnyOf(terms):
            return 1 + max(depth(term) for term in terms)
        case Not(term):
            return 1 + depth(term)


@given(guards)
def test_a_guard_reads_back_as_it_was_written(guard: Guard):
    assert parse_guard(write_guard(guard)) == guard


def test_a_guard_is_written_with_its_cautious_side_where_it_has_one():
    condition = Comparison("a", "is", ("yes",))
    assert write_guard(Guard(condition)) == {"a": "yes"}
    assert write_guard(Guard(condition, "holds")) == {"a": "yes", "if_unknown": "holds"}


@given(guards)
def test_a_guard_survives_its_json_form(guard: Guard):
    assert GUARD.validate_json(GUARD.dump_json(guard)) == guard
    assert GUARD.validate_python(guard) is guard


KLEENE_AND = {
    (True, True): True,
    (True, None): None,
    (True, False): False,
    (None, None): None,
    (None, False): False,
    (False, False): False,
}
KLEENE_OR = {
    (True, True): True,
    (True, None): True,
    (True, False): True,
    (None, None): None,
    (None, False): None,
    (False, False): False,
}


@pytest.mark.parametrize(("pair", "truth"), KLEENE_AND.items())
def test_all_is_kleenes_and(pair: tuple[Truth, Truth], truth: Truth):
    assert all_of(pair) is truth
    assert all_of(pair[::-1]) is truth


@pytest.mark.parametrize(("pair", "truth"), KLEENE_OR.items())
def test_any_is_kleenes_or(pair: tuple[Truth, Truth], truth: Truth):
    assert any_of(pair) is truth
    assert any_of(pair[::-1]) is truth


def test_not_leaves_unknown_unknown():
    assert [negate(truth) for truth in (True, False, None)] == [False, True, None]


@given(conditions, st.dictionaries(names, st.sampled_from([True, False, None])))
def test_what_is_still_unknown_never_changes_a_settled_result(condition: Condition, known: Mapping[str, Truth]):
    """Kleene's order: learning more may settle an unknown, and never flips a true or a false."""
    before = evaluate(condition, lambda test: known.get(test.name))
    after = evaluate(condition, lambda test: truth if (truth := known.get(test.name)) is not None else True)
    assert before is None or before is after


def test_evaluation_goes_through_every_part():
    condition = parse_guard({"any": [{"a": "yes"}, {"not": {"all": [{"b": "no"}, {"c": "no"}]}}]}).condition
    truths: dict[str, Truth] = {"a": False, "b": True, "c": False}
    assert evaluate(condition, lambda test: truths[test.name]) is True
    assert evaluate(condition, lambda test: {**truths, "c": True}[test.name]) is False
    assert evaluate(condition, lambda test: {**truths, "c": None}[test.name]) is None
    assert [test.name for test in comparisons_in(condition)] == ["a", "b", "c"]


def test_the_cautious_side_counts_while_something_is_unknown():
    condition = Comparison("a", "is", ("yes",))
    assert Guard(condition, "holds").settle(None) is True
    assert Guard(condition, "fails").settle(None) is False
    assert Guard(condition).settle(None) is False
    for side in ("holds", "fails", None):
        assert Guard(condition, side).settle(True) is True
        assert Guard(condition, side).settle(False) is False


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        ({"a": "yes"}, Comparison("a", "is", ("yes",))),
        ({"a": 3}, Comparison("a", "is", ("3",))),
        ({"a": ["x", 1]}, Comparison("a", "is", ("x", "1"))),
        ({"a": {"at_least": "x"}}, Comparison("a", "at_least", ("x",))),
        ({"a": {"at_most": 2}}, Comparison("a", "at_most", ("2",))),
        ({"a": {"known": "no"}}, Comparison("a", "known", ("no",))),
        ({"a": "x", "b": "y"}, AllOf((Comparison("a", "is", ("x",)), Comparison("b", "is", ("y",))))),
        ({"all": [{"a": "x"}]}, AllOf((Comparison("a", "is", ("x",)),))),
        ({"any": [{"a": "x"}]}, AnyOf((Comparison("a", "is", ("x",)),))),
        ({"not": {"a": "x"}}, Not(Comparison("a", "is", ("x",)))),
    ],
)
def test_each_form_of_a_condition_is_read(written: dict[str, Any], condition: Condition):
    assert parse_guard(written).condition == condition


def nested(levels: int) -> dict[str, Any]:
    return {"a": "x"} if levels == 1 else {"not": nested(levels - 1)}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (None, "is written like"),
        ("risk == high", "is written like"),
        ([], "is written like"),
        ({}, "is written like"),
        ({1: "x"}, "must be words"),
        ({"a": "x", 1: "x"}, "must be words"),
        ({"if_unknown": "holds"}, "no terms beside"),
        ({"a": "x", "if_unknown": "maybe"}, "`holds` or `fails`"),
        ({"not": {"a": "x", "if_unknown": "holds"}}, "whole condition"),
        ({"all": "x"}, "`all` takes a list"),
        ({"any": []}, "`any` takes a list"),
        ({"all": [{"a": "x"}] * (MAX_TERMS + 1)}, f"at most {MAX_TERMS} conditions"),
        ({f"n{i}": "x" for i in range(MAX_TERMS + 1)}, f"at most {MAX_TERMS} terms"),
        ({"a": {"at_least": "x", "at_most": "y"}}, "exactly one of"),
        ({"a": {}}, "exactly one of"),
        ({"a": {"known": "maybe"}}, "known takes yes or no"),
        ({"a": {"above": "x"}}, "is no comparison; use one of: at_least"),
        ({"a": []}, f"one to {MAX_TERMS} values"),
        ({"a": ["x"] * (MAX_TERMS + 1)}, f"one to {MAX_TERMS} values"),
        ({"a": True}, "an answer is a word: write `yes`"),
        ({"a": 1.5}, "declared value"),
        ({"a": {"at_least": None}}, "declared value"),
        ({"a": "x" * (MAX_LITERAL + 1)}, "longer than"),
        (nested(MAX_DEPTH + 1), f"at most {MAX_DEPTH} deep"),
    ],
)
def test_what_is_no_condition_is_refused_with_a_reason(written: object, says: str):
    with pytest.raises(ValueError, match=says):
        parse_guard(written)
    with pytest.raises(ValidationError, match=says):
        GUARD.validate_python(written)


def test_the_limits_themselves_are_allowed():
    assert parse_guard(nested(MAX_DEPTH))
    assert parse_guard({"all": [{"all": [{"a": "x"}]}]})
    assert parse_guard({"a": ["x"] * MAX_TERMS})
    assert parse_guard({"all": [{"a": "x"}] * MAX_TERMS})
    assert parse_guard({f"n{i}": "x" for i in range(MAX_TERMS)})
    assert parse_guard({"a": "x" * MAX_LITERAL})


def test_depth_counts_through_every_kind_of_nesting():
    deepest, fitting = nested(MAX_DEPTH), nested(MAX_DEPTH - 1)
    for wrapped in ({"all": [fitting]}, {"any": [fitting]}, {"not": fitting}):
        assert parse_guard(wrapped)
    for wrapped in ({"all": [deepest]}, {"any": [deepest]}, {"not": deepest}):
        with pytest.raises(ValueError, match="deep"):
            parse_guard(wrapped)


def test_the_published_schema_knows_the_words_of_a_condition():
    schema = GUARD.json_schema()
    assert set(schema["properties"]) == {"all", "any", "not", "if_unknown"}
    assert schema["properties"]["if_unknown"]["enum"] == ["holds", "fails"]
    listed = {"type": "array", "items": {"type": "object"}}
    for several in ("all", "any"):
        assert listed.items() <= schema["properties"][several].items()
    assert schema["additionalProperties"]["anyOf"][:2] == [
        {"type": ["string", "integer"]},
        {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1},
    ]
    assert schema["type"] == schema["properties"]["not"]["type"] == "object"
    comparison = schema["additionalProperties"]["anyOf"][2]
    assert set(comparison["properties"]) == {"at_least", "at_most", "known"}
    assert comparison["type"] == "object"
    assert comparison["additionalProperties"] is False
    assert (comparison["minProperties"], comparison["maxProperties"], schema["minProperties"]) == (1, 1, 1)
