"""A duty that is deleted is missed: each safety duty of the crisis protocol, or it stands below with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocol.check import check
from protocol.spec import ProtocolSpec
from protocol_specs.loader import load_protocol

SPEC = load_protocol(Path(__file__).parents[2] / "protocol_specs/virtual_iop_crisis.yaml")
DOCUMENT = json.loads(SPEC.canonical())

RETRIES = "opened by a failed attempt under a table's advice: which attempt it was is gone a moment later"
FORM = "opened by a step together with an answer of it, which may be corrected later without the step"
SCREENS = "opened by screens whose items together are more than a proof looks at"
CALLS = "opened by a lost connection at one level among several that open other calls; the decision on it is proved"
UNPROVED = {
    **dict.fromkeys(("retry_soon", "retry_same_day", "retry_daily", "forced_decision", "supervisor_decision"), RETRIES),
    **dict.fromkeys(("supervisor_told_of_miss", "contact_person_tonight"), RETRIES),
    **dict.fromkeys(
        ("naloxone_second_dose", "means_confirmed_72h", "withdrawal_daily", "medical_referral_today"), FORM
    ),
    **dict.fromkeys(("disclosure_to_contact", "overdose_visit_7d", "overdose_visit_30d"), FORM),
    **dict.fromkeys(("first_call_back", "three_call_backs", "call_backs_today", "emergency_contact_call"), CALLS),
    "full_screen": SCREENS,
    "handover_answer": "opened by a hand-over, which a proof does not play",
    "live_contact": "opened by the opening alone, by how the crisis was reported",
    "safe_channel_decision": "opened by another duty that is overdue, which is proved to be owed",
    "weekly_contact": "opened by a follow-up that was met, and again by itself until the risk is over",
}
WEIGHTY = [name for name, one in SPEC.obligations.items() if one.concern == "safety" or one.source.grade in "AB"]


def missed(name: str) -> bool:
    """Whether `lint` finds that a duty is gone: a property names it, or something else depends on it."""
    left = {**DOCUMENT, "obligations": {key: one for key, one in DOCUMENT["obligations"].items() if key != name}}
    found = check(ProtocolSpec.model_validate_json(json.dumps(left)))
    return any(one.severity == "error" for one in found)


@pytest.mark.parametrize("name", WEIGHTY)
def test_a_deleted_duty_is_missed(name: str) -> None:
    assert missed(name) is (name not in UNPROVED)


def test_most_of_them_are() -> None:
    assert UNPROVED.keys() <= set(WEIGHTY)
    assert len(WEIGHTY) - len(UNPROVED) > 35
    for name in ("follow_up_24h", "step_up_decision", "supervisor_informed", "police_notice"):
        assert missed(name)


def test_a_second_signature_is_owed_by_somebody() -> None:
    """No property can say it, since a proof plays no signature that is waited for; so `lint` asks for the duty."""
    left = {name: one for name, one in DOCUMENT["obligations"].items() if name != "second_signature"}
    found = check(ProtocolSpec.model_validate_json(json.dumps({**DOCUMENT, "obligations": left})))
    assert "a second signature that is missing is owed by nobody" in [one.message for one in found]
