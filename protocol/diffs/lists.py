"""How lists changed: the steps of a stage, the questions of an instrument, the rules of risk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from protocol import saying as say
from protocol.diffs.change import Change, Place
from protocol.diffs.guards import relation
from protocol.elements import Element, Item
from protocol.spec import RANK, RiskRule, StageStep
from protocol.words import plain

P = TypeVar("P", bound=Element)
_Key = tuple[str, int]


def _of_step(one: StageStep) -> str:
    return one.step


def _of_item(one: Item) -> str:
    return one.fact


def stage_steps(place: Place, old: Sequence[StageStep], new: Sequence[StageStep]) -> Iterator[Change]:
    """The steps of a stage; one that stands there twice is followed in its order."""
    before, after = _numbered(old, _of_step), _numbered(new, _of_step)
    for key, one in before.items():
        if key not in after:
            yield place.says("laxer", f"step removed: {_step(place, one.step)}")
    for number, (key, one) in enumerate(after.items()):
        if key in before:
            subject = f"{place.subject}, step {_step(place, one.step)}"
            yield from place.at(number, subject=subject).compare(before[key], one)
        else:
            yield _step_added(place, one)
    yield from _order(place, before, after, "steps")


def _step_added(place: Place, one: StageStep) -> Change:
    """A step that ends an obligation can now end it here as well."""
    spec = place.versions.new.spec
    ends = any(proof.done == one.step for owed in spec.obligations.values() for proof in owed.met_by)
    text = f"{'required' if one.required else 'optional'} step added: {_step(place, one.step)}"
    anywhere = one.step in spec.steps and spec.steps[one.step].any_stage
    if ends and not anywhere:
        return place.says("laxer", f"{text} — what it ends can now be ended here too")
    return place.says("stricter" if one.required else "other", text)


WAITS = "its status and score now wait for it"


def items(place: Place, old: Sequence[Item], new: Sequence[Item]) -> Iterator[Change]:
    """The questions of an instrument."""
    before, after = _numbered(old, _of_item), _numbered(new, _of_item)
    for key, one in before.items():
        if key not in after:
            yield place.says("laxer", f"question removed: {plain(one.fact)}")
    for number, (key, one) in enumerate(after.items()):
        if key in before:
            yield from place.at(number, subject=f"{place.subject}, {plain(one.fact)}").compare(before[key], one)
        else:
            yield place.says("laxer", f"question added: {plain(one.fact)} — but {WAITS}", number)
    yield from _order(place, before, after, "questions")


def optional_answers(place: Place, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    """What a step may ask; an answer that became required is not lost."""
    required = place.owners[1].form
    lost = [one for one in old if one not in new and one not in required]
    if lost:
        yield place.says("laxer", f"is not asked any more: {say.listed(lost)}")
    else:
        yield place.says("other", "what may be answered: more, or in another order")


def added_steps(place: Place, old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]) -> Iterator[Change]:
    """What a crisis type makes required, stage by stage."""
    told = False
    for stage in dict.fromkeys((*old, *new)):
        before, after = old.get(stage, ()), new.get(stage, ())
        for one in [one for one in before if one not in after]:
            told = True
            yield place.says("laxer", f"step removed in {plain(stage)}: {_step(place, one)}")
        for one in [one for one in after if one not in before]:
            told = True
            yield place.says("stricter", f"step added in {plain(stage)}: {_step(place, one)}", stage)
    if not told:
        yield place.says("other", "steps added: in another order")


def _step(place: Place, name: str) -> str:
    steps = {**place.versions.old.spec.steps, **place.versions.new.spec.steps}
    return say.named(name, steps[name]) if name in steps else plain(name)


def _numbered(of: Sequence[P], name: Callable[[P], str]) -> dict[_Key, P]:
    """(name, how often it stood before) → part."""
    found: dict[_Key, P] = {}
    times: Counter[str] = Counter()
    for one in of:
        found[name(one), times[name(one)]] = one
        times[name(one)] += 1
    return found


def _order(place: Place, before: Iterable[_Key], after: Iterable[_Key], what: str) -> Iterator[Change]:
    old, new = list(before), list(after)
    if [key for key in old if key in new] != [key for key in new if key in old]:
        yield place.says("other", f"{what} in another order")


def risk_rules(place: Place, old: Sequence[RiskRule], new: Sequence[RiskRule]) -> Iterator[Change]:
    """Rules that raise the level; their order has no effect."""
    gone = [one for one in old if one not in new]
    come = [one for one in new if one not in old]
    if not gone and not come:
        yield place.says("other", "rules in another order, or one written twice")
    for least in (RECOGNISED, NEAR):
        for before in list(gone):
            if (after := _successor(place, before, come, least)) is not None:
                gone.remove(before)
                come.remove(after)
                yield from place.at(new.index(after), subject=_rule(after)).compare(before, after)
    for one in gone:
        yield place.says("laxer", "risk rule removed", old.index(one), subject=_rule(one))
    for one in come:
        yield place.says("stricter", "risk rule added", new.index(one), subject=_rule(one))


def _rule(rule: RiskRule) -> str:
    return f"Risk rule “{rule.because}”"


RECOGNISED, NEAR = 2, 1


def _successor(place: Place, before: RiskRule, come: Sequence[RiskRule], least: int) -> RiskRule | None:
    """The rule that took the place of an old one: by its reason or its condition, else by a condition near it."""

    def nearness(one: RiskRule) -> int:
        level, because, when = one.level == before.level, one.because == before.because, one.when == before.when
        if when or because:
            return RECOGNISED + level + because + when
        near = least == NEAR and level and relation(place.versions, before.when, one.when) != "differs"
        return NEAR if near else 0

    best = max(come, key=nearness, default=None)
    return best if best is not None and nearness(best) >= least else None


def level(place: Place, old: str, new: str) -> Iterator[Change]:
    """A level of risk that something has or sets."""
    lower = RANK[new] < RANK[old]
    yield place.says("laxer" if lower else "stricter", f"level: {old} → {new} — {'LOWER' if lower else 'HIGHER'}")
