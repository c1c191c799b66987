"""What differs between two versions of a protocol, and where two versions are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from protocol.checks.ground import Ground
from protocol.elements import Element
from protocol.findings import Path

Effect = Literal["laxer", "stricter", "other"]
"""`laxer` also stands for every change whose effect can't be told; `other` changes no rule."""

OPPOSITE: dict[Effect, Effect] = {"laxer": "stricter", "stricter": "laxer", "other": "other"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference in clinical words."""

    path: Path
    """The place in the new version; in the old one for what was removed."""
    subject: str
    text: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Versions:
    """Both versions with the rules by which their parts are compared."""

    old: Ground
    new: Ground
    rules: Mapping[type[Element], Mapping[str, Rule]]


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the protocol that both versions have."""

    versions: Versions
    path: Path
    subject: str
    owners: tuple[Any, Any]
    """The elements that hold the compared values, old and new."""

    def at(self, *keys: str | int, subject: str = "") -> Place:
        """A place further inside."""
        return replace(self, path=(*self.path, *keys), subject=subject or self.subject)

    def says(self, effect: Effect, text: str, *keys: str | int, subject: str = "") -> Change:
        """A change at this place or further inside."""
        return Change((*self.path, *keys), subject or self.subject, text, effect)

    def compare(self, old: Element, new: Element) -> Iterator[Change]:
        """Every field that differs, by its rule; a difference for which a rule finds no words is still told."""
        if type(old) is not type(new):
            yield self.says("laxer", "is now of another kind")
            return
        inner = replace(self, owners=(old, new))
        for field, rule in self.versions.rules[type(new)].items():
            before, after = getattr(old, field), getattr(new, field)
            if alike(before, after):
                continue
            found = list(rule(inner.at(field), before, after))
            yield from found or [inner.says("laxer", f"{field} changed", field)]


Rule = Callable[[Place, Any, Any], Iterator[Change]]
"""Tells how an old and a new value differ; called only where they do."""


def alike(old: Any, new: Any) -> bool:
    """Equality that also heeds the order of mappings: it is the order people see, and some orders have a meaning."""
    if isinstance(old, Element) and isinstance(new, Element):
        return type(old) is type(new) and all(
            alike(getattr(old, field), getattr(new, field)) for field in type(old).model_fields
        )
    if isinstance(old, dict) and isinstance(new, dict):
        return _pairs_alike(list(old.items()), list(new.items()))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(old, tuple) and isinstance(new, tuple):
        return _pairs_alike(list(old), list(new))  # pyright: ignore[reportUnknownArgumentType]
    return old == new


def _pairs_alike(old: list[Any], new: list[Any]) -> bool:
    return len(old) == len(new) and all(map(alike, old, new))
