"""Slips of the pen in the shipped protocols: each is one finding, in its line, told plainly."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NotRequired

import pytest
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from protocol_specs.lint import look
from protocol_specs.loader import read_file

ROOT = Path(__file__).parents[2]
PROTOCOLS = ("caring_contacts", "withdrawal_monitoring", "virtual_iop_crisis")
JARGON = re.compile(
    r"mapping|pydantic|validat|[Ss]tring|NoneType|\bdict\b|\btuple\b|\\x|Error\b|\^\[|u2\d\d\d|scalar|token"
)


class Slip(TypedDict):
    old: str
    new: str
    says: str
    mend: str
    below: NotRequired[int]
    """How many lines below the slip it is told: what is missing is told where its part begins, above."""


SLIPS = TypeAdapter(dict[str, Slip]).validate_python(read_file(ROOT / "tests/specs/slips.yaml").data)


@cache
def text_of(protocol: str) -> str:
    return (ROOT / f"protocol_specs/{protocol}.yaml").read_text(encoding="utf-8")


def slipped(slip: Slip) -> tuple[str, int]:
    """The first shipped protocol that has the place, with the slip in it, and its line."""
    for text in map(text_of, PROTOCOLS):
        if (place := re.search(slip["old"], text, re.MULTILINE)) is not None:
            line = text[: place.start()].count("\n") + 1
            return text[: place.start()] + place.expand(slip["new"]) + text[place.end() :], line
    raise AssertionError("no protocol has this place any more")


def test_there_are_many() -> None:
    assert len(SLIPS) >= 150


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_one_finding_in_plain_words(name: str) -> None:
    slip = SLIPS[name]
    text, line = slipped(slip)
    (found,) = look(text, "my_protocol.yaml").found
    assert found.finding.message.startswith(slip["says"])
    assert found.finding.remedy.startswith(slip["mend"])
    assert found.line == line + slip.get("below", 0)
    assert 1 <= found.column <= len(text.splitlines()[found.line - 1]) + 1
    assert JARGON.search(str(found)) is None
