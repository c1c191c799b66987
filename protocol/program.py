"""A protocol compiled for stepping: readers, the stage table, and indexes of what each event touches.

Built once a content hash and shared; it holds no episode and never changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from protocol import machine
from protocol.duties import Evidence, Obligation
from protocol.elements import elapsed_seconds
from protocol.episode import Episode
from protocol.readers import Asked, Predicate, Readers
from protocol.snapshots import LadderSnapshot, RungSnapshot
from protocol.spec import LEVELS, RANK, ProtocolSpec, Refusal

Key = tuple[str, str]
"""What happened or what changed: ("entered", stage), ("changed", name), ("event", happening) …"""


@dataclass(frozen=True, slots=True)
class Opening:
    """A trigger of an obligation."""

    obligation: str
    options: tuple[str, ...]
    holds: Predicate
    counts_anew: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """Evidence with its condition compiled."""

    evidence: Evidence
    holds: Predicate


@dataclass(frozen=True, slots=True)
class Rule:
    """A risk rule."""

    number: int
    rank: int
    level: str
    because: str
    holds: Predicate


@dataclass(frozen=True, slots=True)
class Reaction:
    """What may follow from something that happened, each in the order in which it is looked at."""

    ends: frozenset[str]
    """Obligations whose evidence it may complete."""
    rules: tuple[tuple[Rule, ...], ...]
    """Risk rules that it touches, a group a name, each highest first."""
    opens: tuple[tuple[Opening, Key | None], ...]
    """With the event that opens it; None where a condition becomes true."""
    notices: tuple[tuple[str, Predicate], ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A step in a stage and whether it belongs there now."""

    step: str
    required: bool
    applies: Predicate


class Program:
    """Everything `decide` looks up."""

    def __init__(self, spec: ProtocolSpec) -> None:
        self.spec = spec
        self.zone = ZoneInfo(spec.time_zone)
        self.readers = Readers(spec)
        self.emergency_rank = RANK[spec.emergency.at]
        self.ladders = {name: self._snapshot(name) for name in spec.ladders}
        self.asked = {name: self.readers.asked(one) for name, one in spec.instruments.items()}
        self.scores = self._scores()
        self.placed = {name: self._placed(name) for name in spec.stages}
        self.may_leave = {name: self.readers.predicate(stage.leave_when) for name, stage in spec.stages.items()}
        self.stages = machine.compile_table(machine.build(spec, self._ready()))
        self.ranked = self._ranked()
        self.rules = self._rules()
        self.lowering = self.readers.predicate(spec.risk.lowering.requires)
        self.openings, self.becoming = self._openings()
        self.proofs = {name: self._proofs(one) for name, one in spec.obligations.items()}
        self.ended_by = self._ended_by()
        self.permitted = {name: self.readers.predicate(party.permitted) for name, party in spec.parties.items()}
        self.waivable = {name: self.readers.predicate(one.waived_when) for name, one in spec.obligations.items()}
        self.notices = self._notices()
        self.phrases = [(name, phrase.lower()) for name, notice in spec.notices.items() for phrase in notice.mentions]
        self.refusals = self._refusals()
        self.awaited = self._awaited()
        self.reaction = lru_cache(maxsize=4096)(self._reaction)
        self.at_opening = self._at_opening()
        self.requirements = {name: self.readers.predicate(one.when) for name, one in spec.closing.requires.items()}

    def missing_steps(self, episode: Episode) -> list[str]:
        """Required steps of the current stage that are neither done nor skipped."""
        return [
            placed.step
            for placed in self.placed[episode.stage]
            if placed.required and placed.step not in episode.steps and placed.applies(episode)
        ]

    def comes_before(self, step: str, episode: Episode) -> bool:
        """Whether a step that others wait for belongs to this episode now; one that never comes holds up nothing."""
        places = [placed for stage in self.placed.values() for placed in stage if placed.step == step]
        return any(placed.applies(episode) for placed in places) if places else self.spec.steps[step].any_stage

    def floor(self, episode: Episode) -> str:
        """The highest level that a risk rule asks for now."""
        return next((rule.level for rule in self.ranked if rule.holds(episode)), LEVELS[0])

    def _ready(self) -> dict[str, Predicate]:
        def ready(stage: str) -> Predicate:
            may_leave = self.may_leave[stage]
            return lambda episode: not self.missing_steps(episode) and may_leave(episode)

        return {name: ready(name) for name in self.spec.stages}

    def _snapshot(self, name: str) -> LadderSnapshot:
        ladder = self.spec.ladders[name]
        rungs = tuple(RungSnapshot(r.page, tuple(r.channels), elapsed_seconds(r.wait)) for r in ladder.rungs)
        return LadderSnapshot(name, rungs, elapsed_seconds(ladder.repeat), elapsed_seconds(ladder.lease))

    def _scores(self) -> dict[str, tuple[str, tuple[Asked, ...]]]:
        """Item fact → (score fact, items), for instruments whose items are all numbers."""
        facts = self.spec.facts
        scores: dict[str, tuple[str, tuple[Asked, ...]]] = {}
        for name, instrument in self.spec.instruments.items():
            numbers = all(facts[item.fact].type == "number" for item in instrument.items)
            if instrument.score is not None and numbers:
                for item in instrument.items:
                    scores[item.fact] = (instrument.score, tuple(self.asked[name]))
        return scores

    def _placed(self, stage: str) -> tuple[Placed, ...]:
        own = [
            Placed(one.step, one.required, self.readers.predicate(one.when)) for one in self.spec.stages[stage].steps
        ]
        return (*own, *self._added(stage))

    def _added(self, stage: str) -> Iterable[Placed]:
        for name, crisis_type in self.spec.crisis_types.items():
            for step in crisis_type.adds.get(stage, ()):
                yield Placed(step, True, _is_of_type(name))

    def _ranked(self) -> tuple[Rule, ...]:
        """The risk rules, highest level first."""
        rules = [
            Rule(number, RANK[rule.level], rule.level, rule.because, self.readers.predicate(rule.when))
            for number, rule in enumerate(self.spec.risk.rules)
        ]
        return tuple(sorted(rules, key=lambda rule: -rule.rank))

    def _rules(self) -> Mapping[str, tuple[Rule, ...]]:
        """Name → the risk rules that depend on it, highest first."""
        by_name: defaultdict[str, list[Rule]] = defaultdict(list)
        for rule in self.ranked:
            for name in self.readers.bases(self.spec.risk.rules[rule.number].when):
                by_name[name].append(rule)
        return {name: tuple(rules) for name, rules in by_name.items()}

    def _openings(self) -> tuple[Mapping[Key, list[Opening]], Mapping[str, list[Opening]]]:
        """Openings by event, and by the names whose change may make their condition true."""
        by_event: defaultdict[Key, list[Opening]] = defaultdict(list)
        by_name: defaultdict[str, list[Opening]] = defaultdict(list)
        for name, obligation in self.spec.obligations.items():
            for trigger in obligation.opens:
                holds = self.readers.predicate(trigger.when)
                opening = Opening(name, trigger.options, holds, trigger.counts_anew)
                for key in trigger.happenings():
                    by_event[key].append(opening)
                if not trigger.happenings():
                    for base in self.readers.bases(trigger.when):
                        by_name[base].append(opening)
        return dict(by_event), dict(by_name)

    def _proofs(self, obligation: Obligation) -> tuple[Proof, ...]:
        return tuple(Proof(one, self.readers.predicate(one.when)) for one in obligation.met_by)

    def _ended_by(self) -> Mapping[Key, frozenset[str]]:
        """What happens or changes → the obligations whose evidence it may complete."""
        kinds: defaultdict[Key, set[str]] = defaultdict(set)
        for name, obligation in self.spec.obligations.items():
            for evidence in obligation.met_by:
                for key in self._evidence_keys(evidence):
                    kinds[key].add(name)
        return {key: frozenset(names) for key, names in kinds.items()}

    def _evidence_keys(self, evidence: Evidence) -> Iterable[Key]:
        for key in ("reached", "done", "decided", "left"):
            if (name := getattr(evidence, key)) is not None:
                yield key, name
        if evidence.attempted is not None:
            yield "reached", evidence.attempted
            yield "not_reached", evidence.attempted
        if evidence.acknowledged is not None:
            yield "event", "acknowledged"
        for name in evidence.refreshed:
            for fact in [item for item, _ in self.asked[name]] if name in self.asked else [name]:
                yield "changed", fact
        for name in self.readers.bases(evidence.when):
            yield "changed", name

    def refreshed_facts(self, evidence: Evidence, episode: Episode) -> list[str]:
        """The facts behind `refreshed`; of an instrument the items that its skip logic asks now."""
        return [
            fact
            for name in evidence.refreshed
            for fact in ([item for item, asked in self.asked[name] if asked(episode)] if name in self.asked else [name])
        ]

    def _refusals(self) -> Mapping[Key, list[tuple[Refusal, Predicate]]]:
        """Act → the clinical rules that may refuse it, in the order of the protocol."""
        by_act: defaultdict[Key, list[tuple[Refusal, Predicate]]] = defaultdict(list)
        for refusal in self.spec.refusals.values():
            for act in refusal.act.happenings():
                by_act[act].append((refusal, self.readers.predicate(refusal.act.when)))
        return dict(by_act)

    def _awaited(self) -> frozenset[Key]:
        """Every key that a trigger, an evidence, a risk rule or a notice waits for; nothing else needs a look."""
        texts = [name for name, fact in self.spec.facts.items() if fact.type == "text"] if self.phrases else []
        names = {*self.rules, *self.becoming, *self.notices, *texts}
        return frozenset({*self.openings, *self.ended_by, *(("changed", name) for name in names)})

    def _reaction(self, keys: tuple[Key, ...]) -> Reaction | None:
        """What these keys of one event touch; None when nothing waits for them."""
        touched = [key for key in keys if key in self.awaited]
        if not touched:
            return None
        changed = [name for kind, name in touched if kind == "changed"]
        return Reaction(
            frozenset[str]().union(*(self.ended_by.get(key, ()) for key in touched)),
            tuple(self.rules[name] for name in changed if name in self.rules),
            tuple(one for key in touched for one in self._opened_by(key)),
            tuple(one for name in changed for one in self.notices.get(name, ())),
        )

    def _opened_by(self, key: Key) -> Iterable[tuple[Opening, Key | None]]:
        if key[0] == "changed":
            return ((opening, None) for opening in self.becoming.get(key[1], ()))
        return ((opening, key) for opening in self.openings.get(key, ()))

    def _at_opening(self) -> tuple[Key, ...]:
        """What opening an episode means: before it nothing was true, so every condition is looked at."""
        names = sorted({*self.rules, *self.becoming, *self.notices})
        opened: tuple[Key, ...] = (("event", "episode_opened"), ("entered", self.spec.initial))
        return (*opened, *(("changed", name) for name in names))

    def _notices(self) -> Mapping[str, list[tuple[str, Predicate]]]:
        by_name: defaultdict[str, list[tuple[str, Predicate]]] = defaultdict(list)
        for name, notice in self.spec.notices.items():
            if notice.when is not None:
                holds = self.readers.predicate(notice.when)
                for base in self.readers.bases(notice.when):
                    by_name[base].append((name, holds))
        return dict(by_name)


def _is_of_type(crisis_type: str) -> Predicate:
    return lambda episode: crisis_type in episode.crisis_types


_PROGRAMS: dict[str, Program] = {}
MOST_PROGRAMS = 64


def program(spec: ProtocolSpec) -> Program:
    """The compiled form of a protocol; compiled once a content hash and kept for the latest few."""
    compiled = _PROGRAMS.get(spec.content_hash)
    if compiled is None:
        compiled = Program(spec)
        if len(_PROGRAMS) >= MOST_PROGRAMS:
            del _PROGRAMS[next(iter(_PROGRAMS))]
        _PROGRAMS[spec.content_hash] = compiled
    return compiled
