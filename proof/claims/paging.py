"""How long it takes at worst, after the risk rose, until somebody is paged; and until the last rung."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from proof.claims.common import Effort, Ground, Watching, free_of
from proof.explore import START
from proof.slices import Interest
from proof.verdicts import Paging
from protocol import events as e
from protocol.clocks import due_at
from protocol.conditions import evaluate
from protocol.decide import MacroStep
from protocol.duties import DueTable, Obligation, Trigger
from protocol.elements import elapsed_seconds
from protocol.episode import Episode
from protocol.program import Program
from protocol.spec import LEVELS, RANK, ProtocolSpec
from protocol.vocabulary import accepted

YEARS = 2
"""How far ahead days are tried for clocks that stop at night, on weekends and holidays, and jump in spring and fall."""
CLOCK_TIMES = (time(0, 0), time(23, 59, 59))


def paging(ground: Ground, first_day: date) -> tuple[Paging, ...]:
    """For each level that the risk can rise to: the obligation that surely pages soonest, at worst.

    Days are tried from `first_day` (local) on. A level at which nobody is surely paged has no obligation.
    """
    spec = ground.program.spec
    reached = {rule.level for rule in spec.risk.rules} | {spec.emergency.at}
    found: list[Paging] = []
    for level in (one for one in LEVELS[1:] if one in reached):
        opened = [name for name, one in spec.obligations.items() if _may_open(ground.program, level, one)]
        timed = sorted(_times(spec, name, level, first_day) for name in opened)
        sure = next((one for one in timed if _sure(ground, level, one[2], one[0])), None)
        if sure is None:
            found.append(Paging(level))
            continue
        paged, last, name = sure
        role = spec.ladders[spec.obligations[name].ladder].rungs[-1].page
        found.append(Paging(level, paged, name, last, role))
    return tuple(found)


def _may_open(program: Program, level: str, owed: Obligation) -> bool:
    return any(_answers(program, level, trigger) for trigger in owed.opens)


def _answers(program: Program, level: str, trigger: Trigger) -> bool:
    """Whether a rise to the level could open it whatever else is known: only such a duty is worth exploring."""
    enters = _enters(program.spec, level, trigger)
    if not (trigger.event == "risk_raised" or enters or not trigger.happenings()):
        return False
    names = program.readers.bases(trigger.when)
    if not names <= {"risk", "peak_risk"}:
        return False
    if trigger.when is None:
        return True
    domains = program.readers.domains
    return evaluate(trigger.when.condition, lambda test: level in accepted(test, domains[test.name])) is True


def _read(program: Program, level: str, trigger: Trigger) -> frozenset[str]:
    return program.readers.bases(trigger.when) if _answers(program, level, trigger) else frozenset()


def _enters(spec: ProtocolSpec, level: str, trigger: Trigger) -> bool:
    return RANK[level] >= RANK[spec.emergency.at] and trigger.entered == spec.emergency.stage


def _sure(ground: Ground, level: str, name: str, paged: int) -> bool:
    """Whether every rise to the level opens the duty so that it pages within `paged` seconds, seen on the core.

    What opens on entering the emergency is asked of rises outside it; inside, the emergency is answered already.
    """
    spec = ground.program.spec
    opens = spec.obligations[name].opens
    outside = any(_enters(spec, level, one) for one in opens)
    names = {"risk", *(("stage",) if outside else ())}.union(*(_read(ground.program, level, one) for one in opens))
    interest = Interest(frozenset(names), (name,))
    explored = _first_page(spec, spec.obligations[name], level, START.date())
    watching = _late(spec, level, name, timedelta(seconds=max(paged, explored)), outside)
    return free_of(ground, Effort(), interest, watching)


def _late(spec: ProtocolSpec, level: str, name: str, within: timedelta, outside: bool) -> Watching:
    """A rise to the level after which the duty is not opened, or pages later than that.

    One that is open already and pages counts as well: it goes on until the thing is done.
    """

    def watch(before: Episode | None, step: MacroStep) -> bool:
        after = step.episode
        rises = any(isinstance(one, e.RiskRaised) and one.level == level for one in step.events)
        if after is None or after.risk != level or not rises:
            return False
        here = before.stage if before is not None else spec.initial
        if outside and here == spec.emergency.stage:
            return False
        owed = [one for one in after.obligations.values() if one.obligation == name]
        return not any(one.rung >= 0 or one.next_page_at <= step.now + within for one in owed)

    return lambda _cut, _program: watch


def _times(spec: ProtocolSpec, name: str, level: str, first_day: date) -> tuple[int, int, str]:
    """Seconds at worst until the first page and until the last rung, if nobody acknowledges."""
    owed = spec.obligations[name]
    ladder = spec.ladders[owed.ladder]
    first = _first_page(spec, owed, level, first_day)
    return first, first + sum(elapsed_seconds(rung.wait) for rung in ladder.rungs[:-1]), name


def _first_page(spec: ProtocolSpec, owed: Obligation, level: str, first_day: date) -> int:
    ladder = spec.ladders[owed.ladder]
    if ladder.starts == "at_opening":
        return 0
    due = max(_worst(spec, duration, first_day) for duration in _durations(owed, level))
    return max(0, due - elapsed_seconds(ladder.lead)) if ladder.lead is not None else due


def _durations(owed: Obligation, level: str) -> tuple[str, ...]:
    """Every duration that may count after a rise to the level; the peak may lie above it."""
    due = owed.due
    if isinstance(due, DueTable) and due.by in ("risk", "peak_risk"):
        levels = (level,) if due.by == "risk" else LEVELS[RANK[level] :]
        chosen = [due.values.get(one, due.otherwise) for one in levels]
        return tuple(one or duration for one in chosen for duration in ((one,) if one else owed.durations()))
    return owed.durations()


def _worst(spec: ProtocolSpec, duration: str, first_day: date) -> int:
    if duration[-1] in "smh":
        return elapsed_seconds(duration)
    return _worst_day(spec.content_hash, duration, first_day, _Days(spec))


class _Days:
    """A protocol's calendar as an argument that is remembered by its content hash alone."""

    def __init__(self, spec: ProtocolSpec) -> None:
        self.spec = spec

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Days)


@lru_cache(maxsize=512)
def _worst_day(_hash: str, duration: str, first_day: date, days: _Days) -> int:
    """The longest that it takes on any day of the coming years, clock changes and holidays included."""
    zone, worst = ZoneInfo(days.spec.time_zone), 0
    for number in range(YEARS * 366):
        for clock in CLOCK_TIMES:
            start = datetime.combine(first_day + timedelta(days=number), clock, zone).astimezone(UTC)
            due = due_at(duration, start, zone, days.spec.calendar)
            worst = max(worst, int((due - start).total_seconds()))
    return worst
