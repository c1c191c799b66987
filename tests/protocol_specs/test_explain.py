"""A table is explained with the facts that lead to each answer; the answers agree with reading row after row."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.checks.ground import Ground
from protocol.conditions import Test as Comparison
from protocol.conditions import Truth, evaluate
from protocol.elements import Table
from protocol.explain import MOST_GROUPS, MOST_OVERLAPS, Explanation, as_text, explain
from protocol.spec import ProtocolSpec
from protocol.vocabulary import Domain, accepted
from protocol_specs.loader import read_file
from tests.shipped import protocol_in

ROOT = Path(__file__).parent.parent.parent
DATA = read_file(ROOT / "tests/specs/minimal.yaml").data
SPEC = ProtocolSpec.model_validate(DATA)
DOMAINS = Ground(SPEC).domains
NAMES = ("wish_to_die", "support", "risk")
Case = Mapping[str, str]


def with_table(rows: list[dict[str, Any]], unknown_as: dict[str, str]) -> ProtocolSpec:
    table = Table.model_validate({**DATA["tables"]["company"], "rows": rows, "unknown_as": unknown_as})
    return SPEC.model_copy(update={"tables": {**SPEC.tables, "company": table}})


def row(when: dict[str, Any], then: str = "alone") -> dict[str, Any]:
    return {"when": when, "then": then, "because": "x"}


def explained(*rows: dict[str, Any], **unknown_as: str) -> Explanation:
    found = explain(with_table(list(rows), unknown_as), "company")
    assert found is not None
    return found


NO = row({"wish_to_die": "no"})
YES = row({"wish_to_die": ["yes", "refused"]}, "accompanied")


def test_a_gap_is_shown_with_its_facts() -> None:
    found = explained(NO, YES)
    assert found.gaps == ({"wish_to_die": ("unknown",)},)
    assert not found.sound
    assert "GAPS: 1 case without an outcome, such as\n  wish to die is unknown" in as_text(found)


def test_the_side_of_the_unknown_is_told() -> None:
    found = explained(NO, YES, wish_to_die="yes")
    assert found.sound
    assert [(one.counts_as, list(one.outcomes)) for one in found.unknowns] == [("yes", ["accompanied"])]
    assert list(found.nothing_known) == ["accompanied"]
    assert "wish to die counts as yes; possible then: accompanied" in as_text(found)


def test_a_contradiction_names_both_rows_and_the_facts() -> None:
    found = explained(NO, row({"wish_to_die": ["no", "yes", "refused"]}, "accompanied"), wish_to_die="yes")
    (overlap,) = found.overlaps
    assert (overlap.upper, overlap.lower, overlap.contradiction) == (1, 2, True)
    assert overlap.examples == ({"wish_to_die": ("no",)},)
    said = "rows 1 and 2 both apply when wish to die is no: CONTRADICTION, alone decides and accompanied is not heard"
    assert said in as_text(found)


def test_of_very_many_overlaps_the_first_are_told_contradictions_before_the_others() -> None:
    other = row({"wish_to_die": ["no", "yes", "refused"]}, "accompanied")
    found = explained(*[NO] * 6, other, wish_to_die="yes")
    assert (len(found.overlaps), found.more_overlaps) == (MOST_OVERLAPS, 21 - MOST_OVERLAPS)
    assert [one.contradiction for one in found.overlaps] == [True] * 6 + [False] * (MOST_OVERLAPS - 6)
    assert f"and {21 - MOST_OVERLAPS} more" in as_text(found)
    assert not found.sound


def test_a_shadowed_row_names_the_rows_above() -> None:
    found = explained(NO, YES, row({"wish_to_die": {"known": "yes"}}, "accompanied"), wish_to_die="yes")
    assert (found.rows[2].decides, found.rows[2].covered_by) == (0, (1, 2))
    assert "NEVER COUNTS: row 1 and row 2 decide all of its cases" in as_text(found)


def test_a_row_that_excludes_itself_never_applies() -> None:
    impossible = row({"all": [{"wish_to_die": "no"}, {"wish_to_die": "yes"}]})
    assert "NEVER APPLIES" in as_text(explained(NO, YES, impossible, wish_to_die="yes"))


def test_what_cannot_be_read_is_not_explained() -> None:
    assert explain(with_table([row({"nothing": "yes"})], {}), "company") is None


def outcome(table: Table, case: Case) -> str | None:
    """Read as people do: the first row that applies."""
    return next((one.then for one in table.rows if applies(table, one.when.condition, case)), None)


def applies(table: Table, condition: Any, case: Case) -> bool:
    def holds(test: Comparison) -> Truth:
        value = case[test.name]
        if test.operator == "known":
            return (value != "unknown") is (test.values[0] == "yes")
        value = table.unknown_as.get(test.name, value) if value == "unknown" else value
        return None if value == "unknown" else value in accepted(test, DOMAINS[test.name])

    return evaluate(condition, holds) is True


def values(domain: Domain) -> tuple[str, ...]:
    return (*domain.values, *(["unknown"] if domain.may_be_unknown else []))


def all_cases() -> list[Case]:
    every = itertools.product(*(values(DOMAINS[name]) for name in NAMES))
    return [dict(zip(NAMES, one, strict=True)) for one in every]


def within(case: Case, group: Mapping[str, tuple[str, ...]]) -> bool:
    return all(case[name] in some for name, some in group.items())


def comparisons_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    listed = st.lists(st.sampled_from(DOMAINS[name].values), min_size=1, max_size=3, unique=True)
    return listed.map(lambda some: {name: some}) | st.just({name: {"known": "yes"}}) | st.just({name: {"known": "no"}})


TERM = st.sampled_from(NAMES).flatmap(comparisons_of)
CONDITION = (
    TERM
    | st.lists(TERM, min_size=1, max_size=3).map(lambda terms: {"any": terms})
    | st.lists(TERM, min_size=1, max_size=3).map(lambda terms: {"all": terms})
    | TERM.map(lambda term: {"not": term})
)
ROWS = st.lists(st.builds(row, CONDITION, st.sampled_from(["alone", "accompanied"])), min_size=1, max_size=5)
STAND_INS = st.sampled_from([{}, {"wish_to_die": "yes"}, {"support": "nobody", "wish_to_die": "no"}])


@settings(max_examples=40, deadline=None)
@given(ROWS, STAND_INS)
def test_every_answer_agrees_with_reading_row_after_row(rows: list[dict[str, Any]], stand_ins: dict[str, str]) -> None:
    spec = with_table(rows, stand_ins)
    found, table = explain(spec, "company"), spec.tables["company"]
    assert found is not None
    for case in all_cases():
        answer = outcome(table, case)
        assert answer is None or not any(within(case, gap) for gap in found.gaps)
        if answer is None and len(found.gaps) < MOST_GROUPS:
            assert any(within(case, gap) for gap in found.gaps)
        fitting = [number for number, one in enumerate(table.rows, 1) if applies(table, one.when.condition, case)]
        for one in found.rows:
            assert fitting[:1] == [one.number] or not any(within(case, group) for group in one.examples)
        for one in found.overlaps:
            both = {one.upper, one.lower} <= set(fitting)
            assert both or not any(within(case, group) for group in one.examples)
        for unknown in found.unknowns:
            if case[unknown.name] == "unknown":
                assert (answer or "no outcome") in unknown.outcomes


@pytest.mark.parametrize("name", ["virtual_iop_crisis", "withdrawal_monitoring", "caring_contacts"])
def test_the_shipped_tables_are_sound(name: str) -> None:
    spec = protocol_in(ROOT / f"protocol_specs/{name}.yaml")
    for table in spec.tables:
        found = explain(spec, table)
        assert found is not None
        assert found.sound, as_text(found)
