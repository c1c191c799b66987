"""Slips of the pen in a scenario: each is one finding, in its line, told plainly, and never a row of failures."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol, read_file
from protocol_specs.suite import try_text
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario
from tests.protocol_specs.test_slips import JARGON

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "protocol_specs"
TEXT = (SPECS / "scenarios/virtual_iop_crisis/a_month_until_closing.yaml").read_text(encoding="utf-8")


class Slip(TypedDict):
    old: str
    new: str
    says: str
    mend: str


SLIPS = TypeAdapter(list[Slip]).validate_python(read_file(ROOT / "tests/specs/scenario_slips.yaml").data)


@cache
def spec() -> ProtocolSpec:
    return load_protocol(SPECS / "virtual_iop_crisis.yaml")


def test_there_are_many() -> None:
    assert len(SLIPS) >= 90


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip["new"])
def test_a_slip_is_one_finding_in_plain_words(slip: Slip) -> None:
    assert slip["old"] in TEXT
    text = TEXT.replace(slip["old"], slip["new"], 1)
    (found,) = try_text(spec(), "my_scenario.yaml", text, lambda scenario: rehearse(spec(), scenario)).found
    assert found.finding.message.startswith(slip["says"])
    assert found.finding.remedy.startswith(slip["mend"])
    assert found.line == changed_line(text)
    assert 1 <= found.column <= len(text.splitlines()[found.line - 1]) + 1
    assert JARGON.search(str(found)) is None


def changed_line(text: str) -> int:
    return next(
        number
        for number, (ours, slipped) in enumerate(zip(TEXT.split("\n"), text.split("\n"), strict=True), 1)
        if ours != slipped
    )


def test_a_name_that_the_core_shall_refuse_may_be_unknown() -> None:
    """Who expects the refusal wrote it on purpose."""
    expected = TEXT.replace(
        "step: request_responder, facts: {responder_called: local_emergency}}",
        "step: request_respnder, facts: {responder_called: local_emergncy}, expect: {refused: unknown_step}}",
    )
    document = try_text(spec(), "my_scenario.yaml", expected, lambda scenario: rehearse(spec(), scenario))
    assert isinstance(document.scenario, Scenario)
    assert not any("request_respnder" in one.finding.message for one in document.found)
