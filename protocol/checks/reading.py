"""Conditions compare what exists, settle the unknown, and read only facts that somebody is asked for."""

from __future__ import annotations

from collections.abc import Iterator

from protocol.checks.ground import Ground
from protocol.conditions import JOINERS, Guard, Test, tests_in
from protocol.duties import DueMoment, DueTable, Evidence
from protocol.findings import Finding, Path, did_you_mean
from protocol.spec import Decision


def check_reading(ground: Ground) -> Iterator[Finding]:
    """Every condition, and every other place where a fact is read."""
    for path, guard in ground.guards:
        wrong = list(_comparisons(ground, path, guard))
        yield from wrong
        if not wrong:
            yield from _settled(ground, path, guard)
    yield from _never_asked(ground)


def _comparisons(ground: Ground, path: Path, guard: Guard) -> Iterator[Finding]:
    for test in tests_in(guard.condition):
        place = (*path, test.name)
        if test.name not in ground.domains:
            yield Finding(place, *_unreadable(ground, test.name), about_key=True)
        elif why := ground.why_unreadable(test):
            message, _, remedy = why.partition("; ")
            yield Finding(place, message, remedy or _compare(ground, test))


def _unreadable(ground: Ground, name: str) -> tuple[str, str]:
    spec = ground.spec
    if name in spec.facts:
        remedy = "compare a yes_no, a choice, or a number with bands; use a step or an obligation for the rest"
        return f"conditions can't read `{name}`, which is a {spec.facts[name].type} without declared values", remedy
    kinds = {
        "contact": spec.parties,
        "step": spec.steps,
        "obligation": spec.obligations,
        "crisis": spec.crisis_types,
    }
    for prefix, declared in kinds.items():
        if name in declared:
            return f"nothing is called `{name}`", f"did you mean `{prefix}.{name}`?"
    if name in spec.instruments:
        return f"nothing is called `{name}`", f"did you mean `{name}.status`?"
    if name in JOINERS:
        return f"`{name}` is no word of a condition", f"write `{JOINERS[name]}`; names side by side must hold together"
    return f"nothing is called `{name}`", did_you_mean(name, [*ground.domains, "if_unknown"])


def _compare(ground: Ground, test: Test) -> str:
    return did_you_mean(test.values[0], ground.domains[test.name].values)


def _settled(ground: Ground, path: Path, guard: Guard) -> Iterator[Finding]:
    """A condition that may meet the unknown says which side counts; one that never varies says nothing."""
    if path in ground.settled_otherwise:
        yield from _overruled(path, guard)
        return
    tests = [test for test in tests_in(guard.condition) if test.operator != "known"]
    may_be_unknown = sorted({test.name for test in tests if ground.domains[test.name].may_be_unknown})
    verdict = ground.verdict(guard)
    unknown = bool(may_be_unknown) if verdict is None else verdict.unknown
    if unknown and guard.if_unknown is None:
        names = ", ".join(f"`{name}`" for name in may_be_unknown)
        message = f"this condition does not say what counts while {names} is unknown"
        yield Finding(path, message, "add `if_unknown: holds` or `if_unknown: fails`, whichever is the cautious side")
    if verdict is not None and verdict.never:
        yield Finding(path, "this condition never holds", "two of its terms exclude each other; mend one", "warning")
    elif verdict is not None and verdict.always and not unknown:
        yield Finding(path, "this condition always holds", "delete it, or mend it", "warning")


def _overruled(path: Path, guard: Guard) -> Iterator[Finding]:
    if path[-1] == "asked_when" and guard.if_unknown == "fails":
        message = "`if_unknown: fails` has no effect here: an item counts as asked until it is known that it is not"
        yield Finding((*path, "if_unknown"), message, "delete `if_unknown`", "warning")
    elif path[-1] == "when" and guard.if_unknown == "holds":
        message = "`if_unknown: holds` has no effect in a row: one that can't be known does not apply"
        yield Finding((*path, "if_unknown"), message, "say in `unknown_as` what stands for the unknown value")


def _never_asked(ground: Ground) -> Iterator[Finding]:
    told: set[str] = set()
    for path, name in _facts_read(ground):
        if name in ground.spec.facts and name not in ground.asked | told:
            told.add(name)
            message = f"nobody is ever asked for `{name}`, which is read here"
            remedy = "add it to the `form` or `optional` of a step that is placed in a stage"
            yield Finding(path, message, remedy)


def _facts_read(ground: Ground) -> Iterator[tuple[Path, str]]:
    for path, guard in ground.guards:
        yield from (((*path, test.name), test.name) for test in tests_in(guard.condition))
    for path, element in ground.of(DueTable):
        yield (*path, "by"), element.by
    for path, element in ground.of(DueMoment):
        yield (*path, "moment"), element.moment
    for path, element in ground.of(Decision):
        yield from (((*path, "shows", position), name) for position, name in enumerate(element.shows))
    for path, element in ground.of(Evidence):
        yield from (((*path, "refreshed", position), name) for position, name in enumerate(element.refreshed))
