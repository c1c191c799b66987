"""How a condition changed: compared over every combination of the values that it reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from protocol import saying as say
from protocol.conditions import Guard, tests_in
from protocol.diffs.change import OPPOSITE, Change, Effect, Place, Rule, Versions

Relation = Literal["same", "wider", "narrower", "differs"]
"""What holds more often is wider; `differs` also where it can't be told."""


def relation(versions: Versions, old: Guard | None, new: Guard | None, none_holds: bool = True) -> Relation:
    """How often the new condition holds against the old one; one left out holds always or never."""
    if old == new:
        return "same"
    if old is None or new is None:
        return "wider" if (new is None) is none_holds else "narrower"
    if not _read_alike(versions, old, new):
        return "differs"
    space = versions.new.space(old.condition, new.condition)
    if space is None:
        return "differs"
    before, after = space.holds(old), space.holds(new)
    if before == after:
        return "same"
    if before & ~after == 0:
        return "wider"
    return "narrower" if after & ~before == 0 else "differs"


def _read_alike(versions: Versions, *guards: Guard) -> bool:
    """Every name has the same values in both versions."""
    names = {test.name for one in guards for test in tests_in(one.condition)}
    return all(name in versions.old.domains and _domain_alike(versions, name) for name in names)


def _domain_alike(versions: Versions, name: str) -> bool:
    return versions.old.domains.get(name) == versions.new.domains.get(name)


def guarded(label: str, holding: Effect, none_holds: bool = True, unsure_wider: str = "") -> Rule:
    """A condition whose holding makes the protocol laxer or stricter; `unsure_wider` says why wider may be laxer."""

    def rule(place: Place, old: Guard | None, new: Guard | None) -> Iterator[Change]:
        found = relation(place.versions, old, new, none_holds)
        text = f"{label}: {_side(old, new) or _told(old, new, none_holds)}"
        match found:
            case "same":
                yield place.says("other", f"{label}: written in another way, with the same meaning")
            case "wider" if unsure_wider and old is not None:
                yield place.says("laxer", f"{text} — in more cases, but {unsure_wider}")
            case "wider":
                yield place.says(holding, f"{text} — in more cases")
            case "narrower":
                yield place.says(OPPOSITE[holding], f"{text} — in fewer cases")
            case "differs":
                yield place.says("laxer", f"{text} — in other cases")

    return rule


def _told(old: Guard | None, new: Guard | None, none_holds: bool) -> str:
    none = "always" if none_holds else "never"
    return f"{say.guard(old, none)} → {say.guard(new, none)}"


def _side(old: Guard | None, new: Guard | None) -> str:
    """Words for a change of the side of the unknown alone."""
    if old is None or new is None or old.condition != new.condition:
        return ""
    now = "holds" if new.if_unknown == "holds" else "fails"
    return f"{say.guard(Guard(new.condition), '')} — unknown now counts as if it {now}"
