"""Checking what was answered: each fact by its type, scores added up. Pure; refuses in words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from protocol.elements import Fact
from protocol.episode import Known
from protocol.events import FactRecord
from protocol.evolve import UNKNOWN
from protocol.program import Program


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a command is refused and how to mend it."""

    code: str
    message: str
    remedy: str
    missing: tuple[str, ...] = ()


def check_facts(program: Program, facts: Mapping[str, object]) -> dict[str, FactRecord] | Refused:
    """The facts as they will be recorded, or the first refusal.

    In the order of their names: what follows must not depend on how somebody listed them, nor on how the trail
    writes them, or a replay would react in another order.
    """
    records: dict[str, FactRecord] = {}
    declared = program.spec.facts
    for name, value in sorted(facts.items()):
        fact = declared.get(name)
        if fact is None:
            return _unknown_fact(program, name)
        record = UNKNOWN if value == UNKNOWN else _read(fact, value)
        if record is None:
            return Refused("invalid_fact", f"{name} can't be that", f"Answer {name} with {describe(fact)}.")
        records[name] = record
    return records


def _unknown_fact(program: Program, name: str) -> Refused:
    near = difflib.get_close_matches(name, program.spec.facts, n=1)
    hint = f"Did you mean {near[0]}?" if near else "Use a fact that the protocol declares."
    return Refused("unknown_fact", f"The protocol has no fact named {name}.", hint)


def fits(fact: Fact, value: object) -> bool:
    """Whether this may be recorded as the answer to a fact."""
    return _read(fact, value) is not None


def _read(fact: Fact, value: object) -> FactRecord | None:
    """The answer in its recorded form; None when it does not fit the fact."""
    if value == "refused":
        return "refused" if fact.may_refuse else None
    match fact.type:
        case "yes_no":
            return value if isinstance(value, str) and value in ("yes", "no") else None
        case "choice":
            return value if isinstance(value, str) and value in fact.choices else None
        case "several":
            return _several(fact, value)
        case "number":
            return _number(fact, value)
        case "text":
            return value if isinstance(value, str) and value.strip() else None
        case "moment":
            return _moment(value)


def _several(fact: Fact, value: object) -> FactRecord | None:
    if not isinstance(value, tuple):
        return None
    chosen = set(cast(tuple[object, ...], value))
    return tuple(choice for choice in fact.choices if choice in chosen) if chosen <= set(fact.choices) else None


def _number(fact: Fact, value: object) -> FactRecord | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    low, high = fact.minimum, fact.maximum
    return value if low is not None and high is not None and low <= value <= high else None


def _moment(value: object) -> FactRecord | None:
    """An aware time, kept as RFC 3339 in UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC).isoformat() if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def describe(fact: Fact) -> str:
    """What may be answered, in words."""
    words = {
        "yes_no": "yes or no",
        "choice": "one of " + ", ".join(fact.choices),
        "several": "some of " + ", ".join(fact.choices),
        "number": f"a whole number from {fact.minimum} to {fact.maximum}",
        "text": "a text that is not empty",
        "moment": "a date and time with its zone, such as 2026-12-01T14:20:00-08:00",
    }[fact.type]
    return f"{words}, or refused" if fact.may_refuse else words


def scores(
    program: Program, before: Mapping[str, Known], after: Mapping[str, Known], answers: Mapping[str, FactRecord]
) -> dict[str, tuple[FactRecord, datetime]]:
    """The sums of instruments that these answers complete or undo, each with when its last item was answered.

    A sum goes (`unknown`) as soon as one of the items behind it was refused or taken back. A total that a person
    wrote down, with no items behind it, stays.
    """
    sums: dict[str, tuple[FactRecord, datetime]] = {}
    for name in answers:
        if name in program.scores:
            score, asked = program.scores[name]
            items = [item for item, _ in asked]
            if (total := _total(items, after)) is not None:
                sums[score] = total, max(after[item].at for item in items)
            elif score in after and score not in answers and _total(items, before) is not None:
                sums[score] = UNKNOWN, after[score].at
    return sums


def _total(items: list[str], facts: Mapping[str, Known]) -> int | None:
    values = [facts[item].value for item in items if item in facts]
    numbers = [value for value in values if isinstance(value, int)]
    return sum(numbers) if len(numbers) == len(items) else None
