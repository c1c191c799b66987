"""Properties that clinical operations state: about closing too, and not true for nothing."""

from __future__ import annotations

import pytest

from cli.durable import perform_async
from proof.claims.authored import VACUOUS, claims
from proof.claims.common import Ground
from proof.verdicts import Claim
from protocol.program import program
from protocol.spec import ProtocolSpec
from rehearsal.rehearse import rehearse
from tests.proof.starter import starter

NEVER_AT_IMMINENT = """
properties:
  never_closed_at_imminent:
    title: No episode is closed at imminent risk.
    never: {risk: imminent, stage: closed}
"""
LEVEL = "  requires:\n    low_enough: {when: {risk: {at_most: moderate}}, otherwise: The level is above moderate.}"
OPEN_ENDED = starter((LEVEL, "  requires: {}"), more=NEVER_AT_IMMINENT)


def claimed(spec: ProtocolSpec) -> Claim:
    (claim,) = claims(Ground(program(spec)))
    return claim


def test_how_an_episode_closes_is_part_of_what_never_happens() -> None:
    claim = claimed(OPEN_ENDED)
    assert claim.verdict == "refuted"
    ((doubt),) = claim.doubts
    assert doubt.scenario is not None
    assert doubt.scenario.steps[-1].do == "close_episode"
    report = rehearse(OPEN_ENDED, doubt.scenario)
    assert [failure.path[-2] for failure in report.failures] == ["holds"]


def test_what_closing_requires_proves_it() -> None:
    assert claimed(starter(more=NEVER_AT_IMMINENT)).verdict == "proved"


def test_a_requirement_of_one_ending_proves_nothing_about_another() -> None:
    outcomes = "    safe: {title: Safe for now}\n"
    also = "    safe: {title: Safe for now, requires: [low_enough]}\n    moved: {title: Elsewhere}\n"
    claim = claimed(starter((outcomes, also), more=NEVER_AT_IMMINENT))
    assert claim.verdict == "refuted"
    assert claim.doubts[0].scenario is not None
    assert claim.doubts[0].scenario.steps[-1].outcome == "moved"


@pytest.mark.full
async def test_the_story_of_a_closing_is_repeated_by_the_real_workflow() -> None:
    (doubt,) = claimed(OPEN_ENDED).doubts
    assert doubt.scenario is not None
    durable = await perform_async(OPEN_ENDED, doubt.scenario)
    assert [failure.path[-2] for failure in durable.failures] == ["holds"]


ASKED_FOR_NOTHING = """
properties:
  asked_for_nothing:
    title: Something is owed.
    always: {CONDITION, if_unknown: fails}
    owed: [call_back]
"""


@pytest.mark.parametrize(
    "condition",
    ["wish_to_die: yes, two_questions.status: unfinished, acting_now: no", "obligation.plan_ends: waived"],
)
def test_an_always_that_is_never_asked_says_so(condition: str) -> None:
    """An answered screen is not unfinished; and nobody may waive the end of the plan."""
    claim = claimed(starter(more=ASKED_FOR_NOTHING.replace("CONDITION", condition)))
    assert claim.verdict == "proved"
    assert claim.how.endswith(VACUOUS)


def test_one_that_is_asked_does_not() -> None:
    claim = claimed(starter(more=ASKED_FOR_NOTHING.replace("CONDITION", "contact.client: no")))
    assert claim.verdict == "proved"
    assert VACUOUS not in claim.how


@pytest.mark.parametrize(
    "condition", ["cosignature: waiting", "handover: offered", "stage: planning, cosignature: waiting"]
)
def test_what_a_proof_does_not_play_it_does_not_prove(condition: str) -> None:
    """In a slice nothing ever waits for a signature; a property about it would be true for nothing."""
    claim = claimed(starter(more=ASKED_FOR_NOTHING.replace("{CONDITION, if_unknown: fails}", f"{{{condition}}}")))
    assert claim.verdict == "open"
