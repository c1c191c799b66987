"""All combinations of the values that some conditions read, one bit each.

A condition becomes two numbers: the combinations where it is true and those where it is false; the rest is unknown.
Values that no comparison tells apart share a combination, so that 58 counties cost no more than two.
The names are taken as independent of each other: what holds for every combination here holds in every episode.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from protocol.conditions import AllOf, AnyOf, Condition, Guard, Not, Test, Truth, tests_in
from protocol.vocabulary import Domain, accepted

MOST_COMBINATIONS = 1 << 18
"""For the rows of a table."""

MOST_FOR_A_GUARD = 1 << 12
"""A condition with more is judged by its names alone."""


class TooLarge(Exception):
    """More combinations than are looked at."""


@dataclass
class Budget:
    """Bits that may be computed for one protocol, so that a hostile one ends in time."""

    bits: int = 1 << 30

    def spend(self, bits: int) -> None:
        """Raises TooLarge when nothing is left."""
        self.bits -= bits
        if self.bits < 0:
            raise TooLarge


@dataclass(frozen=True)
class Split:
    """Where a condition is true and where it is false; elsewhere it is unknown."""

    true: int
    false: int


@dataclass(frozen=True)
class Box:
    """A group of combinations: every one in which each of the names has one of its values here."""

    combinations: int
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Axis:
    """One name: its distinguishable values and the distance between their bits."""

    name: str
    groups: tuple[tuple[str | None, ...], ...]
    stride: int


class Space:
    """The combinations behind some conditions. Raises TooLarge beyond the limits."""

    def __init__(
        self,
        conditions: Iterable[Condition],
        domains: Mapping[str, Domain],
        budget: Budget,
        unknown_as: Mapping[str, str] | None = None,
        most: int = MOST_COMBINATIONS,
    ) -> None:
        self._most = most
        self._stands_for = unknown_as or {}
        self._domains = domains
        tests = list(dict.fromkeys(test for condition in conditions for test in tests_in(condition)))
        self._axes = {axis.name: axis for axis in self._lay_out(tests)}
        budget.spend(self.size * len(tests))
        self.full = (1 << self.size) - 1
        self._atoms = {test: self._atom(test) for test in tests}

    def split(self, condition: Condition) -> Split:
        """Where a condition is true and where it is false."""
        match condition:
            case Test():
                return self._atoms[condition]
            case AllOf(terms):
                parts = [self.split(term) for term in terms]
                return Split(_all(part.true for part in parts), _any(part.false for part in parts))
            case AnyOf(terms):
                parts = [self.split(term) for term in terms]
                return Split(_any(part.true for part in parts), _all(part.false for part in parts))
            case Not(term):
                part = self.split(term)
                return Split(part.false, part.true)

    def unknown(self, condition: Condition) -> int:
        """Where it cannot be known whether a condition holds."""
        split = self.split(condition)
        return self.full & ~(split.true | split.false)

    def holds(self, guard: Guard) -> int:
        """Where a guard lets through, with its side for unknown."""
        true = self.split(guard.condition).true
        return true | self.unknown(guard.condition) if guard.if_unknown == "holds" else true

    def example(self, combinations: int) -> dict[str, str]:
        """One combination in words: each name with a value, or `unknown`."""
        first = (combinations & -combinations).bit_length() - 1
        values = {name: axis.groups[first // axis.stride % len(axis.groups)] for name, axis in self._axes.items()}
        return {name: group[0] or "unknown" for name, group in values.items()}

    def box(self, combinations: int, around: int = 0) -> Box:
        """A group of some combinations, as large as its values allow; a name that does not matter is left out.

        `around` is the one combination to begin with; the first one when left out.
        """
        group = around or combinations & -combinations
        number = group.bit_length() - 1
        found: dict[str, tuple[str, ...]] = {}
        others = ~combinations
        for name, axis in self._axes.items():
            here = number // axis.stride % len(axis.groups)
            moved = [_shifted(group, (there - here) * axis.stride) for there in range(len(axis.groups))]
            fitting = [there for there, mask in enumerate(moved) if mask & others == 0]
            group = _any(moved[there] for there in fitting)
            if len(fitting) < len(axis.groups):
                found[name] = tuple(value or "unknown" for there in fitting for value in axis.groups[there])
        return Box(group, found)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that is read, in the order of reading."""
        return tuple(self._axes)

    def where(self, name: str, value: str | None) -> int:
        """The combinations in which a name has a value, or is unknown."""
        axis = self._axes[name]
        return self._mask(axis, [value in group for group in axis.groups], True)

    def _lay_out(self, tests: list[Test]) -> Iterator[_Axis]:
        by_name: dict[str, list[Test]] = {}
        for test in tests:
            by_name.setdefault(test.name, []).append(test)
        self.size = 1
        for name, own in by_name.items():
            groups = self._groups(name, own)
            yield _Axis(name, groups, self.size)
            self.size *= len(groups)
            if self.size > self._most:
                raise TooLarge

    def _groups(self, name: str, tests: list[Test]) -> tuple[tuple[str | None, ...], ...]:
        """The values of a name, those together that no test tells apart."""
        domain = self._domains[name]
        values: list[str | None] = [*domain.values, *([None] if domain.may_be_unknown else [])]
        accepting = [accepted(test, domain) for test in tests]
        groups: dict[tuple[Truth, ...], list[str | None]] = {}
        for value in values:
            alike = tuple(self._truth(test, value, ok) for test, ok in zip(tests, accepting, strict=True))
            groups.setdefault(alike, []).append(value)
        return tuple(map(tuple, groups.values()))

    def _truth(self, test: Test, value: str | None, ok: frozenset[str]) -> Truth:
        if test.operator == "known":
            return (value is not None) is (test.values[0] == "yes")
        value = value or self._stands_for.get(test.name)
        return None if value is None else value in ok

    def _atom(self, test: Test) -> Split:
        axis, ok = self._axes[test.name], accepted(test, self._domains[test.name])
        truths = [self._truth(test, group[0], ok) for group in axis.groups]
        return Split(self._mask(axis, truths, True), self._mask(axis, truths, False))

    def _mask(self, axis: _Axis, truths: Sequence[Truth], wanted: bool) -> int:
        run = (1 << axis.stride) - 1
        mask = _any(run << number * axis.stride for number, truth in enumerate(truths) if truth is wanted)
        width = axis.stride * len(truths)
        while width < self.size:
            mask |= mask << width
            width *= 2
        return mask & self.full


def _shifted(mask: int, by: int) -> int:
    return mask << by if by >= 0 else mask >> -by


def _all(masks: Iterable[int]) -> int:
    result = -1
    for mask in masks:
        result &= mask
    return result


def _any(masks: Iterable[int]) -> int:
    result = 0
    for mask in masks:
        result |= mask
    return result
