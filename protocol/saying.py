"""Conditions, durations and parts of a protocol in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from protocol.conditions import AllOf, AnyOf, Condition, Guard, Not, Test
from protocol.elements import parse_duration
from protocol.words import plain

LONGEST = 240
"""Characters of a condition that are shown."""

MOST_VALUES = 4
"""Values of one name that are shown in a group of cases."""

_UNITS = {"s": "s", "m": "min", "h": "h"}


def duration(text: str) -> str:
    """`24h` → `24 h`; `0d` → `end of the same day`; `2wd` → `2 working days`."""
    amount, unit = parse_duration(text)
    if unit in _UNITS:
        return f"{amount} {_UNITS[unit]}"
    if unit == "wd":
        return f"{amount} working day{'' if amount == 1 else 's'}"
    return "end of the same day" if amount == 0 else f"end of day {amount} after"


def listed(names: Iterable[str], joined: str = "and") -> str:
    """`a, b and c`."""
    *first, last = [plain(name) for name in names] or ["none"]
    return f"{', '.join(first)} {joined} {last}" if first else last


def named(name: str, element: Any) -> str:
    """`Follow-up after high risk (follow_up)`."""
    title = next((text for key in ("title", "ask", "text") if isinstance(text := getattr(element, key, None), str)), "")
    return f"{title} ({name})" if title else plain(name)


def guard(written: Guard | None, none: str) -> str:
    """A guard in words; `none` is said for one that is left out."""
    if written is None:
        return none
    text = condition(written.condition)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"{text}, or unknown" if written.if_unknown == "holds" else text


def condition(written: Condition) -> str:
    """A condition in words."""
    match written:
        case Test():
            return _test(written)
        case AllOf(terms):
            return " and ".join(_part(term) for term in terms)
        case AnyOf(terms):
            return " or ".join(_part(term) for term in terms)
        case Not(term):
            return f"not ({condition(term)})"


def _part(term: Condition) -> str:
    return condition(term) if isinstance(term, (Test, Not)) else f"({condition(term)})"


def _test(test: Test) -> str:
    name = plain(test.name).replace(".", " ")
    match test.operator:
        case "is":
            return f"{name} is {listed(test.values, 'or')}"
        case "known":
            return f"{name} is {'known' if test.values[0] == 'yes' else 'not known'}"
        case _:
            return f"{name} is {plain(test.operator)} {plain(test.values[0])}"


def cases(values: Mapping[str, Sequence[str]]) -> str:
    """A group of cases in words, from the values that each name may have."""
    words = [f"{plain(name).replace('.', ' ')} is {_few(some)}" for name, some in values.items()]
    return " and ".join(words) or "whatever the facts are"


def _few(values: Sequence[str]) -> str:
    if len(values) <= MOST_VALUES:
        return listed(values, "or")
    return f"{', '.join(map(plain, values[:MOST_VALUES]))} or one of {len(values) - MOST_VALUES} more"
