"""Rules for the kinds of values that many parts of a protocol have: words, names, flags, durations, mappings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from protocol import saying as say
from protocol.diffs.change import OPPOSITE, Change, Effect, Place, Rule
from protocol.elements import Element, elapsed_seconds
from protocol.words import plain


def wording(label: str) -> Rule:
    """Not safety-relevant: words and sources that no rule reads."""

    def rule(place: Place, old: Any, new: Any) -> Iterator[Change]:
        yield place.says("other", f"{label} changed")

    return rule


def unsure(label: str) -> Rule:
    """A change whose effect only a clinician can tell, so it counts as laxer."""

    def rule(place: Place, old: Any, new: Any) -> Iterator[Change]:
        yield place.says("laxer", f"{label}: {_shown(old)} → {_shown(new)}")

    return rule


def together(place: Place, old: Any, new: Any) -> Iterator[Change]:
    """For the fields of parts that are compared as a whole, one level up."""
    yield place.says("laxer", f"{plain(str(place.path[-1]))}: {_shown(old)} → {_shown(new)}")


def nested(place: Place, old: Element | None, new: Element | None) -> Iterator[Change]:
    """A part with rules of its own."""
    if old is not None and new is not None:
        yield from place.compare(old, new)
    else:
        yield place.says("laxer", f"{plain(str(place.path[-1]))} {'added' if old is None else 'removed'}")


def names(label: str, added: Effect, removed: Effect, order: Effect = "other") -> Rule:
    """A list of names."""

    def rule(place: Place, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
        more, fewer = [one for one in new if one not in old], [one for one in old if one not in new]
        if more:
            yield place.says(added, f"{label}: now also {say.listed(more)}")
        if fewer:
            yield place.says(removed, f"{label}: no longer {say.listed(fewer)}")
        if not more and not fewer:
            yield place.says(order, f"{label}: in another order")

    return rule


def signers(needed: str, none: str, none_is: Effect) -> Rule:
    """Roles of which one must sign; nobody named is a rule of its own."""
    some = names(needed, "laxer", "stricter")

    def rule(place: Place, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
        if not new:
            yield place.says(none_is, f"{none} (was: {needed} {say.listed(old, 'or')})")
        elif not old:
            yield place.says(OPPOSITE[none_is], f"{needed}: now {say.listed(new, 'or')} (was: {none})")
        else:
            yield from some(place, old, new)

    return rule


def flag(yes: str, no: str, yes_is: Effect, no_is: Effect) -> Rule:
    """Something that is or is not so."""

    def rule(place: Place, old: bool, new: bool) -> Iterator[Change]:
        yield place.says(yes_is if new else no_is, yes if new else no)

    return rule


def scale(label: str, strictest_first: Sequence[str]) -> Rule:
    """A choice whose values have an order."""

    def rule(place: Place, old: str, new: str) -> Iterator[Change]:
        looser = strictest_first.index(new) > strictest_first.index(old)
        yield place.says("laxer" if looser else "stricter", f"{label}: {plain(old)} → {plain(new)}")

    return rule


def elapsed(label: str, longer: Effect = "laxer", missing: str = "none") -> Rule:
    """A duration of elapsed time; one left out counts as zero."""

    def rule(place: Place, old: str | None, new: str | None) -> Iterator[Change]:
        before, after = (0 if one is None else elapsed_seconds(one) for one in (old, new))
        text = f"{label}: {say.duration(old) if old else missing} → {say.duration(new) if new else missing}"
        if before == after:
            yield place.says("other", f"{text} — the same")
        elif after > before:
            yield place.says(longer, f"{text} — LONGER")
        else:
            yield place.says(OPPOSITE[longer], f"{text} — SHORTER")

    return rule


def parts(kind: str, added: Effect, removed: Effect, order: Effect = "other") -> Rule:
    """A mapping of names to parts with rules of their own."""

    def rule(place: Place, old: Mapping[str, Element], new: Mapping[str, Element]) -> Iterator[Change]:
        for name in [one for one in old if one not in new]:
            yield place.says(removed, f"{kind} removed", name, subject=say.named(name, old[name]))
        for name in new:
            subject = say.named(name, new[name])
            if name not in old:
                yield place.says(added, f"{kind} added", name, subject=subject)
            else:
                yield from place.at(name, subject=subject).compare(old[name], new[name])
        if in_other_order(old, new):
            yield place.says(order, f"the order of the {kind}s changed")

    return rule


def values(label: str, added: Effect, removed: Effect, changed: Effect, order: Effect = "other") -> Rule:
    """A mapping of names to plain values."""

    def rule(place: Place, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
        for name in [one for one in old if one not in new]:
            yield place.says(removed, f"{label}: {plain(name)} removed (was {_shown(old[name])})", name)
        for name, value in new.items():
            if name not in old:
                yield place.says(added, f"{label}: {plain(name)} added ({_shown(value)})", name)
            elif value != old[name]:
                text = f"{label}: {plain(name)}: {_shown(old[name])} → {_shown(value)}"
                yield place.says(changed, text, name)
        if in_other_order(old, new):
            yield place.says(order, f"{label}: in another order")

    return rule


def in_other_order(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether what both have stands in another order."""
    return [name for name in old if name in new] != [name for name in new if name in old]


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return say.listed(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
    return f"“{value}”" if isinstance(value, str) and " " in value else plain(str(value))
