"""A migration never carries an open obligation over weakened without a clinician's name."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from protocol import commands as c
from protocol.migrating import Plan, plan
from protocol.spec import ProtocolSpec
from tests.protocol.specs import OBLIGATIONS, STEPS, duty, protocol
from tests.protocol.story import Story, code
from tests.protocol.test_migrating import SIGNED, move

REACHED = [{"reached": "client"}]
SPEAK = duty(
    "2h", [{"entered": "assessment"}], REACHED, contact=True, waived_by=["supervisor"],
    waived_when={"risk": {"at_most": "low"}},
)  # fmt: skip


def version(speak: dict[str, Any], name: str = "speak", way: dict[str, Any] | None = None, **more: Any) -> ProtocolSpec:
    number = "1.0.0" if way is None else "2.0.0"
    ways = {} if way is None else {"migrates_from": {"1.0.0": way}}
    return protocol(version=number, obligations={**OBLIGATIONS, name: speak}, **ways, **more)


OLD = version(SPEAK)


def begun() -> Story:
    story = Story.begun(OLD)
    assert story.owed("speak")
    return story


WEAKER: dict[str, dict[str, Any]] = {
    "one more way": {"met_by": [*REACHED, {"reached": "family"}]},
    "another way": {"met_by": [{"done": "calm"}], "contact": False},
    "no contact": {"contact": False},
    "an attempt is enough": {"contact": False, "met_by": [{"attempted": "client"}], "duty_to_try": True},
    "a lesser concern": {"concern": "administrative"},
    "another owner": {"owner": "supervisor"},
    "waived by more": {"waived_by": ["supervisor", "therapist"]},
    "waived more often": {"waived_when": {"risk": {"at_most": "high"}}},
    "waived always": {"waived_when": None},
}


@pytest.mark.parametrize("policy", ["keep", "shorten", "rearm"])
@pytest.mark.parametrize("weaker", WEAKER.values(), ids=WEAKER)
def test_what_asks_less_needs_a_name(weaker: dict[str, Any], policy: str) -> None:
    onto = version({**SPEAK, **weaker}, way={"obligations": {"speak": {"deadline": policy}}})
    story = begun()
    refused = move(story, onto)
    assert code(refused) == "sign_off_needed"
    assert refused.refusal is not None
    assert "speak-1: weakened" in refused.refusal.missing
    assert code(move(story, onto, **SIGNED)) is None
    assert story.episode.protocol_version == "2.0.0"


def test_the_plan_says_what_is_weaker() -> None:
    onto = version({**SPEAK, "met_by": [*REACHED, {"reached": "family"}]}, way={})
    planned = plan(OLD, onto, begun().episode, begun().now)
    assert isinstance(planned, Plan)
    (speak,) = [one for one in planned.moved if one.obligation == "speak"]
    assert (speak.effect, speak.weaker) == ("weakened", ("evidence added: can now be ended when family is reached",))


def test_another_name_is_no_way_round() -> None:
    letter = {**SPEAK, "concern": "administrative", "contact": False, "met_by": [{"attempted": "client"}]}
    onto = version(letter, "letter", {"obligations": {"speak": {"to": "letter"}}})
    assert code(move(begun(), onto)) == "sign_off_needed"


@pytest.mark.parametrize(
    ("changed", "way"),
    [
        ({}, {}),
        ({"met_by": [{"reached": "client", "when": {"safe": "yes", "if_unknown": "fails"}}]}, {}),
        ({"waived_by": []}, {}),
        ({"ladder": "now"}, {}),
        ({"title": "Speak again"}, {"obligations": {"speak": {"deadline": "shorten"}}}),
        ({}, {"obligations": {"speak": {"to": "speak_again"}}}),
    ],
)
def test_what_asks_as_much_or_more_needs_none(changed: dict[str, Any], way: dict[str, Any]) -> None:
    """A kept duty keeps the ladder that it has, whatever the new one is like."""
    name = "speak_again" if "to" in str(way) else "speak"
    assert code(move(begun(), version({**SPEAK, **changed}, name, way))) is None


def test_evidence_under_a_new_name_is_the_same_evidence() -> None:
    told = {**SPEAK, "contact": False, "met_by": [{"done": "calm"}]}
    steps = {**STEPS, "soothe": STEPS["calm"]}
    before = version(told)
    after = version({**told, "met_by": [{"done": "soothe"}]}, way={"steps": {"calm": "soothe"}}, steps=steps)
    story = Story.begun(before)
    planned = plan(before, after, story.episode, story.now)
    assert not isinstance(planned, Plan) or not planned.needs_sign_off


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ({"obligations": {"speek": {"deadline": "shorten"}}}, "Did you mean `speak`?"),
        ({"facts": {"saf": "safe_now"}}, "Did you mean `safe`?"),
    ],
)
def test_a_name_that_the_older_version_does_not_have_is_refused(way: dict[str, Any], says: str) -> None:
    refused = move(begun(), version(SPEAK, way=way))
    assert code(refused) == "no_way_written"
    assert refused.refusal is not None
    assert says in refused.refusal.remedy


def test_without_a_name_no_attempt_ends_a_contact_that_was_open() -> None:
    """Versions drawn at random: whatever is moved unsigned still waits for the client to be reached."""
    random, accepted, refused = Random(11), 0, 0
    for _ in range(150):
        changed = {key: value for one in random.sample(list(WEAKER.values()), 2) for key, value in one.items()}
        speak = {**SPEAK, **(changed if random.random() < 0.7 else {})}
        name = random.choice(("speak", "letter"))
        carry = {"to": name, "deadline": random.choice(("keep", "shorten", "rearm"))}
        story = begun()
        receipt = move(story, version(speak, name, {"obligations": {"speak": carry}}))
        accepted, refused = accepted + (receipt.refusal is None), refused + (receipt.refusal is not None)
        story.do(c.RecordContact, party="client", channel="phone", outcome="no_answer")
        story.do(c.RecordContact, party="client", channel="phone", outcome="voicemail")
        assert story.owed(name if receipt.refusal is None else "speak")
    assert min(accepted, refused) > 20
