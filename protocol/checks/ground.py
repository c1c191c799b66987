"""What every check of a protocol starts from: its parts with their paths, and what can happen in it at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from pydantic import BaseModel

from protocol.checks.space import MOST_COMBINATIONS, MOST_FOR_A_GUARD, Budget, Space, TooLarge
from protocol.conditions import Condition, Guard, Test, tests_in
from protocol.elements import Element, Instrument, Item, Row, Table
from protocol.findings import Path
from protocol.spec import ProtocolSpec
from protocol.vocabulary import Domain, accepted, vocabulary


@dataclass(frozen=True)
class Verdict:
    """What a condition does over all cases."""

    never: bool
    always: bool
    unknown: bool
    """Some case leaves it unknown."""


class Ground:
    """A protocol under check."""

    def __init__(self, spec: ProtocolSpec) -> None:
        self.spec = spec
        self.domains: Mapping[str, Domain] = vocabulary(spec)
        self.budget = Budget()
        self.elements: list[tuple[Path, Element]] = []
        self.guards: list[tuple[Path, Guard]] = []
        self.texts: list[str] = []
        self.lost: set[str] = set()
        """Kinds of which some name leads nowhere, such as `stage`: what follows from a slip is not told as well."""
        self._verdicts: dict[Guard, Verdict | None] = {}
        self._walk(spec, ())

    def _walk(self, value: Any, path: Path) -> None:
        if isinstance(value, str):
            self.texts.append(value)
        elif isinstance(value, Guard):
            self.guards.append((path, value))
        elif isinstance(value, BaseModel):
            self.elements.append((path, cast("Element", value)))
            for name in type(value).model_fields:
                self._walk(getattr(value, name), (*path, name))
        elif isinstance(value, (dict, tuple)):
            for key, inner in entries(value):
                self._walk(inner, (*path, key))

    def of(self, *kinds: type[Element]) -> Iterator[tuple[Path, Any]]:
        """The parts of some kinds with their paths."""
        return ((path, element) for path, element in self.elements if type(element) in kinds)

    def readable(self, condition: Condition) -> bool:
        """Whether every comparison names an existing value."""
        return all(self.why_unreadable(test) is None for test in tests_in(condition))

    def why_unreadable(self, test: Test) -> str | None:
        """What is wrong with a comparison of an existing name, or None."""
        domain = self.domains.get(test.name)
        if domain is None:
            return f"nothing is called `{test.name}`"
        if test.operator in ("at_least", "at_most") and test.values[0] == "refused":
            return f"`{test.name}`: refused has no place in the order; name it in a list of values"
        try:
            accepted(test, domain)
        except ValueError as error:
            return str(error)
        return None

    def space(self, *conditions: Condition) -> Space | None:
        """The combinations behind readable conditions; None beyond the limits or when one can't be read."""
        return self._space(conditions, None, MOST_FOR_A_GUARD)

    def table_space(self, table: Table) -> Space | None:
        """The combinations behind the rows of a table, like `space`."""
        return self._space([row.when.condition for row in table.rows], table.unknown_as, MOST_COMBINATIONS)

    def _space(self, conditions: Sequence[Condition], unknown_as: Mapping[str, str] | None, most: int) -> Space | None:
        if not all(map(self.readable, conditions)):
            return None
        try:
            return Space(conditions, self.domains, self.budget, unknown_as, most)
        except TooLarge:
            return None

    def verdict(self, guard: Guard) -> Verdict | None:
        """What can be said of a condition in all cases; None when it can't be read or is too large."""
        if guard not in self._verdicts:
            space = self.space(guard.condition)
            self._verdicts[guard] = space and Verdict(
                never=space.holds(guard) == 0,
                always=space.holds(guard) == space.full,
                unknown=space.unknown(guard.condition) != 0,
            )
        return self._verdicts[guard]

    def never_holds(self, guard: Guard | None) -> bool:
        """Whether a guard lets nothing through, as far as that can be told."""
        verdict = guard and self.verdict(guard)
        return verdict is not None and verdict.never

    def may_hold(self, guard: Guard, allowed: Mapping[str, Collection[str | None]]) -> bool:
        """Whether a guard can hold while some names have only these values; None stands for unknown."""
        space = self.space(guard.condition)
        if space is None:
            return True
        cases = space.holds(guard)
        for name in allowed.keys() & set(space.names):
            left = 0
            for value in allowed[name]:
                left |= cases & space.where(name, value)
            cases = left
        return cases != 0

    @cached_property
    def settled_otherwise(self) -> set[Path]:
        """Paths of conditions that need no `if_unknown`.

        In table rows `unknown_as` speaks for the unknown; an item of an instrument counts as asked.
        """
        rows = {(*path, "when") for path, _ in self.of(Row)}
        return rows | {(*path, "asked_when") for path, _ in self.of(Item)}

    @cached_property
    def doable(self) -> set[str]:
        """Steps that can be done somewhere: placed in a stage, added by a crisis type, or allowed everywhere."""
        if self.lost & {"stage", "step"}:
            return set(self.spec.steps)
        spec = self.spec
        placed = {one.step for stage in spec.stages.values() for one in stage.steps}
        added = {step for kind in spec.crisis_types.values() for steps in kind.adds.values() for step in steps}
        anywhere = {name for name, step in spec.steps.items() if step.any_stage}
        return (placed | added | anywhere) & spec.steps.keys()

    @cached_property
    def reachable(self) -> set[str]:
        """Stages that can be entered: forward from the initial one, and through an emergency."""
        if "stage" in self.lost:
            return set(self.spec.stages)
        stages = self.spec.stages
        ahead = [self.spec.initial, self.spec.emergency.stage]
        found: set[str] = set()
        while ahead:
            name = ahead.pop()
            if name in stages and name not in found:
                found.add(name)
                ahead.extend(stages[name].next)
        return found | {name for name, stage in stages.items() if stage.kind == "closed"}

    @cached_property
    def asked(self) -> set[str]:
        """Facts that somebody is asked for, that a step or contact records, or that the engine adds up."""
        spec = self.spec
        facts: set[str] = {fact for party in spec.parties.values() for fact in party.on_reached}
        for name in self.doable:
            step = spec.steps[name]
            facts.update(step.form, step.optional, step.sets)
            for instrument in filter(None, map(spec.instruments.get, step.instruments)):
                facts.update(item.fact for item in instrument.items)
                if instrument.score is not None and self.adds_up(instrument):
                    facts.add(instrument.score)
        return facts

    def adds_up(self, instrument: Instrument) -> bool:
        """Whether the engine can sum an instrument: every item is a number."""
        found = [self.spec.facts.get(item.fact) for item in instrument.items]
        return all(fact is not None and fact.type == "number" for fact in found)


def entries(value: Any) -> Iterator[tuple[str | int, Any]]:
    """Keys or positions of a mapping or list, with what they hold."""
    if isinstance(value, dict):
        yield from cast("dict[str, Any]", value).items()
    else:
        yield from enumerate(value)
