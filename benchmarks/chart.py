"""One small protocol and the same work written by hand, so that every engine does the same thing.

A round is four steps: answer and finish the screening, advance (guarded), reach the client, go back.
Advancing ends one obligation and opens another; reaching the client ends it; going back opens the first again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from protocol import commands as c
from protocol import events as e
from protocol.decide import decide
from protocol.episode import Episode
from protocol.evolve import evolve
from protocol.program import program
from protocol.spec import RANK, ProtocolSpec

NOW = datetime(2026, 12, 4, 16, tzinfo=UTC)
ANSWERS = {"plan": "no", "told": "yes"}
SOURCE = {"grade": "P"}
STEPS_OF_A_ROUND = 4


YES_NO = {"ask": "?", "type": "yes_no"}
RULES = (("intent", "imminent"), ("plan", "high"), ("craving", "moderate"), ("worried", "low"))
OWED = {"assessment": "finish", "follow_up": "contact"}
HOURS = {"high": 24, "imminent": 12}
DUTY = {"title": "D", "concern": "safety", "owner": "owner", "clock": "safety", "ladder": "l", "source": SOURCE}
DUTIES = {
    "finish": {**DUTY, "due": "2h", "opens": [{"entered": "assessment"}], "met_by": [{"left": "assessment"}]},
    "contact": {
        **DUTY,
        "due": {
            "by": "peak_risk",
            "values": {level: f"{hours}h" for level, hours in HOURS.items()},
            "otherwise": "72h",
        },
        "opens": [{"entered": "follow_up"}],
        "met_by": [{"reached": "client"}],
    },
}
STAGES = {
    "assessment": {
        "title": "A",
        "steps": [{"step": "screening"}],
        "next": ["follow_up"],
        "leave_when": {"told": "yes", "if_unknown": "fails"},
    },
    "coping": {"title": "K", "next": ["follow_up"]},
    "follow_up": {"title": "F"},
    "emergency_response": {"title": "E", "kind": "emergency", "next": ["follow_up"]},
    "closed": {"title": "C", "kind": "closed"},
}
RUNGS = [{"page": "owner", "channels": ["email"], "wait": "15m"}]
LADDER = {"title": "L", "starts": "at_due", "rungs": RUNGS, "repeat": "30m", "lease": "30m", "source": SOURCE}


def protocol() -> ProtocolSpec:
    """The chart as a protocol."""
    rules = [
        {"level": level, "when": {fact: "yes", "if_unknown": "fails"}, "because": fact, "source": SOURCE}
        for fact, level in RULES
    ]
    return ProtocolSpec.model_validate(
        {
            "protocol": "chart",
            "version": "1.0.0",
            "title": "Chart",
            "summary": "For measuring.",
            "roles": {"therapist": {"title": "T", "licensed": True}},
            "facts": dict.fromkeys(("plan", "intent", "craving", "worried", "told"), YES_NO),
            "risk": {"initial": "none", "rules": rules, "lowering": {"step": "screening", "roles": ["therapist"]}},
            "steps": {"screening": {"title": "S", "roles": ["therapist"], "form": ["plan", "told"]}},
            "stages": STAGES,
            "initial": "assessment",
            "emergency": {"stage": "emergency_response", "script": ["x"]},
            "parties": {"client": {"title": "C"}},
            "ladders": {"l": LADDER},
            "obligations": DUTIES,
            "closing": {"roles": ["therapist"], "outcomes": {"done": {"title": "D"}}},
        }
    )


SPEC = protocol()


def command(kind: type[Any], **fields: Any) -> c.Command:
    """A command of the bench therapist."""
    return kind(command_id="c", actor="mara", role="therapist", occurred_at=NOW, **fields)


OPENING = command(c.OpenEpisode, episode_id="e", client_ref="x", owner="mara")
ROUND: dict[str, c.Command] = {
    "finish a step": command(c.CompleteStep, step="screening", facts=ANSWERS),
    "advance": command(c.Advance),
    "reach the client": command(c.RecordContact, party="client", channel="phone", outcome="reached"),
    "go back": command(c.GoBack, to="assessment", reason="more to do"),
}


class Record:
    """The same rules written by hand for this one chart; the other engines call them from their guards and actions.

    They leave the same events and the same frozen episode behind, so that nobody is compared with less work.
    """

    def __init__(self) -> None:
        opened = decide(SPEC, None, OPENING, NOW).episode
        assert opened is not None
        self.episode: Episode = opened
        self.events: list[e.Event] = []
        self.ladder = program(SPEC).ladders["l"]

    def emit(self, event: e.Event) -> None:
        """Keep an event and fold it."""
        self.events.append(event)
        self.episode = evolve(self.episode, event)

    def screen(self) -> None:
        """Answer, judge the risk, finish the step."""
        self.events = []
        self.emit(e.FactsRecorded(ANSWERS, NOW))
        facts = self.episode.facts
        for fact, level in RULES:
            known = facts.get(fact)
            if known is not None and known.value == "yes" and RANK[level] > RANK[self.episode.risk]:
                self.emit(e.RiskRaised(level, self.episode.risk, fact, 0, NOW))
                break
        self.emit(e.StepCompleted("screening", "", NOW))

    def may_leave(self) -> bool:
        """The guard of advancing."""
        told = self.episode.facts.get("told")
        return "screening" in self.episode.steps and told is not None and told.value == "yes"

    def enter(self, stage: str, reason: str = "") -> None:
        """Leave one stage, enter the other, end and open what is owed."""
        self.events = []
        self.emit(e.StageEntered(stage, self.episode.stage, reason, NOW))
        for owed in list(self.episode.obligations.values()):
            if owed.obligation == "finish" and stage != "assessment":
                self.emit(e.ObligationMet(owed.obligation_id, "finish", owed.due_at < NOW, NOW))
        if stage in OWED:
            kind = OWED[stage]
            tally = self.episode.tallies.get(kind)
            number = (tally.opened if tally else 0) + 1
            hours = 2 if kind == "finish" else HOURS.get(self.episode.peak_risk, 72)
            due = NOW + timedelta(hours=hours)
            self.emit(e.ObligationOpened(f"{kind}-{number}", kind, "owner", due, due, self.ladder, NOW))

    def back(self) -> None:
        """Return to the assessment."""
        self.enter("assessment", "more to do")

    def reach(self) -> None:
        """A live contact."""
        self.events = []
        self.emit(e.ContactMade("client", "phone", "", "", NOW))
        for owed in list(self.episode.obligations.values()):
            if owed.obligation == "contact":
                self.emit(e.ObligationMet(owed.obligation_id, "contact", owed.due_at < NOW, NOW))
