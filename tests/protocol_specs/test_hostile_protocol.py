"""A protocol made to wear the checks out ends in findings within two seconds of work."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from protocol.check import check
from protocol.spec import ProtocolSpec
from protocol_specs.loader import read_yaml

pytestmark = pytest.mark.full

TEXT = (Path(__file__).parent.parent / "specs" / "minimal.yaml").read_text(encoding="utf-8")
FACTS = 40
LETTERS = "abc"


def with_parts(section: str, parts: list[str]) -> str:
    """The minimal protocol with forty more facts that are asked for, and more parts in a section."""
    facts = "".join(f"  f{n}: {{ask: Which, type: choice, choices: [a, b, c]}}\n" for n in range(FACTS))
    asked = ", ".join(f"f{n}" for n in range(FACTS))
    text = TEXT.replace("facts:\n", "facts:\n" + facts, 1).replace("substances]", f"substances, {asked}]", 1)
    return text.replace(f"\n{section}:\n", f"\n{section}:\n" + "".join(parts), 1)


def table(name: str, rows: int, width: int) -> str:
    def row(number: int) -> str:
        terms = ", ".join(f"f{n}: {LETTERS[(number + n) % 3]}" for n in range(width))
        return f"      - {{when: {{{terms}}}, then: x, because: y}}\n"

    written = "".join(map(row, range(rows)))
    return f"  {name}:\n    title: T\n    outcomes: {{x: X}}\n    rows:\n{written}    source: {{grade: P}}\n"


def obligation(name: str, opens: list[str]) -> str:
    return (
        f"  {name}:\n    title: O\n    concern: care\n    owner: owner\n    clock: safety\n    due: 3h\n"
        f"    opens: [{', '.join(opens)}]\n    met_by: [{{decided: care}}]\n"
        "    ladder: daily\n    source: {grade: P}\n"
    )


def any_of(first: int, width: int) -> str:
    terms = ", ".join(f"{{f{(first + n) % FACTS}: a}}" for n in range(width))
    return f"{{when: {{any: [{terms}], if_unknown: holds}}}}"


HOSTILE = {
    "wide tables": with_parts("tables", [table(f"t{n}", 30, 9) for n in range(50)]),
    "tables beyond the limit": with_parts("tables", [table(f"t{n}", 30, 14) for n in range(30)]),
    "many conditions": with_parts(
        "obligations", [obligation(f"o{n}", [any_of(n + m, 7) for m in range(15)]) for n in range(130)]
    ),
    "conditions beyond the limit": with_parts(
        "obligations", [obligation(f"o{n}", [any_of(n, 40)]) for n in range(130)]
    ),
    "a chain of obligations": with_parts(
        "obligations", [obligation(f"o{n}", [f"{{met: o{n + 1}}}"] * 18) for n in range(138)]
    ),
    "a chain of tables": with_parts(
        "tables",
        [
            f"  t{n}:\n    title: T\n    outcomes: {{x: X, y: Y}}\n    source: {{grade: P}}\n    rows:\n"
            f"      [{{when: {{t{n + 1}: x}}, then: x, because: y}}, {{when: {{t{n + 1}: y}}, then: y, because: y}}]\n"
            for n in range(57)
        ],
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_protocol_ends_in_time(name: str) -> None:
    began = time.process_time()
    document = read_yaml(HOSTILE[name])
    document.locate(check(document.validate(ProtocolSpec)))
    assert time.process_time() - began < 2


def test_a_table_beyond_the_limit_is_told() -> None:
    document = read_yaml(HOSTILE["tables beyond the limit"])
    messages = [finding.message for finding in check(document.validate(ProtocolSpec))]
    assert "table t0 has too many combinations of values to be looked at" in messages


def test_a_condition_beyond_the_limit_still_has_to_settle_the_unknown() -> None:
    text = HOSTILE["conditions beyond the limit"].replace(", if_unknown: holds}}]\n    met_by", "}}]\n    met_by")
    messages = [finding.message for finding in check(read_yaml(text).validate(ProtocolSpec))]
    assert sum(message.startswith("this condition does not say what counts") for message in messages) == 130
