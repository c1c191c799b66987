"""The shipped protocols are proved; a claim that fails comes with a story that the core repeats."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from proof.claims import tables, ways
from proof.prove import prove
from proof.verdicts import Proof
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol, read_yaml
from rehearsal.rehearse import rehearse
from tests.proof.starter import starter

ROOT = Path(__file__).parents[2]
SHIPPED = ["caring_contacts", "virtual_iop_crisis", "withdrawal_monitoring"]
MINIMAL = (ROOT / "tests" / "specs" / "minimal.yaml").read_text(encoding="utf-8")


@cache
def shipped(name: str) -> Proof:
    return prove(load_protocol(ROOT / "protocol_specs" / f"{name}.yaml"))


def minimal(old: str = "", new: str = "") -> ProtocolSpec:
    assert old in MINIMAL
    return read_yaml(MINIMAL.replace(old, new, 1)).validate(ProtocolSpec)


@pytest.mark.full
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_protocol_is_proved(name: str) -> None:
    proof = shipped(name)
    assert [claim.key for claim in proof.claims if claim.verdict != "proved"] == []
    assert proof.proved
    assert proof.complete
    assert proof.findings == ()
    assert proof.explored > 1000


def test_a_story_is_told_and_repeated_by_the_core() -> None:
    spec = minimal()
    proof = prove(spec)
    assert not proof.proved
    (scenario,) = proof.counterexamples
    report = rehearse(spec, scenario)
    assert [failure.path[-2] for failure in report.failures] == ["holds"]
    mended = minimal(
        "never: {risk: imminent, stage: follow_up}",
        "never: {company: accompanied, support: present, if_unknown: fails}",
    )
    assert prove(mended).proved


def test_what_cannot_be_used_is_not_explored() -> None:
    spec = minimal("met_by: [{left: talk}]", "met_by: [{left: nowhere}]")
    proof = prove(spec)
    assert [claim.key for claim in proof.claims] == ["usable"]
    assert not proof.proved
    assert proof.complete
    assert "`nowhere` is not a stage" in proof.findings[0].message


def test_each_claim_is_told_as_soon_as_it_is_settled() -> None:
    told: list[str] = []
    proof = prove(minimal(), lambda claim: told.append(claim.key))
    assert told == [claim.key for claim in proof.claims]


def test_the_worst_case_until_somebody_is_paged() -> None:
    paging = {one.level: one for one in prove(minimal()).paging}
    assert (paging["imminent"].paged, paging["imminent"].last_rung) == (0, 120)
    assert paging["high"].paged is None, "care is decided once, after the first rise of the peak"
    assert "low" not in paging, "no rule raises the risk to low"


def test_what_the_document_itself_shows_is_refuted_without_a_story() -> None:
    steps, ends = "    steps: [{step: make_plan}]", "met_by: [{left: planning}]"
    circle = starter((steps, f"{steps}\n    next: [talking]"), (ends, "met_by: [{done: make_plan}]"))
    asked = "steps: [{step: ask}]"
    unasked = starter((asked, "steps: [{step: ask}]\n    leave_when: {later: yes, if_unknown: holds}"),
                      ("facts:\n", "facts:\n  later: {ask: Later, type: yes_no}\n"))  # fmt: skip
    assert tables.loops(starter()).verdict == ways.asked_before(starter()).verdict == "proved"
    for claim in (tables.loops(circle), ways.asked_before(unasked)):
        assert claim.verdict == "refuted"
        assert all(doubt.scenario is None for doubt in claim.doubts)
