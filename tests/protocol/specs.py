"""A compact protocol that uses every word of the language once.

The protocol means nothing clinically; each rule of the core has one place here where it can be seen alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from protocol.spec import ProtocolSpec

P: dict[str, Any] = {"grade": "P"}

ROLES = {
    "therapist": {"title": "Therapist", "licensed": True},
    "supervisor": {"title": "Supervisor", "licensed": True},
    "peer": {"title": "Peer"},
}
FACTS: dict[str, Any] = {
    "plan": {"ask": "A plan?", "type": "yes_no", "may_refuse": True},
    "intent": {"ask": "Intent?", "type": "yes_no", "may_refuse": True},
    "harm": {"ask": "Harm to others?", "type": "yes_no"},
    "means": {"ask": "Means?", "type": "choice", "choices": ["none", "some", "ready"], "ordered": True},
    "pain": {
        "ask": "Pain",
        "type": "number",
        "minimum": 0,
        "maximum": 10,
        "bands": {"weak": [0, 3], "middle": [4, 7], "strong": [8, 10]},
    },
    "address": {"ask": "Address", "type": "text"},
    "story": {"ask": "Story", "type": "text"},
    "signs": {"ask": "Signs", "type": "several", "choices": ["shaking", "sweating", "fever"]},
    "call_at": {"ask": "Call when?", "type": "moment"},
    "handed": {"ask": "Handed over?", "type": "yes_no"},
    "consent": {"ask": "Consent?", "type": "yes_no"},
    "told": {"ask": "Was told?", "type": "yes_no"},
    "safe": {"ask": "Safe at home?", "type": "yes_no"},
    "q1": {"ask": "One", "type": "number", "minimum": 0, "maximum": 3, "may_refuse": True},
    "q2": {"ask": "Two", "type": "number", "minimum": 0, "maximum": 3},
    "q_sum": {
        "ask": "Sum",
        "type": "number",
        "minimum": 0,
        "maximum": 6,
        "bands": {"mild": [0, 3], "severe": [4, 6]},
    },
}
INSTRUMENTS = {
    "screen": {
        "title": "Screen",
        "edition": "1",
        "licence": "free",
        "items": [{"fact": "plan"}, {"fact": "intent", "asked_when": {"plan": "yes"}}],
        "source": P,
    },
    "scale": {
        "title": "Scale",
        "edition": "1",
        "licence": "free",
        "items": [{"fact": "q1"}, {"fact": "q2"}],
        "score": "q_sum",
        "source": P,
    },
}
TABLES = {
    "care": {
        "title": "Level of care",
        "outcomes": {"stay": "Stay", "more": "More sessions", "hospital": "Hospital"},
        "unknown_as": {"means": "ready"},
        "rows": [
            {"when": {"risk": {"at_least": "high"}}, "then": "hospital", "because": "high"},
            {"when": {"means": "ready"}, "then": "more", "because": "means"},
            {"when": {"not": {"means": "ready"}}, "then": "stay", "because": "else"},
        ],
        "source": P,
    },
}
RISK = {
    "initial": "none",
    "rules": [
        {"level": "moderate", "when": {"screen.status": "unfinished"}, "because": "unfinished", "source": P},
        {"level": "low", "when": {"pain": {"at_least": "strong"}, "if_unknown": "fails"}, "because": "p", "source": P},
        {"level": "high", "when": {"q_sum": "severe", "if_unknown": "fails"}, "because": "sum", "source": P},
        {"level": "high", "when": {"plan": "yes", "if_unknown": "fails"}, "because": "plan", "source": P},
        {"level": "imminent", "when": {"intent": "yes", "if_unknown": "fails"}, "because": "intent", "source": P},
        {"level": "imminent", "when": {"harm": "yes", "if_unknown": "fails"}, "because": "harm", "source": P},
    ],
    "lowering": {
        "step": "reassess",
        "roles": ["therapist"],
        "requires": {"screen.status": "complete"},
        "requires_words": "Finish the screen.",
    },
}
BOTH = ["therapist", "supervisor"]
STEPS: dict[str, Any] = {
    "start": {"title": "Start", "form": ["address"], "roles": ["therapist"]},
    "screening": {"title": "Screen", "instruments": ["screen"], "roles": BOTH, "after": ["start"]},
    "calm": {"title": "Calm", "roles": BOTH, "skip_cosigned_by": ["supervisor"], "sets": {"told": "yes"}},
    "extra": {"title": "Extra", "roles": ["therapist"]},
    "relapse_talk": {"title": "Relapse", "roles": ["therapist"]},
    "plan_review": {"title": "Review", "form": ["safe"], "roles": ["therapist"]},
    "reassess": {"title": "Re-assess", "roles": BOTH, "instruments": ["screen"], "any_stage": True},
}
STAGES: dict[str, Any] = {
    "assessment": {
        "title": "Assessment",
        "steps": [
            {"step": "start"},
            {"step": "screening"},
            {"step": "extra", "when": {"pain": "strong", "if_unknown": "fails"}},
        ],
        "next": ["coping", "follow_up"],
    },
    "coping": {
        "title": "Coping",
        "steps": [{"step": "calm"}, {"step": "extra", "required": False}],
        "next": ["follow_up"],
        "leave_when": {"told": "yes", "if_unknown": "fails"},
        "leave_needs": "Tell the client.",
    },
    "follow_up": {"title": "Follow-up", "steps": [{"step": "plan_review", "required": False}]},
    "emergency_response": {"title": "Emergency", "kind": "emergency", "next": ["follow_up"]},
    "closed": {"title": "Closed", "kind": "closed"},
}
PARTIES = {
    "client": {"title": "Client", "on_reached": {"told": "yes"}},
    "family": {
        "title": "Family",
        "permitted": {"consent": "yes", "if_unknown": "fails"},
        "refusal": "No consent for family.",
    },
}
DECISIONS = {
    "step_up": {
        "title": "Step up",
        "question": "?",
        "options": {
            "stay": {"title": "Stay"},
            "more": {"title": "More"},
            "hospital": {"title": "Hospital", "refer": "bed finder"},
        },
        "advice": "care",
        "shows": ["means", "signs", "pain"],
        "roles": ["therapist"],
        "cosigned_by": ["supervisor"],
        "cosign": "below_advice",
        "criteria": "House criteria 1",
        "source": P,
    },
    "report": {
        "title": "Report",
        "question": "?",
        "options": {"no": {"title": "No"}, "yes": {"title": "Yes", "refer": "hotline"}},
        "roles": BOTH,
        "cosigned_by": ["supervisor", "therapist"],
        "criteria": "Law 1",
        "source": P,
    },
    "plain": {
        "title": "Plain",
        "question": "?",
        "options": {"left": {"title": "L"}, "right": {"title": "R"}},
        "roles": BOTH,
        "criteria": "None",
        "source": P,
    },
}


def ladder(starts: str, lead: str | None = None) -> dict[str, Any]:
    rungs = [
        {"page": "owner", "channels": ["email"], "wait": "10m"},
        {"page": "supervisor", "channels": ["email", "webhook"], "wait": "20m"},
    ]
    lead_key = {} if lead is None else {"lead": lead}
    return {"title": starts, "starts": starts, "rungs": rungs, "repeat": "30m", "lease": "45m", "source": P, **lead_key}


LADDERS = {
    "late": ladder("at_due"),
    "soon": ladder("before_due", "30m"),
    "now": ladder("at_opening"),
    "addressee": {**ladder("at_opening"), "rungs": [{"page": "addressee", "channels": ["email"], "wait": "5m"}]},
}


def duty(due: Any, opens: list[Any], met_by: list[Any], ladder: str = "late", **more: Any) -> dict[str, Any]:
    """An obligation with the usual rest."""
    usual = {"title": "Duty", "concern": "safety", "owner": "owner", "clock": "safety", "source": P}
    return {**usual, "due": due, "opens": opens, "met_by": met_by, "ladder": ladder, **more}


OBLIGATIONS: dict[str, Any] = {
    "finish_assessment": duty("2h", [{"entered": "assessment"}], [{"left": "assessment"}], title="Finish"),
    "first_contact": duty(
        {"by": "peak_risk", "values": {"imminent": "12h", "high": "24h"}, "otherwise": "72h"},
        [{"entered": "follow_up"}, {"event": "risk_raised", "when": {"stage": "follow_up"}}],
        [{"reached": "client"}],
        contact=True,
        title="Speak to the client",
        waived_by=["supervisor"],
        waived_when={"risk": {"at_most": "low"}},
    ),
    "dispatch": duty(
        "5m",
        [{"entered": "emergency_response"}],
        [{"when": {"handed": "yes", "if_unknown": "fails"}}],
        "now",
        title="Hand over",
    ),
    "again": duty("1h", [{"event": "emergency_declared"}], [{"done": "reassess"}], "soon", reopening="keep"),
    "try_client": duty("3h", [{"not_reached": "client"}], [{"attempted": "client"}], "soon", at_most=2),
    "decide_step_up": duty(
        "4h",
        [{"when": {"risk": {"at_least": "high"}}}],
        [{"decided": "step_up"}],
        title="Decide",
    ),
    "confirm_bed": duty(
        "6h",
        [{"decided": "step_up", "options": ["hospital"]}],
        [{"decided": "plain", "options": ["right"]}],
    ),
    "sign": duty(
        "24h",
        [{"event": "co_signature_needed"}],
        [{"when": {"cosignature": "none"}}],
        owner="supervisor",
    ),
    "tell_supervisor": duty(
        "15m", [{"missed": "first_contact"}], [{"acknowledged": "supervisor"}], "now", owner="supervisor"
    ),
    "call_back": duty(
        {"moment": "call_at", "plus": "15m", "ceiling": "8h"},
        [{"done": "calm"}],
        [{"reached": "client", "when": {"safe": "yes", "if_unknown": "fails"}}],
    ),
    "rescreen": duty("8h", [{"reached": "family"}], [{"refreshed": ["screen", "safe"]}]),
    "written_report": duty(
        "2wd",
        [{"decided": "report", "options": ["yes"]}],
        [{"done": "plan_review", "reached": "client"}],
        clock="business",
        concern="administrative",
        waived_by=["supervisor"],
    ),
    "same_day": duty("0d", [{"done": "screening"}], [{"done": "plan_review"}], clock="calendar", concern="care"),
    "handover_seen": duty(
        "15m",
        [{"event": "handover_offered"}],
        [{"when": {"handover": "none"}}],
        "addressee",
        waived_by=["supervisor"],
    ),
    "after_waiver": duty("1h", [{"waived": "first_contact"}, {"met": "confirm_bed"}], [{"done": "plan_review"}]),
}
NOTICES = {
    "guns": {"text": "A gun was mentioned.", "mentions": ["Gun", "rifle"]},
    "no_safety": {"text": "Not safe.", "when": {"safe": "no", "if_unknown": "fails"}},
}
REFUSALS = {
    "no_right": {
        "act": {"decided": "plain", "when": {"plain": "right", "safe": "no", "if_unknown": "fails"}},
        "because": "Not right while unsafe.",
        "remedy": "Make it safe.",
    },
    "no_review": {
        "act": {"done": "plan_review", "when": {"safe": "no", "if_unknown": "fails"}},
        "because": "Unsafe.",
        "remedy": "Make it safe.",
    },
    "no_coping": {
        "act": {"entered": "coping", "when": {"means": "ready", "if_unknown": "fails"}},
        "because": "Means are ready.",
        "remedy": "Secure the means.",
    },
}
CLOSING = {
    "roles": ["therapist"],
    "outcomes": {
        "resolved": {"title": "Resolved"},
        "moved": {"title": "Moved", "requires": ["handed"]},
    },
    "requires": {
        "risk": {"when": {"risk": {"at_most": "moderate"}}, "otherwise": "Lower the risk."},
        "handed": {"when": {"handed": "yes", "if_unknown": "fails"}, "otherwise": "Hand over first."},
    },
}


def document(**changes: Any) -> dict[str, Any]:
    """The protocol as written; `changes` replace top-level keys."""
    return {
        "protocol": "compact",
        "version": "1.0.0",
        "title": "Compact",
        "summary": "For tests.",
        "roles": ROLES,
        "facts": FACTS,
        "instruments": INSTRUMENTS,
        "tables": TABLES,
        "risk": RISK,
        "steps": STEPS,
        "stages": STAGES,
        "initial": "assessment",
        "emergency": {"stage": "emergency_response", "script": ["Help."]},
        "crisis_types": {"relapse": {"title": "Relapse", "adds": {"assessment": ["relapse_talk"]}}},
        "parties": PARTIES,
        "decisions": DECISIONS,
        "ladders": LADDERS,
        "obligations": OBLIGATIONS,
        "notices": NOTICES,
        "refusals": REFUSALS,
        "closing": CLOSING,
        "calendar": {
            "title": "Court days",
            "working_days": ["mon", "tue", "wed", "thu", "fri"],
            "holidays": {"2026-11-26": "Thanksgiving"},
            "source": P,
        },
        **changes,
    }


def protocol(**changes: Any) -> ProtocolSpec:
    """A variation of the compact protocol."""
    return ProtocolSpec.model_validate(document(**changes))


@cache
def compact() -> ProtocolSpec:
    """The compact protocol as it stands."""
    return protocol()


def with_duties(**duties: Any) -> ProtocolSpec:
    """The compact protocol with these obligations beside its own."""
    return protocol(obligations={**OBLIGATIONS, **duties})
