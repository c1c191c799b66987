"""Answers that a person could give: calm ones that raise nothing, and ones that make a condition true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice, product
from typing import Any

from protocol.conditions import AllOf, AnyOf, Condition, Not, Test, tests_in
from protocol.elements import Fact
from protocol.spec import ProtocolSpec
from protocol.vocabulary import Domain, accepted

MOST_WAYS = 60
"""Ways to make one condition true that are tried."""
TEXT = "said calmly"

Wish = Mapping[str, tuple[str | None, ...]]
"""Names with the values each of them should have; None stands for unknown."""


class Answers:
    """What may be answered to each fact of a protocol."""

    def __init__(self, spec: ProtocolSpec) -> None:
        self._spec = spec
        self._alarm = _alarms(spec)

    def calm(self, name: str, now: datetime) -> Any:
        """The answer that alarms least."""
        fact = self._spec.facts[name]
        values = [value for value in fact.values() if value != "refused"]
        if not values:
            return self._plain(name, fact, now)
        best = min(values, key=lambda value: self._alarm.get((name, value), 0))
        return self.as_answer(name, best, now)

    def as_answer(self, name: str, value: str | None, now: datetime) -> Any:
        """A value that conditions read, as a person answers it."""
        fact = self._spec.facts[name]
        if value is None:
            return "unknown"
        if fact.type == "number" and value != "refused":
            low, high = fact.bands[value]
            return low if fact.minimum == low else high
        return value

    def _plain(self, name: str, fact: Fact, now: datetime) -> Any:
        match fact.type:
            case "number":
                return fact.minimum
            case "several":
                return ()
            case "moment":
                return (now + timedelta(hours=2)).isoformat()
            case _:
                return TEXT


def _alarms(spec: ProtocolSpec) -> dict[tuple[str, str], int]:
    """How many risk rules, duties and notices wait for an answer, through tables as well."""
    found: dict[tuple[str, str], int] = {}
    conditions = [(rule.when.condition, 10) for rule in spec.risk.rules]
    triggers = [one.when for owed in spec.obligations.values() for one in owed.opens]
    conditions += [(guard.condition, 1) for guard in triggers if guard is not None]
    for condition, weight in conditions:
        _count(spec, condition, weight, found, 0)
    return found


def _count(
    spec: ProtocolSpec, condition: Condition, weight: int, found: dict[tuple[str, str], int], depth: int
) -> None:
    for test in tests_in(condition):
        fact = spec.facts.get(test.name)
        if test.operator == "known":
            continue
        if fact is not None:
            for value in accepted(test, Domain(fact.values(), ordered=True)):
                found[test.name, value] = found.get((test.name, value), 0) + weight
        elif test.name in spec.tables and depth < 3:
            wanted = accepted(test, Domain(tuple(spec.tables[test.name].outcomes), ordered=True))
            for row in spec.tables[test.name].rows:
                if row.then in wanted:
                    _count(spec, row.when.condition, weight, found, depth + 1)


def ways(condition: Condition, domains: Mapping[str, Domain], want: bool = True) -> Iterator[Wish]:
    """Wishes each of which makes the condition true (or false): a few of them, shortest first within each part."""
    return islice(_ways(condition, domains, want), MOST_WAYS)


def _ways(condition: Condition, domains: Mapping[str, Domain], want: bool) -> Iterator[Wish]:
    match condition:
        case Test():
            if values := _values(condition, domains[condition.name], want):
                yield {condition.name: values}
        case Not(term):
            yield from _ways(term, domains, not want)
        case AllOf(terms) | AnyOf(terms):
            if isinstance(condition, AllOf) == want:
                yield from _jointly(terms, domains, want)
            else:
                for term in terms:
                    yield from _ways(term, domains, want)


def _jointly(terms: tuple[Condition, ...], domains: Mapping[str, Domain], want: bool) -> Iterator[Wish]:
    parts = [list(ways(term, domains, want)) for term in terms]
    for chosen in islice(product(*parts), MOST_WAYS * 4):
        joined = _joined(chosen)
        if joined is not None:
            yield joined


def _joined(wishes: tuple[Wish, ...]) -> Wish | None:
    """All wishes at once; None when they contradict each other."""
    found: dict[str, tuple[str | None, ...]] = {}
    for wish in wishes:
        for name, values in wish.items():
            kept = tuple(value for value in found[name] if value in values) if name in found else values
            if not kept:
                return None
            found[name] = kept
    return found


def _values(test: Test, domain: Domain, want: bool) -> tuple[str | None, ...]:
    if test.operator == "known":
        return domain.values if (test.values[0] == "yes") == want else (None,)
    good = accepted(test, domain)
    return tuple(value for value in domain.values if (value in good) == want)
