"""A protocol reduced to what one property can notice, small enough to be explored in full on the core itself.

Everything that is kept behaves as written. Everything that is left out may happen at any moment or never: a coin, a
fact that anybody may record at any time, stands for it. So a slice can do all that the protocol can do, and more:
what holds in the slice holds in the protocol, and what fails in it must first be shown on the protocol itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from proof.reading import is_plain, read_by, reads, untangled, worst_seconds
from protocol.conditions import AllOf, AnyOf, Condition, Guard, Not, Test, tests_in
from protocol.duties import DueMoment, DueTable, Evidence, Obligation, Trigger
from protocol.elements import Fact
from protocol.pages import Pages
from protocol.program import Program
from protocol.spec import LEVELS, Closing, Outcome, ProtocolSpec, RiskRule, Stage, StageStep, Step

OPENS, ENDS, RISES, IF = "coin_opens_", "coin_ends_", "coin_rises_", "coin_if_"
"""How coins are named: a duty opens, a duty ends, the risk rises, a condition holds."""
COIN = Fact(ask="Chance", type="yes_no")
LEVELLED = ("risk", "peak_risk")


@dataclass(frozen=True)
class Interest:
    """What a property looks at."""

    names: frozenset[str] = frozenset()
    """Readable names that are kept exactly."""
    duties: tuple[str, ...] = ()
    """Obligations that are kept."""
    parties: frozenset[str] = frozenset()
    exact: bool = False
    """What leads from stage to stage is kept as written: leaving conditions, refusals, places of steps."""
    blurred: bool = False
    """Duties may open at any moment, whatever their triggers say."""
    places: frozenset[str] = frozenset()
    """Stages that the property tells apart although no condition or duty names them."""
    ending: bool = False
    """What closing an episode requires is kept as written, for each way of ending."""


@dataclass
class Slice:
    """The reduced protocol and what its coins stand for."""

    spec: ProtocolSpec
    interest: Interest
    pulses: list[str] = field(default_factory=list[str])
    """Coins that are thrown for a moment: they open or end a duty, or let the risk rise."""
    steady: list[str] = field(default_factory=list[str])
    """Coins that keep lying on one side: conditions."""
    outcomes: list[str] = field(default_factory=list[str])
    """Tables that are facts here."""
    stage_matters: bool = False
    extra: list[Guard] = field(default_factory=list[Guard])
    """Conditions of the property itself."""


def cut(program: Program, interest: Interest) -> Slice:
    """The slice of a protocol for an interest."""
    names = untangled(program, interest.names) - UNPLAYED
    return _Cutter(program, replace(interest, names=names)).cut()


class _Cutter:
    def __init__(self, program: Program, interest: Interest) -> None:
        self.program, self.spec, self.interest = program, program.spec, interest
        self.kept = set(interest.names) | {f"obligation.{name}" for name in interest.duties}
        self.parties = set(interest.parties)
        for name in interest.names:
            prefix, _, rest = name.partition(".")
            if prefix in ("attempts", "contact"):
                self.parties.add(rest)
        self.risk_matters = bool(self.kept & {*LEVELLED}) or (not interest.blurred and self._due_by_risk())
        self.pulses: list[str] = []
        self.steady: list[str] = []
        self.facts = {name: self.spec.facts[name] for name in interest.names if name in self.spec.facts}
        self.stands = [name for name in interest.names if name in self.spec.tables]
        self.facts |= {name: self._outcome(name) for name in self.stands}

    def _outcome(self, name: str) -> Fact:
        return Fact(ask="Outcome", type="choice", choices=tuple(self.spec.tables[name].outcomes), ordered=True)

    def _due_by_risk(self) -> bool:
        duties = [self.spec.obligations[name] for name in self.interest.duties]
        return any(isinstance(one.due, DueTable) and one.due.by in LEVELLED for one in duties)

    def cut(self) -> Slice:
        spec, kept = self.spec, self.kept
        rules = self._rules()
        duties = {name: self._duty(name) for name in self.interest.duties}
        stage_matters = "stage" in kept or any(
            part.entered if isinstance(part, Trigger) else part.left
            for one in duties.values()
            for part in (*one.opens, *one.met_by)
        )
        steps = {name: self._step(name) for name in self._steps(duties.values())}
        stages = {name: self._stage(name, one, steps) for name, one in spec.stages.items()}
        refusals = {name: one for name, one in spec.refusals.items() if self._refuses(one.act, steps)}
        fields: dict[str, Any] = {
            **{name: getattr(spec, name) for name in type(spec).model_fields},
            "protocol": "slice",
            "references": {},
            "instruments": self._instruments(),
            "tables": self._tables(),
            "techniques": {},
            "steps": steps,
            "stages": stages,
            "risk": spec.risk.model_copy(update={"rules": rules, "lowering": self._lowering()}),
            "crisis_types": {
                name: one.model_copy(update={"adds": {}})
                for name, one in spec.crisis_types.items()
                if f"crisis.{name}" in kept
            },
            "parties": {
                name: spec.parties[name].model_copy(
                    update={
                        "permitted": None,
                        "on_reached": {k: v for k, v in spec.parties[name].on_reached.items() if k in self.facts},
                    }
                )
                for name in spec.parties
                if name in self.parties
            },
            "decisions": {
                name: one.model_copy(update={"advice": None, "shows": (), "cosign": "always"})
                for name, one in spec.decisions.items()
                if name in kept
            },
            "obligations": duties,
            "notices": {},
            "refusals": refusals,
            "closing": self._closing(),
            "pages": Pages(),
            "properties": {},
        }
        fields["facts"] = {**self.facts, **dict.fromkeys((*self.pulses, *self.steady), COIN)}
        reduced = ProtocolSpec.model_construct(**fields)
        return Slice(reduced, self.interest, self.pulses, self.steady, self.stands, stage_matters)

    def _closing(self) -> Closing:
        """Closing requires nothing here, or what it requires without its unknown parts."""
        closing = self.spec.closing
        if not self.interest.ending:
            return Closing(roles=closing.roles, outcomes={"end": Outcome(title="End")}, requires={})
        weaker = {name: self._if_known(one.when) for name, one in closing.requires.items()}
        requires = {
            name: closing.requires[name].model_copy(update={"when": when})
            for name, when in weaker.items()
            if when is not None
        }
        outcomes = {
            name: one.model_copy(update={"requires": tuple(each for each in one.requires if each in requires)})
            for name, one in closing.outcomes.items()
        }
        return closing.model_copy(update={"outcomes": outcomes, "requires": requires})

    def _tables(self) -> dict[str, Any]:
        """Tables that can be read because all is kept that they read."""
        tables = [name for name in self.spec.tables if name not in self.stands]
        known = [name for name in tables if self._known(Test(name, "known", ("yes",)))]
        return {name: self.spec.tables[name] for name in known if not self._stood_for(name)}

    def _stood_for(self, name: str) -> bool:
        """Whether its own facts are not kept: then a table that nobody asked for would read nothing."""
        return is_plain(self.program, name) and not self.program.readers.bases(reads(name)) <= self.kept

    def _instruments(self) -> dict[str, Any]:
        bases, kept = self.program.readers.bases, self.kept
        found = {name: one for name, one in self.spec.instruments.items() if bases(reads(f"{name}.status")) <= kept}
        return {name: one.model_copy(update={"score": None}) for name, one in found.items()}

    # Conditions

    def _known(self, condition: Condition) -> bool:
        """Whether everything that a condition depends on is kept."""
        return read_by(self.program, Guard(condition)) <= self.kept or (
            self.program.readers.bases(Guard(condition)) <= self.kept
        )

    def _guard(self, guard: Guard | None, coin: str) -> Guard | None:
        """The guard with a coin for what is not kept."""
        if guard is None or self._known(guard.condition):
            return guard
        if not any(test.name in self.kept for test in tests_in(guard.condition)):
            return self._coin(coin)
        holds = Test(self._steady(coin), "is", ("yes",))
        return Guard(self._either(guard.condition, holds), guard.if_unknown or "fails")

    def _if_known(self, guard: Guard | None) -> Guard | None:
        """What stands before an act that nobody must do, without its unknown parts: then more is possible."""
        weaker = weakened(guard.condition, self._known) if guard is not None else None
        return None if guard is None or weaker is None else Guard(weaker, guard.if_unknown)

    def _either(self, condition: Condition, coin: Condition) -> Condition:
        """Parts that are not kept count as the coin says."""
        if self._known(condition):
            return condition
        match condition:
            case Test():
                return coin
            case AllOf(terms):
                return AllOf(tuple(self._either(term, coin) for term in terms))
            case AnyOf(terms):
                return AnyOf(tuple(self._either(term, coin) for term in terms))
            case Not(term):
                return Not(self._either(term, coin))

    def _coin(self, name: str) -> Guard:
        return Guard(Test(self._steady(name), "is", ("yes",)), "fails")

    def _steady(self, name: str) -> str:
        coin = f"{IF}{name}"
        if coin not in self.steady:
            self.steady.append(coin)
        return coin

    def _pulse(self, coin: str) -> Guard:
        if coin not in self.pulses:
            self.pulses.append(coin)
        return Guard(Test(coin, "is", ("yes",)), "fails")

    # Parts

    def _rules(self) -> tuple[RiskRule, ...]:
        """Rules over kept names as written; any other may raise the risk at any moment."""
        if not self.risk_matters:
            return ()
        exact = [rule for rule in self.spec.risk.rules if self._known(rule.when.condition)]
        levels = {rule.level for rule in self.spec.risk.rules if rule not in exact}
        free = [
            RiskRule(level=level, when=self._pulse(f"{RISES}{level}"), because="it rises", source=self._source())
            for level in LEVELS
            if level in levels
        ]
        return (*exact, *free)

    def _source(self) -> Any:
        return self.spec.risk.rules[0].source

    def _lowering(self) -> Any:
        lowering = self.spec.risk.lowering
        requires = lowering.requires
        known = requires is None or self._known(requires.condition)
        return lowering.model_copy(update={"requires": requires if known else None})

    def _steps(self, duties: Iterable[Obligation]) -> set[str]:
        named = {name.removeprefix("step.") for name in self.kept if name.startswith("step.")}
        for one in duties:
            named |= {part.done for part in (*one.opens, *one.met_by) if part.done}
        return named | ({self.spec.risk.lowering.step} if self.risk_matters else set())

    def _step(self, name: str) -> Step:
        step = self.spec.steps[name]
        placed = step.any_stage or not (self.interest.exact and "stage" in self.kept)
        return step.model_copy(
            update={
                "form": (),
                "optional": (),
                "instruments": (),
                "techniques": (),
                "guidance": (),
                "after": (),
                "any_stage": placed,
                "sets": {fact: value for fact, value in step.sets.items() if fact in self.facts},
            }
        )

    def _stage(self, name: str, stage: Stage, steps: dict[str, Step]) -> Stage:
        own = tuple(
            StageStep(step=one.step, required=False, when=self._if_known(one.when))
            for one in stage.steps
            if one.step in steps and not steps[one.step].any_stage
        )
        if stage.kind == "closed":
            return stage
        if self.interest.exact:
            return stage.model_copy(update={"steps": own, "leave_when": self._if_known(stage.leave_when)})
        # Any open stage may follow: that covers going back, whatever was left before.
        others = tuple(one for one, other in self.spec.stages.items() if one != name and other.kind == "open")
        return stage.model_copy(update={"steps": own, "leave_when": None, "next": others})

    def _refuses(self, act: Trigger, steps: dict[str, Step]) -> bool:
        if not self.interest.exact or (act.when is not None and not self._known(act.when.condition)):
            return False
        return act.entered is not None or act.done in steps or (act.decided or "") in self.kept

    # Duties

    def _duty(self, name: str) -> Obligation:
        owed = self.spec.obligations[name]
        return owed.model_copy(
            update={
                "opens": tuple(dict.fromkeys(self._trigger(name, one) for one in owed.opens)),
                "met_by": self._evidences(name, owed),
                "waived_when": self._if_known(owed.waived_when),
                "due": self._due(owed),
            }
        )

    def _due(self, owed: Obligation) -> Any:
        if isinstance(owed.due, DueMoment):
            return owed.due.ceiling
        if isinstance(owed.due, DueTable) and self.interest.blurred:
            return max(owed.durations(), key=worst_seconds)
        if isinstance(owed.due, DueTable) and not read_by(self.program, reads(owed.due.by)) <= {*self.kept, *LEVELLED}:
            return max(owed.durations(), key=worst_seconds)
        return owed.due

    def _trigger(self, name: str, trigger: Trigger) -> Trigger:
        if self.interest.blurred or any(self._strange(key, value) for key, value in trigger.happenings()):
            return Trigger(when=self._pulse(f"{OPENS}{name}"))
        if not trigger.happenings() and trigger.when is not None and not self._known(trigger.when.condition):
            return Trigger(when=self._pulse(f"{OPENS}{name}"))
        return trigger.model_copy(update={"when": self._guard(trigger.when, name)})

    def _strange(self, key: str, name: str) -> bool:
        """Whether an event is about something that is not kept."""
        match key:
            case "event":
                return name in STRANGE or (name in ("risk_raised", "risk_lowered") and not self.risk_matters)
            case "done":
                return f"step.{name}" not in self.kept
            case "decided":
                return name not in self.kept
            case "opened" | "met" | "missed" | "waived":
                return name not in self.interest.duties
            case "reached" | "not_reached":
                return name not in self.parties
            case _:
                return False

    def _evidences(self, name: str, owed: Obligation) -> tuple[Evidence, ...]:
        """Evidence with its kept parts, and a coin for the rest; without any kept part it may come at any moment."""
        found = [self._evidence(name, one) for one in owed.met_by]
        bare = Evidence(when=self._pulse(f"{ENDS}{name}")) if None in found else None
        kept = dict.fromkeys(one for one in found if one is not None)
        return tuple(kept) if bare is None else (*kept, bare)

    def _evidence(self, name: str, evidence: Evidence) -> Evidence | None:
        parts = {
            "done": evidence.done if f"step.{evidence.done}" in self.kept else None,
            "decided": evidence.decided if evidence.decided in self.kept else None,
            "reached": evidence.reached if evidence.reached in self.parties else None,
            "attempted": evidence.attempted if evidence.attempted in self.parties else None,
            "left": evidence.left,
        }
        whole = all(getattr(evidence, key) == value for key, value in parts.items())
        whole = whole and evidence.acknowledged is None and not evidence.refreshed
        when = evidence.when
        if whole and (when is None or self._known(when.condition)):
            return evidence
        if not any(parts.values()):
            return None
        rest = Guard(Test(self._steady(f"met_{name}"), "is", ("yes",)), "fails")
        return evidence.model_copy(update={**parts, "refreshed": (), "acknowledged": None, "when": rest})


def weakened(condition: Condition, known: Callable[[Condition], bool]) -> Condition | None:
    """A condition that holds whenever this one does, made of its known parts; None when it always may."""
    if known(condition):
        return condition
    match condition:
        case AllOf(terms):
            kept = tuple(one for term in terms if (one := weakened(term, known)) is not None)
            return AllOf(kept) if kept else None
        case AnyOf(terms):
            some = [weakened(term, known) for term in terms]
            return None if None in some else AnyOf(tuple(one for one in some if one is not None))
        case _:
            return None


UNPLAYED = frozenset({"handover", "cosignature"})
"""What no move of a slice brings about in full; what reads it is never taken for known."""
STRANGE = ("step_skipped", "co_signature_needed", "handover_offered", "handover_accepted", "handover_declined")
"""Events that no move of a slice brings about: a coin stands for them."""
