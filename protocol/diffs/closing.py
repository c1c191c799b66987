"""How it changed what an ending needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from protocol import saying as say
from protocol.diffs.change import Change, Place
from protocol.diffs.rules import in_other_order, parts
from protocol.spec import Closing, Outcome, Requirement
from protocol.words import plain

_outcomes = parts("outcome", "laxer", "stricter")


def outcomes(place: Place, old: Mapping[str, Outcome], new: Mapping[str, Outcome]) -> Iterator[Change]:
    """Ways to end, one more is laxer; a requirement that one outcome names is needed for it alone."""
    yield from _outcomes(place, old, new)
    yield from _needed(place, *place.owners)


def requirements(place: Place, old: Mapping[str, Requirement], new: Mapping[str, Requirement]) -> Iterator[Change]:
    """What every ending needs; which ending needs what is told at the outcomes."""
    for name in [one for one in old if one not in new]:
        yield place.says("laxer", "requirement removed", name, subject=f"Closing: {plain(name)}")
    for name, after in new.items():
        if name not in old:
            yield place.says("stricter", "requirement added", name, subject=f"Closing: {plain(name)}")
        else:
            yield from place.at(name, subject=f"Closing: {plain(name)}").compare(old[name], after)
    yield from _needed(place, *place.owners)
    if in_other_order(old, new):
        yield place.says("other", "requirements in another order")


def _needed(place: Place, old: Closing, new: Closing) -> Iterator[Change]:
    for name in [one for one in new.outcomes if one in old.outcomes]:
        before, after = _all_needed(old, name), _all_needed(new, name)
        subject = say.named(name, new.outcomes[name])
        for one in sorted(before - after):
            yield place.says("laxer", f"may now end so without: {plain(one)}", subject=subject)
        for one in sorted(after - before):
            yield place.says("stricter", f"ends so only with: {plain(one)}", subject=subject)


def _all_needed(closing: Closing, outcome: str) -> set[str]:
    """Names of all requirements that hold for an outcome."""
    own = set(closing.outcomes[outcome].requires)
    elsewhere = {name for key, one in closing.outcomes.items() if key != outcome for name in one.requires}
    return {name for name in closing.requires if name in own or name not in elsewhere}
