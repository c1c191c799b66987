"""How a decision table changed: by its outcome in every case, not by its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from protocol import saying as say
from protocol.checks.space import Space
from protocol.conditions import tests_in
from protocol.diffs.change import Change, Effect, Place
from protocol.elements import Row
from protocol.words import plain

GAP = "no outcome"


def rows(place: Place, old: Sequence[Row], new: Sequence[Row]) -> Iterator[Change]:
    """Each way in which the outcome changed, with a case. Rows that can't be compared so count as laxer."""
    space = _common_space(place)
    if space is None:
        yield place.says("laxer", "rows changed; their outcomes can't be compared case by case")
        return
    before, after = _outcomes(space, old), _outcomes(space, new)
    changed = False
    for was, cases in before.items():
        for now, others in after.items():
            if was != now and (both := cases & others):
                changed = True
                text = f"{plain(was)} → {plain(now)} when {say.cases(space.box(both).values)}"
                yield place.says(_direction(place, was, now), text)
    if not changed:
        yield place.says("other", "rows: other words or order, with the same outcome in every case")


def _common_space(place: Place) -> Space | None:
    """Every case of both versions; None where a name or the stand-in for unknown has changed its meaning."""
    old, new = place.owners
    read = {test.name for table in (old, new) for row in table.rows for test in tests_in(row.when.condition)}
    domains = place.versions.old.domains, place.versions.new.domains
    if old.unknown_as != new.unknown_as or any(domains[0].get(name) != domains[1].get(name) for name in read):
        return None
    return place.versions.new.table_space(new.model_copy(update={"rows": (*old.rows, *new.rows)}))


def _outcomes(space: Space, written: Sequence[Row]) -> Mapping[str, int]:
    """Outcome → the cases in which it is the first to apply."""
    found: dict[str, int] = {}
    left = space.full
    for row in written:
        mask = space.split(row.when.condition).true & left
        found[row.then] = found.get(row.then, 0) | mask
        left &= ~mask
    return {**found, GAP: left} if left else found


def _direction(place: Place, was: str, now: str) -> Effect:
    """More intensive advice is stricter; where the table serves anything else, nobody can tell."""
    orders = [list(one.options) for one in place.versions.new.spec.decisions.values() if one.advice == place.path[1]]
    clear = bool(orders) and all(was in order and now in order for order in orders) and not _read_elsewhere(place)
    return "stricter" if clear and all(order.index(now) > order.index(was) for order in orders) else "laxer"


def _read_elsewhere(place: Place) -> bool:
    name = place.path[1]
    due_by = {getattr(one.due, "by", None) for one in place.versions.new.spec.obligations.values()}
    guards = (*place.versions.old.guards, *place.versions.new.guards)
    return name in due_by or any(test.name == name for _, guard in guards for test in tests_in(guard.condition))


def stand_ins(place: Place, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    """Which value stands for an unknown one."""
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        if before != after:
            counts = f"{plain(after or 'unknown')} instead of {plain(before or 'unknown')}"
            yield place.says("laxer", f"unknown {plain(name)} now counts as {counts}", name)
    if dict(old) == dict(new):
        yield place.says("other", "stand-ins for unknown: in another order")
