"""Obligations can open, can end, have a due time for every case, and page somebody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from protocol.checks.ground import Ground
from protocol.duties import DueMoment, DueTable, Evidence, Ladder, Obligation, Trigger
from protocol.elements import elapsed_seconds, parse_duration
from protocol.findings import Finding, Path, did_you_mean

if TYPE_CHECKING:
    from protocol.spec import ProtocolSpec

MOST_SILENCE = 24
"""How many times a deadline its ladder may keep silent at most; more is a slip such as `10h` for `10m`."""


def check_duties(ground: Ground) -> Iterator[Finding]:
    """Every obligation on its own, then which of them can never open or end."""
    for name, obligation in ground.spec.obligations.items():
        path = ("obligations", name)
        yield from _due(ground, path, obligation)
        yield from _waiving(path, obligation)
        if not _is_nothing(obligation):
            yield from _first_page(ground, path, obligation)
            yield from _silence(ground, path, obligation)
        if obligation.clock == "business" and ground.spec.calendar is None:
            message = f"{name} runs on the business clock, and the protocol has no calendar"
            yield Finding((*path, "clock"), message, "add `calendar` with working days and holidays")
    yield from _opening(ground)
    yield from _ending(ground)
    yield from _waiting(ground)


def _is_nothing(obligation: Obligation) -> bool:
    """One of its deadlines is no time at all."""
    return any(one in ("0s", "0m", "0h") for one in obligation.durations())


def _due(ground: Ground, path: Path, obligation: Obligation) -> Iterator[Finding]:
    due = obligation.due
    if _is_nothing(obligation):
        message = "a deadline of no time at all is missed at the moment it opens"
        yield Finding(
            (*path, "due"), message, "write at least `1m`; on the same local day is `0d` with `clock: calendar`"
        )
    if isinstance(due, DueTable) and due.by in ground.domains:
        yield from _due_table(ground, (*path, "due"), due)
    elif isinstance(due, DueMoment) and (fact := ground.spec.facts.get(due.moment)) is not None:
        if fact.type != "moment":
            message = f"`{due.moment}` is a {fact.type}, not a moment"
            yield Finding((*path, "due", "moment"), message, "name a fact of `type: moment`")
        elif due.plus is not None and elapsed_seconds(due.plus) > _seconds(due.ceiling):
            message = f"{due.plus} after the moment is later than the ceiling of {due.ceiling}"
            yield Finding((*path, "due", "plus"), message, "raise the ceiling or shorten `plus`", "warning")


def _due_table(ground: Ground, path: Path, due: DueTable) -> Iterator[Finding]:
    domain = ground.domains[due.by]
    for value in due.values:
        if value not in domain.values:
            place = (*path, "values", value)
            yield Finding(place, f"`{due.by}` is never `{value}`", did_you_mean(value, domain.values), about_key=True)
    missing = [value for value in domain.values if value not in due.values]
    if domain.may_be_unknown:
        missing.append("unknown")
    if missing and due.otherwise is None:
        message = f"no due time is given while {due.by} is {' or '.join(missing)}"
        yield Finding(path, message, "add these values, or `otherwise` with the cautious time")


def _seconds(duration: str) -> int:
    amount, unit = parse_duration(duration)
    return amount * {"s": 1, "m": 60, "h": 3600, "d": 86400, "wd": 86400}[unit]


def _waiving(path: Path, obligation: Obligation) -> Iterator[Finding]:
    if obligation.waived_when is not None and not obligation.waived_by:
        message = "`waived_when` is given, but nobody may waive"
        yield Finding((*path, "waived_when"), message, "name roles in `waived_by`, or delete it")


def _first_page(ground: Ground, path: Path, obligation: Obligation) -> Iterator[Finding]:
    """A lead longer than every due time would always page at once, which `at_opening` says more plainly."""
    ladder: Ladder | None = ground.spec.ladders.get(obligation.ladder)
    if ladder is None or ladder.lead is None or obligation.clock != "safety":
        return
    longest = max(map(_seconds, obligation.durations()))
    if elapsed_seconds(ladder.lead) > longest:
        message = f"the first page would leave {ladder.lead} before a deadline that is {longest // 60} minutes away"
        remedy = "choose a ladder with a shorter `lead`, or one that `starts: at_opening`"
        yield Finding((*path, "ladder"), message, remedy, "warning")


def _silence(ground: Ground, path: Path, obligation: Obligation) -> Iterator[Finding]:
    """A ladder that stays with the owner, or falls silent for far longer than the deadline is away, helps nobody."""
    ladder: Ladder | None = ground.spec.ladders.get(obligation.ladder)
    if ladder is None:
        return
    path = (*path, "ladder")
    if obligation.concern == "safety" and all(rung.page == obligation.owner for rung in ladder.rungs):
        message = f"{obligation.ladder} pages nobody but the owner of this safety deadline"
        yield Finding(path, message, "add a rung for somebody else, such as a supervisor", "warning")
    if obligation.clock != "safety":
        return
    longest = max(map(_seconds, obligation.durations()))
    silences = [("repeat", ladder.repeat), ("lease", ladder.lease), *(("wait", rung.wait) for rung in ladder.rungs)]
    for key, silence in silences:
        if elapsed_seconds(silence) > MOST_SILENCE * longest:
            message = f"`{key}: {silence}` of {obligation.ladder} would be silent about a deadline of {_told(longest)}"
            remedy = "check the unit, or choose a ladder for short deadlines"
            yield Finding(path, message, remedy, "warning")


def _told(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds >= 60 else f"{seconds} seconds"


def _opening(ground: Ground) -> Iterator[Finding]:
    obligations = ground.spec.obligations
    alive = _alive(ground)
    for name, obligation in obligations.items():
        reasons = [(n, why) for n, one in enumerate(obligation.opens) if (why := _hindrance(ground, one, alive))]
        if name not in alive:
            why = reasons[0][1] if reasons else "it waits for itself"
            message = f"{name} can never open: {why}"
            yield Finding(("obligations", name, "opens"), message, "mend the trigger, or delete the obligation")
        else:
            for position, why in reasons:
                path = ("obligations", name, "opens", position)
                yield Finding(path, f"this trigger never fires: {why}", "mend or delete it", "warning")


def _alive(ground: Ground) -> set[str]:
    """Obligations that can open, those that wait for others included."""
    alive: set[str] = set()
    while True:
        more = {
            name
            for name, obligation in ground.spec.obligations.items()
            if name not in alive and any(_hindrance(ground, one, alive) is None for one in obligation.opens)
        }
        if not more:
            return alive
        alive |= more


def _hindrance(ground: Ground, trigger: Trigger, alive: set[str]) -> str | None:
    """Why a trigger can't fire, or None."""
    spec = ground.spec
    for key, name in trigger.happenings():
        if key == "entered" and name in spec.stages and name not in ground.reachable:
            return f"no way leads to the stage {name}"
        if key == "done" and name in spec.steps and name not in ground.doable:
            return f"the step {name} is not placed in any stage"
        if key in ("opened", "met", "missed", "waived") and name in spec.obligations:
            if name not in alive:
                return f"{name} can never open"
            if key == "waived" and not spec.obligations[name].waived_by:
                return f"nobody may waive {name}"
    if trigger.event in ("step_skipped", "co_signature_needed") and not _signed(spec, trigger.event):
        return "no step can be skipped and no decision needs a second signature"
    return "its condition never holds" if ground.never_holds(trigger.when) else None


def _signed(spec: ProtocolSpec, event: str) -> bool:
    skips = any(step.skip_cosigned_by for step in spec.steps.values())
    decisions = any(decision.cosigned_by for decision in spec.decisions.values())
    return skips or (decisions and event == "co_signature_needed")


def _waiting(ground: Ground) -> Iterator[Finding]:
    """A second signature that is missing is owed by somebody, or nobody would ever be paged for it."""
    spec = ground.spec
    events = {trigger.event for one in spec.obligations.values() for trigger in one.opens}
    if "co_signature_needed" in events:
        return
    waits = [("steps", name, "skip_cosigned_by") for name, one in spec.steps.items() if one.skip_cosigned_by]
    waits += [("decisions", name, "cosigned_by") for name, one in spec.decisions.items() if one.cosigned_by]
    for path in waits[:1]:
        remedy = "add an obligation with `opens: [{event: co_signature_needed}]`"
        yield Finding(path, "a second signature that is missing is owed by nobody", remedy, about_key=True)


def _ending(ground: Ground) -> Iterator[Finding]:
    for name, obligation in ground.spec.obligations.items():
        reasons = [(n, why) for n, one in enumerate(obligation.met_by) if (why := _lacking(ground, one))]
        if len(reasons) == len(obligation.met_by):
            message = f"{name} can never be met: {reasons[0][1]}; an episode that owes it could never close"
            yield Finding(("obligations", name, "met_by"), message, "name evidence that can come about")
        else:
            for position, why in reasons:
                path = ("obligations", name, "met_by", position)
                yield Finding(path, f"this evidence can never come about: {why}", "mend or delete it", "warning")


def _lacking(ground: Ground, evidence: Evidence) -> str | None:
    """Why evidence can't come about, or None."""
    spec = ground.spec
    if evidence.done in spec.steps and evidence.done not in ground.doable:
        return f"the step {evidence.done} is not placed in any stage"
    if evidence.left in spec.stages:
        if spec.stages[evidence.left].kind == "closed":
            return f"the closed stage {evidence.left} is never left"
        if evidence.left not in ground.reachable:
            return f"no way leads to the stage {evidence.left}"
    return "its condition never holds" if ground.never_holds(evidence.when) else None
