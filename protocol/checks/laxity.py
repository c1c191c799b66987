"""What makes a protocol laxer than its author will have meant: unknown taken as safe, times too long, wrong people."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from protocol.checks.ground import Ground
from protocol.conditions import Guard, tests_in
from protocol.duties import DueTable, Evidence, Ladder, Obligation, Trigger
from protocol.elements import elapsed_seconds, parse_duration
from protocol.findings import Finding, Path
from protocol.spec import LEVELS, ProtocolSpec

OWNER, ADDRESSEE = "owner", "addressee"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "wd": 86400}
LONGEST_IN_AN_EMERGENCY = 86400
"""Seconds. A safety duty of the emergency stage that may take longer is no duty of an emergency."""

PRESSING = 3600
"""Seconds. A safety duty that may have to be done sooner, and is paged for from the start, can't wait."""

MOST_PAGES_BEFORE = 24
"""How often a ladder may have paged its last rung before the deadline that it is for; more is a slip in `due`."""


def check_laxity(ground: Ground) -> Iterator[Finding]:
    """Each place where the lax side was taken."""
    yield from _unknown(ground)
    yield from _unfinished(ground)
    for name, obligation in ground.spec.obligations.items():
        path = ("obligations", name)
        yield from _waivers(ground.spec, path, obligation)
        yield from _attempts(path, obligation)
        yield from _emergency_times(ground.spec, path, obligation)
        yield from _times_by_risk(path, obligation)
        yield from _able(ground, path, obligation)
    yield from _pressing(ground.spec)
    yield from _closers(ground.spec)


def _unknown(ground: Ground) -> Iterator[Finding]:
    """Where `if_unknown: holds` lets something happen that nobody knows to be right."""
    spec = ground.spec
    what = "is permitted while nobody knows whether it may be"
    places: list[tuple[Path, Guard | None, str, str]] = [
        (
            ("parties", name, "permitted"),
            party.permitted,
            f"contact with {name} {what}",
            "missing consent is no consent",
        )
        for name, party in spec.parties.items()
    ]
    places += [
        (
            ("obligations", name, "waived_when"),
            owed.waived_when,
            f"{name} may be waived while its condition is unknown",
            "a safety duty is waived only on what is known",
        )
        for name, owed in spec.obligations.items()
        if owed.concern == "safety"
    ]
    message = "a level may be lowered while this is unknown"
    places.append((("risk", "lowering", "requires"), spec.risk.lowering.requires, message, "the engine must know it"))
    places += [
        (
            ("closing", "requires", name, "when"),
            one.when,
            f"an episode may close while `{name}` is unknown",
            "what nobody knows is not fulfilled",
        )
        for name, one in spec.closing.requires.items()
    ]
    for path, guard, said, why in places:
        if guard is not None and guard.if_unknown == "holds":
            yield Finding((*path, "if_unknown"), said, f"write `if_unknown: fails`: {why}")


def _unfinished(ground: Ground) -> Iterator[Finding]:
    """A screen that is unfinished counts as positive: some risk rule holds because of that alone."""
    rules = list(enumerate(ground.spec.risk.rules))
    for name, instrument in ground.spec.instruments.items():
        status = f"{name}.status"
        readers = [
            (number, rule.when) for number, rule in rules if status in {t.name for t in tests_in(rule.when.condition)}
        ]
        if readers and not any(_holds_whenever(ground, guard, status, "unfinished") for _, guard in readers):
            message = (
                f"no risk rule holds because {name} is unfinished: a refused {instrument.title} counts as negative"
            )
            remedy = f"let a rule hold with `{status}: unfinished` alone"
            yield Finding(("risk", "rules", readers[0][0], "when", status), message, remedy)


def _holds_whenever(ground: Ground, guard: Guard, name: str, value: str) -> bool:
    space = ground.space(guard.condition)
    return space is None or space.where(name, value) & ~space.holds(guard) == 0


def _waivers(spec: ProtocolSpec, path: Path, obligation: Obligation) -> Iterator[Finding]:
    for position, name in enumerate(obligation.waived_by if obligation.concern == "safety" else ()):
        if name in spec.roles and not spec.roles[name].licensed:
            message = f"{name} is not licensed and could waive this safety duty"
            yield Finding((*path, "waived_by", position), message, "remove the role, or name a licensed one")


def _attempts(path: Path, obligation: Obligation) -> Iterator[Finding]:
    if obligation.concern != "safety" or obligation.duty_to_try:
        return
    for position, evidence in enumerate(obligation.met_by):
        if evidence.attempted is not None and evidence.reached is None:
            message = f"a mere attempt to reach {evidence.attempted} would end this safety duty"
            remedy = f"write `reached: {evidence.attempted}`, or `duty_to_try: true` when the attempt itself is owed"
            yield Finding((*path, "met_by", position, "attempted"), message, remedy)


def _emergency_times(spec: ProtocolSpec, path: Path, obligation: Obligation) -> Iterator[Finding]:
    if obligation.concern != "safety" or not any(_in_an_emergency(spec, one) for one in obligation.opens):
        return
    for duration in dict.fromkeys(obligation.durations()):
        if _seconds(duration) > LONGEST_IN_AN_EMERGENCY:
            message = f"{duration} is long for a safety duty that an emergency opens"
            yield Finding((*path, "due"), message, "check the unit; an emergency is answered in minutes", "warning")


def _in_an_emergency(spec: ProtocolSpec, trigger: Trigger) -> bool:
    return trigger.entered == spec.emergency.stage or trigger.event == "emergency_declared"


def _times_by_risk(path: Path, obligation: Obligation) -> Iterator[Finding]:
    """A higher level never has more time."""
    due = obligation.due
    if not isinstance(due, DueTable) or due.by not in ("risk", "peak_risk"):
        return
    listed = [(level, due.values[level]) for level in LEVELS if level in due.values]
    for (lower, sooner), (higher, later) in pairwise(listed):
        if _seconds(later) > _seconds(sooner):
            message = f"at {higher} risk there is more time ({later}) than at {lower} ({sooner})"
            yield Finding((*path, "due", "values", higher), message, f"give {higher} at most {sooner}", "warning")


def _able(ground: Ground, path: Path, obligation: Obligation) -> Iterator[Finding]:
    """Whoever is paged can do something about it."""
    spec = ground.spec
    paged = _paged(spec, obligation)
    if paged is None or ground.lost:
        return
    ends = [_who_may(spec, evidence) for evidence in obligation.met_by]
    if all(one is not None and not one & paged for one in ends):
        able = ", ".join(sorted({role for one in ends for role in one or ()})) or "nobody"
        message = f"nobody whom this duty pages may do what ends it, which takes {able}"
        yield Finding(
            (*path, "met_by"), message, "let its ladder page one of them, or let one who is paged do it", "warning"
        )


def _paged(spec: ProtocolSpec, obligation: Obligation) -> set[str] | None:
    """The roles that hear of a duty; None where that can be anybody."""
    ladder = spec.ladders.get(obligation.ladder)
    names = {obligation.owner, *(rung.page for rung in ladder.rungs)} if ladder is not None else {ADDRESSEE}
    if ADDRESSEE in names:
        return None
    return (names - {OWNER}) | (set(spec.owning_roles) if OWNER in names else set())


def _who_may(spec: ProtocolSpec, evidence: Evidence) -> set[str] | None:
    """The roles that can bring evidence about; None where anybody can."""
    needed: list[set[str]] = []
    if evidence.done in spec.steps and spec.steps[evidence.done].roles:
        needed.append(set(spec.steps[evidence.done].roles))
    if evidence.decided in spec.decisions and spec.decisions[evidence.decided].roles:
        needed.append(set(spec.decisions[evidence.decided].roles))
    if evidence.acknowledged is not None:
        needed.append({evidence.acknowledged})
    return {role for one in needed for role in one} if needed else None


def _pressing(spec: ProtocolSpec) -> Iterator[Finding]:
    """Safety duties that page from the moment they open: soon due, and answered by people who may act."""
    for name, ladder in spec.ladders.items():
        duties = [one for one, owed in spec.obligations.items() if owed.ladder == name and owed.concern == "safety"]
        if ladder.starts != "at_opening":
            continue
        soonest = {one: min(map(_seconds, spec.obligations[one].durations())) for one in duties}
        climb, repeat = sum(elapsed_seconds(rung.wait) for rung in ladder.rungs), elapsed_seconds(ladder.repeat)
        for duty in duties:
            pages = (soonest[duty] - climb) // repeat
            if pages >= MOST_PAGES_BEFORE:
                message = f"{name} would page its last rung {pages} times before {duty} is due"
                remedy = "check the unit of `due`, or choose a ladder that starts `before_due`"
                yield Finding(("obligations", duty, "due"), message, remedy, "warning")
        pressing = [duty for duty in duties if soonest[duty] <= PRESSING]
        for position in _unlicensed(spec, ladder) if pressing else ():
            message = f"{ladder.rungs[position].page} is not licensed and is paged for {pressing[0]}, which can't wait"
            remedy = "page a licensed role here; give whoever should only know of it a duty of their own"
            yield Finding(("ladders", name, "rungs", position, "page"), message, remedy, "warning")


def _unlicensed(spec: ProtocolSpec, ladder: Ladder) -> Iterator[int]:
    """The rungs that page a role without a licence."""
    for position, rung in enumerate(ladder.rungs):
        role = spec.roles.get(rung.page)
        if role is not None and not role.licensed:
            yield position


def _closers(spec: ProtocolSpec) -> Iterator[Finding]:
    known = [spec.roles[name] for name in spec.closing.roles if name in spec.roles]
    if known and not any(role.licensed for role in known):
        message = "nobody who may close an episode is licensed"
        yield Finding(("closing", "roles"), message, "add a licensed role, or say `licensed: true` of one", "warning")


def _seconds(duration: str) -> int:
    amount, unit = parse_duration(duration)
    return amount * SECONDS[unit]
