"""What can happen next in a slice: every answer, act and passing of time that its rules can tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations, product
from math import prod
from typing import Any

from proof.slices import ENDS, OPENS, RISES, Slice
from protocol import commands as c
from protocol.conditions import AllOf, AnyOf, Condition, Guard, Not, Test
from protocol.duties import DueTable
from protocol.episode import Episode
from protocol.program import Program
from protocol.readers import waits_for_signature
from protocol.spec import LEVELS, RANK
from protocol.vocabulary import Domain, accepted

MOST_JOINT = 4_096
"""Combinations of answers and coins that one entry may bring; a slice with more is not explored in full."""
MOST_PAIRS = 150_000
"""Pairs of a combination and one that follows it: as many macro steps at least are taken."""
MOST_KINDS = 4
"""Crisis types of which every set is tried at the opening."""
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Move:
    """One thing that happens. `what` names the command, or `answers`, `near` (just before a deadline) and `due`."""

    what: str
    name: str = ""
    value: str = ""
    answers: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    pulses: tuple[str, ...] = ()


class Moves:
    """The moves of one slice."""

    def __init__(self, cut: Slice, program: Program) -> None:
        self.slice, self.program, self.spec = cut, program, cut.spec
        self.facts = [name for name in cut.spec.facts if name not in cut.pulses]
        self._readers = [program.readers.reader(name) for name in self.facts]
        self._classes = {name: self._classes_of(name) for name in self.facts}
        self._group = {
            name: {value: number for number, group in enumerate(groups) for value in group}
            for name, groups in self._classes.items()
        }
        answers = prod(len(groups) for groups in self._classes.values())
        self.joint = answers * 2 ** len(cut.pulses)
        """Combinations of answers and coins that one entry may bring."""
        self.partial = self.joint > MOST_JOINT or self.joint * answers > MOST_PAIRS
        """More can happen at once, or one thing after another, than is looked at."""
        self.together = sorted(name for name in self.facts if name not in cut.steady and len(self._classes[name]) > 1)
        """The facts that are looked at in every combination."""
        read = {one.test.name for one in self._tests()} | cut.interest.names
        self.counted = {party for party in cut.spec.parties if f"attempts.{party}" in read}
        """Parties whose failed attempts a condition counts."""
        self.stages = self._stage_classes()
        """Stage → the one that stands for it: stages that nothing in the slice tells apart are one."""
        self._pulsed = [] if self.partial else list(self._pulse_sets())
        self._assignments = (
            []
            if self.partial
            else [
                dict(zip(self.facts, values, strict=True))
                for values in product(*([group[0] for group in self._classes[name]] for name in self.facts))
            ]
        )
        duties = list(cut.spec.obligations.values())
        self._order_matters = len(duties) > 1 or any(isinstance(one.due, DueTable) for one in duties)
        """Whether it matters how long a duty has been open: one that opens later may be due sooner."""
        self._role = next(iter(cut.spec.roles))
        self._n = 0

    def facts_of(self, episode: Episode) -> tuple[int, ...]:
        """The classes that the facts are in."""
        return tuple(
            self._group[name].get(read(episode), 0) for name, read in zip(self.facts, self._readers, strict=True)
        )

    def of(self, episode: Episode) -> Iterator[Move]:
        """Every move from here, the plainest first."""
        yield from self._answered()
        yield from self._acts(episode)
        yield from self._ways(episode)
        yield from self._about_duties(episode)

    def _answered(self) -> Iterator[Move]:
        for answers in self._assignments:
            for pulses in self._pulsed:
                if answers or pulses:
                    yield Move("answers", answers=answers, pulses=pulses)

    def _acts(self, episode: Episode) -> Iterator[Move]:
        spec = self.spec
        for name in spec.steps:
            yield from (Move("complete_step", name, answers=answers) for answers in self._assignments)
            if spec.steps[name].skip_cosigned_by:
                yield Move("skip_step", name)
        yield from (Move("co_sign", subject) for subject in waits_for_signature(episode))
        for name, decision in spec.decisions.items():
            yield from (Move("record_decision", name, option) for option in decision.options)
        for party in spec.parties:
            yield from (Move("record_contact", party, outcome) for outcome in ("reached", "no_answer"))
        others = [name for name in spec.crisis_types if name not in episode.crisis_types]
        yield from (Move("record_crisis_type", name) for name in others)

    def _ways(self, episode: Episode) -> Iterator[Move]:
        spec = self.spec
        yield Move("declare_emergency")
        if self.slice.stage_matters:
            here = self.stages[episode.stage]
            ways = spec.stages[episode.stage].next
            yield from (Move("advance", name) for name in ways if self.stages[name] == name != here)
            if self.slice.interest.exact:
                yield from (Move("go_back", name) for name in spec.stages if name != episode.stage)
        if spec.risk.rules:
            yield from (Move("lower_risk", level) for level in LEVELS[:-1] if RANK[level] < RANK[episode.risk])

    def _about_duties(self, episode: Episode) -> Iterator[Move]:
        for name in dict.fromkeys(one.obligation for one in episode.obligations.values()):
            if self.spec.obligations[name].waived_by:
                yield Move("waive", name)
        yield from (Move("close_episode", name) for name in self.spec.closing.outcomes)
        if any(not one.missed for one in episode.obligations.values()):
            yield from (Move("near"), Move("due")) if self._order_matters else (Move("due"),)

    def values(self, name: str) -> list[Any]:
        """An answer of each class, as it is recorded; `unknown` for none."""
        return [self._answer(name, group[0]) for group in self._classes[name]]

    def openings(self) -> Iterator[Move]:
        """Every way in which an episode may begin: what is answered, the risk it has, the kinds of crisis reported."""
        rises = [name for name in self.slice.pulses if name.startswith(RISES)]
        for answers in self._assignments or [{name: groups[0][0] for name, groups in self._classes.items()}]:
            for kinds in self._kinds():
                yield Move("open", " ".join(kinds), answers=answers)
                yield from (Move("open", " ".join(kinds), answers=answers, pulses=(rise,)) for rise in rises)

    def _kinds(self) -> list[tuple[str, ...]]:
        """Sets of crisis types; of many only none, each alone, and all together."""
        kinds = tuple(self.spec.crisis_types)
        sizes = range(len(kinds) + 1) if len(kinds) <= MOST_KINDS else (0, 1, len(kinds))
        return [chosen for size in dict.fromkeys(sizes) for chosen in combinations(kinds, size)]

    def opening(self, move: Move, now: datetime) -> c.OpenEpisode:
        """The command of an opening."""
        facts = {name: value for name, value in self._facts(move).items() if value != "unknown"}
        kinds = tuple(move.name.split())
        return self._command(
            c.OpenEpisode, now, episode_id="slice", client_ref="nobody", owner="a", facts=facts, crisis_types=kinds
        )

    def commands(self, move: Move, episode: Episode, now: datetime) -> Iterator[tuple[c.Command, datetime]]:
        """The commands of a move with their times."""
        if move.what in ("near", "due"):
            due = min(one.due_at for one in episode.obligations.values() if not one.missed)
            at = max(now, due - SECOND if move.what == "near" else due)
            yield self.deadline(at), at
        elif move.what == "answers":
            yield self._command(c.RecordFacts, now, facts=self._facts(move)), now
            if move.pulses:
                yield self._command(c.RecordFacts, now, facts=dict.fromkeys(move.pulses, "no")), now
        else:
            yield self._act(move, episode, now), now

    def deadline(self, now: datetime) -> c.Command:
        """Time alone."""
        return self._command(c.DeadlineReached, now)

    def acknowledgement(self, obligation_id: str, now: datetime) -> c.Command:
        """Somebody says that they are on it."""
        return self._command(c.Acknowledge, now, obligation_id=obligation_id)

    def report(self, page_id: str, now: datetime, *, delivered: bool) -> c.Command:
        """What became of a page."""
        return self._command(c.ReportPage, now, page_id=page_id, delivered=delivered)

    def _facts(self, move: Move) -> dict[str, Any]:
        said = {name: self._answer(name, value) for name, value in move.answers.items()}
        return {**said, **dict.fromkeys(move.pulses, "yes")}

    def _answer(self, name: str, value: str | None) -> Any:
        fact = self.spec.facts[name]
        if value is None:
            return "unknown"
        return fact.bands[value][0] if value in fact.bands else value

    def _act(self, move: Move, episode: Episode, now: datetime) -> c.Command:
        spec, name = self.spec, move.name
        match move.what:
            case "complete_step":
                facts = {key: self._answer(key, value) for key, value in move.answers.items()}
                return self._command(c.CompleteStep, now, spec.steps[name].roles, step=name, facts=facts)
            case "skip_step":
                return self._command(c.SkipStep, now, spec.steps[name].roles, step=name, reason="r")
            case "co_sign":
                roles = spec.steps[name].skip_cosigned_by if name in spec.steps else spec.decisions[name].cosigned_by
                entry = waits_for_signature(episode)[name].sequence
                return self._command(c.CoSign, now, roles, actor="b", subject=name, entry=entry)
            case "record_decision":
                roles = spec.decisions[name].roles
                return self._command(c.RecordDecision, now, roles, decision=name, option=move.value, rationale="r")
            case "record_contact":
                return self._command(c.RecordContact, now, party=name, channel="phone", outcome=move.value)
            case "record_crisis_type":
                return self._command(c.RecordCrisisType, now, crisis_type=name)
            case "advance":
                return self._command(c.Advance, now, to=name)
            case "go_back":
                return self._command(c.GoBack, now, to=name, reason="r")
            case "lower_risk":
                return self._command(c.LowerRisk, now, spec.risk.lowering.roles, level=name, reason="r")
            case "waive":
                owed = next(one for one in episode.obligations.values() if one.obligation == name)
                roles = spec.obligations[name].waived_by
                return self._command(c.Waive, now, roles, obligation_id=owed.obligation_id, reason="r")
            case "close_episode":
                return self._command(c.CloseEpisode, now, spec.closing.roles, outcome=name, reason="r")
            case _:
                return self._command(c.DeclareEmergency, now)

    def _command(self, kind: Any, now: datetime, roles: Sequence[str] = (), actor: str = "a", **fields: Any) -> Any:
        self._n += 1
        role = roles[0] if roles else self._role
        return kind(command_id=f"m{self._n}", actor=actor, role=role, occurred_at=now, **fields)

    # Classes of answers

    def _classes_of(self, name: str) -> list[list[str | None]]:
        """The values of a fact, those together that nothing in the slice tells apart."""
        fact = self.spec.facts[name]
        values: list[str | None] = [*([] if name in self.slice.outcomes else [None]), *fact.values()]
        if name in self.slice.steady:
            return [["no", None], ["yes"]]
        if not fact.values():
            return [[None]]
        domain = Domain(fact.values(), ordered=True)
        tests = [one for one in self._tests() if one.test.name == name]
        groups: dict[Any, list[str | None]] = {}
        for value in values:
            alike = tuple(one.truth(domain, value) for one in tests)
            groups.setdefault(alike, []).append(value)
        return list(groups.values())

    def _tests(self) -> Iterator[_Asked]:
        for table in self.spec.tables.values():
            for row in table.rows:
                for test, unknown in _asked(row.when.condition, unknown=False):
                    yield _Asked(test, unknown, table.unknown_as.get(test.name))
        for guard in self._guards():
            for test, unknown in _asked(guard.condition, unknown=guard.if_unknown == "holds"):
                yield _Asked(test, unknown)
        for owed in self.spec.obligations.values():
            if isinstance(owed.due, DueTable):
                yield from (_Asked(Test(owed.due.by, "is", (value,)), None) for value in owed.due.values)
        for instrument in self.spec.instruments.values():
            yield from (_Asked(Test(item.fact, "known", ("yes",)), None) for item in instrument.items)
            refusable = (item.fact for item in instrument.items if self.spec.facts[item.fact].may_refuse)
            yield from (_Asked(Test(fact, "is", ("refused",)), None) for fact in refusable)

    def _stage_classes(self) -> dict[str, str]:
        stages, told = self.spec.stages, set(self.slice.interest.places)
        if self.slice.interest.exact:
            return {name: name for name in stages}
        for test in self._tests():
            if test.test.name == "stage":
                told |= (
                    accepted(test.test, self.program.readers.domains["stage"])
                    if test.test.operator != "known"
                    else set()
                )
        for owed in self.spec.obligations.values():
            told |= {place for one in owed.opens if (place := one.entered) is not None}
            told |= {place for one in owed.met_by if (place := one.left) is not None}
        alike = [name for name, stage in stages.items() if stage.kind == "open" and name not in told]
        return {name: alike[0] if name in alike else name for name in stages}

    def _guards(self) -> Iterator[Guard]:
        spec = self.spec
        guards: list[Guard | None] = [*self.slice.extra]
        guards += [rule.when for rule in spec.risk.rules] + [spec.risk.lowering.requires]
        guards += [stage.leave_when for stage in spec.stages.values()]
        guards += [one.when for stage in spec.stages.values() for one in stage.steps]
        guards += [one.act.when for one in spec.refusals.values()]
        guards += [one.when for one in spec.closing.requires.values()]
        for owed in spec.obligations.values():
            guards += [part.when for part in (*owed.opens, *owed.met_by)] + [owed.waived_when]
        for one in spec.instruments.values():
            guards += [Guard(item.asked_when.condition, "holds") for item in one.items if item.asked_when is not None]
        yield from (guard for guard in guards if guard is not None)

    def _pulse_sets(self) -> Iterator[tuple[str, ...]]:
        """Which coins are thrown at once: any of the duties' coins, with at most one rise of the risk."""
        rises = [name for name in self.slice.pulses if name.startswith(RISES)]
        others = [name for name in self.slice.pulses if name.startswith((OPENS, ENDS))]
        for size in range(len(others) + 1):
            for chosen in combinations(others, size):
                yield chosen
                yield from ((*chosen, rise) for rise in rises)


@dataclass(frozen=True)
class _Asked:
    """A comparison somewhere in the slice."""

    test: Test
    unknown: bool | None
    """What counts there while the value is unknown; None where that makes a difference of its own."""
    stands: str | None = None
    """The value that stands for an unknown one."""

    def truth(self, domain: Domain, value: str | None) -> bool | None:
        """What it comes to for a value."""
        if self.test.operator == "known":
            return (value is not None) is (self.test.values[0] == "yes")
        value = value or self.stands
        return self.unknown if value is None else value in accepted(self.test, domain)


def _asked(condition: Condition, unknown: bool) -> Iterator[tuple[Test, bool]]:
    """The tests of a condition, each with what an unknown comes to in it: `unknown`, turned round under each `not`.

    A condition of `all` and `any` comes out as if every unknown part were what its unknown whole counts as.
    """
    match condition:
        case Test():
            yield condition, unknown
        case Not(term):
            yield from _asked(term, not unknown)
        case AllOf(terms) | AnyOf(terms):
            for term in terms:
                yield from _asked(term, unknown)
