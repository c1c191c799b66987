"""Leads an episode to where somebody wants it, by acts that people could do: the core judges every one of them.

What the pilot finds is a fact, since the core did it. What it does not find proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from proof.answers import Answers, Wish, ways
from proof.levels import Levels
from proof.owing import Owing
from proof.people import MOST_TRIES, REASON, People
from proof.walk import STARTS, Cast, Walk, begin
from protocol.conditions import AllOf, Condition, Guard, Test
from protocol.local_time import to_utc
from protocol.program import Program
from protocol.readers import Predicate, Reader
from protocol.spec import RANK

DEEPEST = 7
"""Goals within goals."""


class Lost(Exception):
    """More was tried for one goal than is allowed."""


class Pilot:
    """Knows one protocol. Every method gives the walk after reaching its goal, or None."""

    def __init__(self, program: Program, most_acts: int = 4000, most_in_all: int = 150_000) -> None:
        self.program, self.spec = program, program.spec
        self.cast = Cast(program.spec)
        self.answers = Answers(program.spec)
        self.start = to_utc(STARTS, program.zone)
        self.most_acts, self.acts, self.left = most_acts, 0, most_in_all
        self._depth = 0
        self.under_way: set[tuple[str, object]] = set()
        """Goals that are being reached already: none waits for itself."""
        self.bare = False
        """Steps are completed without their instruments."""
        self._begun: Walk | None = None
        self._known_ways: dict[tuple[Condition, bool], list[Wish]] = {}
        self.people, self.owing, self.risk = People(self), Owing(self), Levels(self)

    def begin(self, facts: Mapping[str, Any] | None = None, crisis_types: tuple[str, ...] = ()) -> Walk | None:
        """An episode that was just opened. A new goal: what was tried before counts no longer."""
        self.acts = 0
        if facts or crisis_types:
            return begin(self.program, self.cast, self.start, facts or {}, crisis_types)
        if self._begun is None:
            self._begun = begin(self.program, self.cast, self.start, {}, ())
        return self._begun

    def act(self, walk: Walk, do: str, roles: Iterable[str] = (), **fields: Any) -> Walk | None:
        """One command by somebody in one of the roles; by the owner's role where it may."""
        self.acts += 1
        self.left -= 1
        if self.acts > self.most_acts or self.left < 0:
            raise Lost
        wanted = list(roles)
        own = self.cast.people[self.cast.owner]
        by = self.cast.owner if not wanted or own in wanted else self.cast.one_of(wanted)
        return walk.act(do, by, **fields)

    # Conditions

    def achieve(self, walk: Walk, guard: Guard | None, want: bool = True) -> Walk | None:
        """Make a guard let through (or not)."""
        if guard is None:
            return walk if want else None
        return self.make(walk, guard.condition, self.program.readers.predicate(guard), want)

    def make(self, walk: Walk, condition: Condition, holds: Predicate, want: bool = True) -> Walk | None:
        """Make a condition so; `holds` reads it from an episode."""
        if holds(walk.episode) is want:
            return walk
        goal = ("condition", condition)
        if self._depth >= DEEPEST or goal in self.under_way:
            return None
        self._depth += 1
        self.under_way.add(goal)
        try:
            found = sorted(self._ways(condition, want), key=lambda wish: self._cost(walk, wish))
            for wish in found[:MOST_TRIES]:
                reached = self.grant(walk, wish)
                if reached is not None and holds(reached.episode) is want:
                    return reached
            return None
        finally:
            self._depth -= 1
            self.under_way.discard(goal)

    def _ways(self, condition: Condition, want: bool) -> list[Wish]:
        known = self._known_ways.get((condition, want))
        if known is None:
            known = self._known_ways[condition, want] = list(ways(condition, self.program.readers.domains, want))
        return known

    def wishes(self, condition: Condition, depth: int = 0) -> Iterator[Wish]:
        """Wishes for a condition in which rows stand for their tables."""
        for wish in self._ways(condition, want=True):
            tables = [name for name in wish if name in self.spec.tables]
            if not tables or depth > 3:
                yield wish
                continue
            rest = {name: values for name, values in wish.items() if name != tables[0]}
            for row in self.spec.tables[tables[0]].rows:
                if row.then in wish[tables[0]]:
                    tests = [Test(name, "is", tuple(v for v in values if v)) for name, values in rest.items()]
                    yield from self.wishes(AllOf((row.when.condition, *tests)), depth + 1)

    def _cost(self, walk: Walk, wish: Wish) -> int:
        read = self.program.readers.reader
        costs = 0
        for name, values in wish.items():
            if read(name)(walk.episode) not in values:
                costs += 1 if name in self.spec.facts else 3 if name in self.spec.tables else 5
        return costs

    def grant(self, walk: Walk, wish: Wish, whole: bool = False) -> Walk | None:
        """Everything wished for: what takes acts first, plain answers last and at once; with `whole`, whole screens."""
        read = self.program.readers.reader
        current: Walk | None = walk
        order = sorted(wish, key=lambda name: (name != "stage", name in self.spec.tables))
        for name in [one for one in order if one not in self.spec.facts]:
            if current is not None and read(name)(current.episode) not in wish[name]:
                current = self.bring(current, name, wish[name])
        if current is None:
            return None
        facts = {
            name: self._best(name, values, current.now)
            for name, values in wish.items()
            if name in self.spec.facts and read(name)(current.episode) not in values
        }
        screens = self._screens(facts, current.now) if whole else {}
        return self.act(current, "record_facts", facts={**screens, **facts}) if facts else current

    def _screens(self, facts: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """Calm answers to every item of the instruments that some facts belong to."""
        asked = [[item for item, _ in items] for items in self.program.asked.values()]
        return {item: self.answers.calm(item, now) for items in asked if set(items) & set(facts) for item in items}

    def _best(self, name: str, values: tuple[str | None, ...], now: datetime) -> Any:
        calm = self.answers.calm(name, now)
        wanted = [self.answers.as_answer(name, value, now) for value in values]
        return calm if calm in wanted else wanted[0]

    def bring(self, walk: Walk, name: str, values: tuple[str | None, ...]) -> Walk | None:
        """Bring a readable name that is no fact to one of some values."""
        prefix, _, rest = name.partition(".")
        known = [value for value in values if value is not None]
        if name in self.spec.tables:
            return self._table(walk, name, known)
        if name in self.spec.decisions:
            return self.first(self.people.decide(walk, name, option) for option in known)
        if name.endswith(".status"):
            return self._instrument(walk, name.removesuffix(".status"), known)
        match prefix:
            case "risk" | "peak_risk":
                return self.first(self.risk.to(walk, level) for level in sorted(known, key=RANK.__getitem__))
            case "stage":
                return self.first(self.go_to(walk, stage) for stage in known)
            case "step":
                return self._step_to(walk, rest, known)
            case "crisis":
                return self.act(walk, "record_crisis_type", crisis_type=rest) if "yes" in known else None
            case "contact" | "attempts":
                return self.people.reach(walk, prefix, rest, known)
            case "obligation":
                return self._obligation_to(walk, rest, known)
            case "handover" | "cosignature":
                return self.people.signatures(walk, prefix, known)
            case _:
                return None

    def first(self, found: Iterable[Walk | None]) -> Walk | None:
        return next((walk for walk in found if walk is not None), None)

    def _table(self, walk: Walk, name: str, outcomes: list[str]) -> Walk | None:
        table, read = self.spec.tables[name], self.program.readers.reader(name)
        for row in table.rows:
            if row.then in outcomes:
                reached = self.make(walk, row.when.condition, _reads(read, row.then))
                if reached is not None:
                    return reached
        return None

    def _instrument(self, walk: Walk, name: str, states: list[str]) -> Walk | None:
        items = [item for item, _ in self.program.asked[name]]
        calm = {item: self.answers.calm(item, walk.now) for item in items}
        if "complete" in states:
            return self.act(walk, "record_facts", facts=calm)
        if "not_started" in states:
            return self.act(walk, "record_facts", facts=dict.fromkeys(items, "unknown"))
        unknown, read = dict.fromkeys(items, "unknown"), self.program.readers.reader(f"{name}.status")
        begun = [{**unknown, item: calm[item]} for item in (items[0], items[-1])]
        tried = (self.act(walk, "record_facts", facts=facts) for facts in (*begun, {items[0]: "refused"}))
        return next((one for one in tried if one is not None and read(one.episode) in states), None)

    # Steps and stages

    def _step_to(self, walk: Walk, step: str, states: list[str]) -> Walk | None:
        if "done" in states and (done := self.complete(walk, step)) is not None:
            return done
        return self.skip(walk, step) if "skipped" in states else None

    def complete(self, walk: Walk, step: str, answers: Mapping[str, Any] | None = None) -> Walk | None:
        """Complete a step with calm answers, except for those that are given."""
        goal = ("step", step)
        if goal in self.under_way or self._depth >= DEEPEST:
            return None
        self.under_way.add(goal)
        self._depth += 1
        try:
            ready = self.ready_for(walk, step)
            return None if ready is None else self._complete(ready, step, dict(answers or {}))
        finally:
            self._depth -= 1
            self.under_way.discard(goal)

    def ready_for(self, walk: Walk, step: str) -> Walk | None:
        """Be where a step can be completed, with all done that comes before it."""
        current = self._placed(walk, step)
        for before in self.spec.steps[step].after:
            if current is not None and before not in current.episode.steps:
                current = self.complete(current, before)
        return current

    def _placed(self, walk: Walk, step: str) -> Walk | None:
        if self.spec.steps[step].any_stage:
            return walk
        here = walk.episode.stage
        for stage in sorted(self.spec.stages, key=lambda name: name != here):
            for placed in self.program.placed[stage]:
                if placed.step == step:
                    reached = self._place(walk, stage, step, placed.applies)
                    if reached is not None:
                        return reached
        return None

    def _place(self, walk: Walk, stage: str, step: str, applies: Any) -> Walk | None:
        there = self.go_to(walk, stage)
        if there is None or applies(there.episode):
            return there
        for one in self.spec.stages[stage].steps:
            if one.step == step and (met := self.achieve(there, one.when)) is not None and met.episode.stage == stage:
                return met
        for kind, crisis_type in self.spec.crisis_types.items():
            if step in crisis_type.adds.get(stage, ()):
                return self.act(there, "record_crisis_type", crisis_type=kind)
        return None

    def _complete(self, walk: Walk, step: str, answers: dict[str, Any]) -> Walk | None:
        roles = self.spec.steps[step].roles
        for others in self._answered_otherwise("done", step, walk):
            facts = {**self.form(walk, step), **others, **answers}
            done = self.act(walk, "complete_step", roles, step=step, facts=facts)
            if done is not None:
                return done
        cleared = self.unrefused(walk, "done", step)
        if cleared is None or cleared is walk:
            return None
        return self.act(cleared, "complete_step", roles, step=step, facts={**self.form(cleared, step), **answers})

    def _answered_otherwise(self, act: str, name: str, walk: Walk) -> Iterator[dict[str, Any]]:
        """No other answers first; then those that keep a clinical rule from refusing."""
        yield {}
        for refusal in self.spec.refusals.values():
            if (act, name) in refusal.act.happenings() and refusal.act.when is not None:
                condition = refusal.act.when.condition
                for wish in list(ways(condition, self.program.readers.domains, want=False))[:MOST_TRIES]:
                    yield {
                        fact: self.answers.as_answer(fact, values[0], walk.now)
                        for fact, values in wish.items()
                        if fact in self.spec.facts
                    }

    def form(self, walk: Walk, step: str) -> dict[str, Any]:
        """The form of a step with its instruments, answered as it stands recorded, else calmly."""
        spec = self.spec.steps[step]
        given = () if self.bare else spec.instruments
        items = [item for name in given for item, _ in self.program.asked[name]]
        names = [name for name in dict.fromkeys((*spec.form, *items)) if name not in spec.sets]
        known = walk.episode.facts
        return {
            name: self.answers.calm(name, walk.now) if name not in known or name in items else known[name].value
            for name in names
        }

    def unrefused(self, walk: Walk, act: str, name: str) -> Walk | None:
        """See that no clinical rule refuses an act any more."""
        current: Walk | None = walk
        for refusal in self.spec.refusals.values():
            if (act, name) in refusal.act.happenings() and current is not None:
                current = self.achieve(current, refusal.act.when, want=False)
        return current

    def skip(self, walk: Walk, step: str) -> Walk | None:
        """Skip a step and have it signed."""
        spec = self.spec.steps[step]
        ready = self._placed(walk, step) if spec.skip_cosigned_by else None
        return None if ready is None else self.act(ready, "skip_step", spec.roles, step=step, reason=REASON)

    def go_to(self, walk: Walk, stage: str) -> Walk | None:
        """Be in a stage: back where one may, else forward, or by an emergency."""
        if walk.episode.stage == stage:
            return walk
        goal = ("stage", stage)
        if goal in self.under_way:
            return None
        self.under_way.add(goal)
        try:
            if stage == self.spec.emergency.stage:
                return self.act(walk, "declare_emergency", reason=REASON)
            return self.step_back(walk, stage) or self._forward(walk, stage) or self._through_emergency(walk, stage)
        finally:
            self.under_way.discard(goal)

    def _through_emergency(self, walk: Walk, stage: str) -> Walk | None:
        """Where the usual way is barred: an emergency, and on from there."""
        if walk.episode.stage == self.spec.emergency.stage or not self._route(self.spec.emergency.stage, stage):
            return None
        declared = self.act(walk, "declare_emergency", reason=REASON)
        return self._forward(declared, stage) if declared is not None else None

    def step_back(self, walk: Walk, stage: str) -> Walk | None:
        """Return to an earlier stage, if one may."""
        return self.act(walk, "go_back", to=stage, reason=REASON)

    def _forward(self, walk: Walk, stage: str) -> Walk | None:
        current: Walk | None = walk
        for _ in range(len(self.spec.stages)):
            if current is None or current.episode.stage == stage:
                return current
            route = self._route(current.episode.stage, stage)
            current = self.advance(current, route[0]) if route else None
        return None

    def _route(self, start: str, end: str) -> list[str]:
        routes: dict[str, list[str]] = {start: []}
        ahead = [start]
        while ahead:
            here = ahead.pop(0)
            for there in self.spec.stages[here].next:
                if there in self.spec.stages and there not in routes:
                    routes[there] = [*routes[here], there]
                    ahead.append(there)
        return routes.get(end, [])

    def advance(self, walk: Walk, to: str) -> Walk | None:
        """Go on to a stage, doing first what the present one asks for."""
        current: Walk | None = walk
        here = walk.episode.stage
        for _ in range(MOST_TRIES):
            if current is None or current.episode.stage != here:
                return None
            gone = self.act(current, "advance", to=to)
            if gone is not None:
                return gone
            current = self.prepared(current, to)
        return None

    def prepared(self, walk: Walk, to: str) -> Walk | None:
        """Everything done that the present stage asks for, and nothing that refuses the next one."""
        current: Walk | None = walk
        here = walk.episode.stage
        for step in self.program.missing_steps(walk.episode):
            if current is None or step not in self.program.missing_steps(current.episode):
                continue
            done = self.complete(current, step)
            current = done if done is not None else self.skip(current, step)
            if current is not None and current.episode.stage != here:
                return None
        if current is not None:
            current = self.achieve(current, self.spec.stages[here].leave_when)
        return self.unrefused(current, "entered", to) if current is not None else None

    def _obligation_to(self, walk: Walk, name: str, states: list[str]) -> Walk | None:
        return self.owing.bring(walk, name, states)


def _reads(read: Reader, outcome: str) -> Predicate:
    return lambda episode: read(episode) == outcome
