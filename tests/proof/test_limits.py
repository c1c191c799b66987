"""A proof that reaches a limit says so, in time and in memory, and never counts as one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from proof.claims import owed
from proof.claims.common import Ground
from proof.explore import TELL_EVERY, Explorer
from proof.prove import prove
from proof.slices import Interest, cut
from protocol.program import program
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol, read_yaml
from tests.proof.hostile import SOUND, WEARING
from tests.protocol_specs.test_hostile_protocol import HOSTILE

ROOT = Path(__file__).parents[2]
TEXT = (Path(__file__).parents[1] / "specs" / "minimal.yaml").read_text(encoding="utf-8")


def minimal(old: str = "", new: str = "") -> ProtocolSpec:
    assert old in TEXT
    return read_yaml(TEXT.replace(old, new, 1)).validate(ProtocolSpec)


def test_an_exhausted_budget_is_not_proved() -> None:
    ground = Ground(program(minimal()))
    ground.steps_left = 100
    claim = owed.emergency(ground)
    assert claim.verdict == "open"
    assert "Explored" in claim.how
    assert "not proved" in claim.how
    assert all(doubt.scenario is None for doubt in claim.doubts)


def test_it_is_told_how_far_a_proof_is() -> None:
    """By the configurations of all explorations so far, so that the number never goes back."""
    heard: list[int] = []
    proof = prove(load_protocol(ROOT / "protocol_specs/caring_contacts.yaml"), going=heard.append)
    assert heard, "a slice has more configurations than go by in silence"
    assert heard == sorted(heard)
    assert heard[-1] >= proof.explored - TELL_EVERY * len(proof.claims)


def test_too_many_answers_at_once_are_not_explored_in_part() -> None:
    facts = "".join(f"  f{n}: {{ask: Which, type: yes_no}}\n" for n in range(12))
    asked = ", ".join(f"f{n}" for n in range(12))
    terms = ", ".join(f"f{n}: yes" for n in range(12))
    text = TEXT.replace("facts:\n", "facts:\n" + facts, 1).replace("substances]", f"substances, {asked}]", 1)
    text = text.replace(
        "never: {risk: imminent, stage: follow_up}", f"always: {{{terms}, if_unknown: fails}}\n    owed: [call_back]"
    )
    proof = prove(read_yaml(text).validate(ProtocolSpec))
    (claim,) = [one for one in proof.claims if one.key == "properties.never_closed_high"]
    assert claim.verdict == "open"
    assert not proof.proved


def test_facts_that_are_too_many_together_are_named() -> None:
    """At once: a slice is not begun that can't be ended."""
    proof = prove(read_yaml(WEARING["six facts that matter"]).validate(ProtocolSpec))
    claims = [one for one in proof.claims if one.key.startswith("properties.")]
    assert {one.verdict for one in claims} == {"open"}
    assert all("It reads 6 facts together (f0, f1, f2, f3, f4, f5)" in one.how for one in claims)
    assert sum(one.steps for one in claims) < 1000


def test_answers_that_make_no_difference_cost_nothing() -> None:
    proof = prove(read_yaml(WEARING[SOUND]).validate(ProtocolSpec))
    assert proof.proved
    assert sum(one.steps for one in proof.claims if one.key.startswith("properties.")) < 1000


def test_a_slice_can_do_what_its_protocol_does() -> None:
    """What is left out may happen: the talk may be left at once, though its steps are not done."""
    compiled = program(minimal())
    slice_ = cut(compiled, Interest(frozenset({"stage"}), ("talk_limit",)))
    seen: set[str] = set()

    def watch(_before: object, step: object) -> bool:
        seen.add(step.episode.stage)  # type: ignore[attr-defined]
        return False

    explored = Explorer(slice_, watch).run()
    assert explored.complete
    assert seen == {"talk", "settle", "emergency", "closed"}, "settle stands for every stage like it"


def test_an_episode_may_begin_with_any_kind_of_crisis() -> None:
    """A duty that only an overdose opens, at the very beginning, is seen to be missing otherwise."""
    claimed = "always: {stage: talk, crisis.overdose: yes}\n    owed: [letter]"
    text = TEXT.replace("never: {risk: imminent, stage: follow_up}", claimed)
    opens = "opens: [{event: episode_opened, when: {crisis.overdose: yes}}]"
    told = read_yaml(text.replace("opens: [{met: care_decision}]", opens)).validate(ProtocolSpec)
    (claim,) = [one for one in prove(told).claims if one.key == "properties.never_closed_high"]
    (doubt,) = claim.doubts
    assert doubt.scenario is not None, "an overdose that is reported later opens no letter"
    assert "record_crisis_type" in [entry.do for entry in doubt.scenario.steps]


ALONE = """
import sys, time
from proof.prove import prove
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol, read_yaml
from tests.memory import peak_kilobytes
from tests.proof.hostile import WEARING
from tests.protocol_specs.test_hostile_protocol import HOSTILE
spec = read_yaml({**HOSTILE, **WEARING}[sys.argv[1]]).validate(ProtocolSpec)
began = time.process_time()
proof = prove(spec)
seconds = time.process_time() - began
print(proof.proved, len(proof.findings), seconds, peak_kilobytes())
"""
"""In a process of its own: memory is that of one proof, not of the tests before it."""


@pytest.mark.full
@pytest.mark.parametrize("name", [*HOSTILE, *WEARING])
def test_a_hostile_protocol_is_answered_in_time(name: str) -> None:
    told = subprocess.run([sys.executable, "-c", ALONE, name], capture_output=True, text=True, check=True, cwd=ROOT)
    proved, findings, seconds, kilobytes = told.stdout.split()
    assert (proved == "True") is (name == SOUND)
    assert (int(findings) == 0) is (name == SOUND)
    assert float(seconds) < 2, "seconds of work"
    assert int(kilobytes) < 500 * 1024
