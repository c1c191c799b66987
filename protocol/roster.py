"""Hours in which a rung of a ladder would reach nobody: rota, leave, holidays and licences held against protocols.

Whom a page reaches is asked of `resolve`, at every moment at which the answer can change. Pure; times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from protocol.local_time import localized
from protocol.rota import PERSONAL, Leave, Person, Rota, Shift, present_for, resolve
from protocol.spec import ProtocolSpec

HALF_AN_HOUR = timedelta(minutes=30)
"""Clocks change at a half or full hour of UTC."""

Missing = Callable[[datetime], tuple[str, str] | None]
"""Why nobody answers at a moment, and the remedy; None where somebody does."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A range in which nobody would be reached."""

    role: str
    owner: str
    """The rung pages who owns the episode: nobody answers for this person. Empty for a role."""
    begins: datetime
    ends: datetime
    why: str
    remedy: str
    rungs: tuple[str, ...]
    """`protocol: ladder, rung 2`, counted from 1."""
    holidays: tuple[str, ...] = ()
    """Holidays of the rota and the protocols that fall into it."""


@dataclass(frozen=True, slots=True)
class Need:
    """A role that ladders page, whether its acts need a licence, and where it stands."""

    role: str
    licensed: bool
    rungs: tuple[str, ...]


def gaps(rota: Rota, specs: Sequence[ProtocolSpec], begins: datetime, ends: datetime) -> tuple[Gap, ...]:
    """Every gap between two moments, by role in the order of the protocols, then by time."""
    found = [gap for need in needs(specs) for gap in _of_role(rota, need, begins, ends)]
    found += [gap for need in owning(specs) for gap in _of_owners(rota, need, begins, ends)]
    days = {**{day: name for spec in specs for day, name in _holidays(spec)}, **rota.holidays}
    return tuple(replace(gap, holidays=_named_in(days, gap, ZoneInfo(rota.time_zone))) for gap in found)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A while in which the same people answer for a role; nobody, where there is none."""

    begins: datetime
    ends: datetime
    people: tuple[Person, ...]


def answering(rota: Rota, role: str, begins: datetime, ends: datetime) -> tuple[Stretch, ...]:
    """Who answers for a role between two moments, without a gap between the stretches."""
    people = [person for person in rota.people if role in person.roles]
    found: list[Stretch] = []
    for first, last in pairwise(_moments(rota, rota.shifts_of.get(role, []), people, begins, ends)):
        there = tuple(resolve(rota, role, first))
        if found and found[-1].people == there:
            found[-1] = replace(found[-1], ends=last)
        else:
            found.append(Stretch(first, last, there))
    return tuple(found)


def needs(specs: Iterable[ProtocolSpec]) -> tuple[Need, ...]:
    """The roles that rungs name."""
    return tuple(
        Need(role, licensed, tuple(rungs)) for (role, licensed), rungs in _rungs(specs).items() if role not in PERSONAL
    )


def owning(specs: Iterable[ProtocolSpec]) -> tuple[Need, ...]:
    """The roles in which somebody may own an episode, where a rung pages the owner: who begins the first stage."""
    found: dict[str, Need] = {}
    for spec in specs:
        rungs = tuple(rung for (role, _), at in _rungs([spec]).items() if role == "owner" for rung in at)
        steps = [spec.steps[one.step] for one in spec.stages[spec.initial].steps if one.step in spec.steps]
        for role in dict.fromkeys(role for step in steps for role in step.roles) if rungs else ():
            known = found.get(role, Need(role, False, ()))
            licensed = known.licensed or (role in spec.roles and spec.roles[role].licensed)
            found[role] = Need(role, licensed, (*known.rungs, *rungs))
    return tuple(found.values())


def _rungs(specs: Iterable[ProtocolSpec]) -> Mapping[tuple[str, bool], list[str]]:
    found: dict[tuple[str, bool], list[str]] = {}
    for spec in specs:
        for name, ladder in spec.ladders.items():
            for number, rung in enumerate(ladder.rungs, 1):
                licensed = rung.page in spec.roles and spec.roles[rung.page].licensed
                found.setdefault((rung.page, licensed), []).append(f"{spec.protocol}: {name}, rung {number}")
    return found


def _holidays(spec: ProtocolSpec) -> Iterator[tuple[date, str]]:
    for day, name in spec.calendar.holidays.items() if spec.calendar is not None else ():
        yield date.fromisoformat(day), name


def _named_in(days: Mapping[date, str], gap: Gap, zone: ZoneInfo) -> tuple[str, ...]:
    first, last = gap.begins.astimezone(zone).date(), (gap.ends - timedelta(seconds=1)).astimezone(zone).date()
    return tuple(dict.fromkeys(name for day, name in sorted(days.items()) if first <= day <= last))


def _of_role(rota: Rota, need: Need, begins: datetime, ends: datetime) -> Iterator[Gap]:
    people = [person for person in rota.people if need.role in person.roles]
    shifts = rota.shifts_of.get(need.role, [])
    moments = _moments(rota, shifts, people, begins, ends)

    def missing(at: datetime) -> tuple[str, str] | None:
        present = resolve(rota, need.role, at)
        if any(_may(rota, need, person) for person in present):
            return None
        return _why(rota, need, present, people, at)

    yield from _merged(need, "", moments, missing)


def _of_owners(rota: Rota, need: Need, begins: datetime, ends: datetime) -> Iterator[Gap]:
    """For each person who may own an episode: when neither they nor a cover answers."""
    for person in rota.people:
        if need.role not in person.roles or not any(leave.person == person.id for leave in rota.leave):
            continue
        moments = _moments(rota, (), [person], begins, ends)

        def missing(at: datetime, person: Person = person) -> tuple[str, str] | None:
            there = present_for(rota, person, at)
            if there is not None and _may(rota, need, there):
                return None
            remedy = f"name a `cover` for the leave of {person.name}, who is there and may act as `{need.role}`"
            if there is None:
                return f"{person.name} is on leave and nobody stands in", remedy
            return f"{person.name} is on leave, and {there.name}, who stands in, has no licence in {rota.state}", remedy

        yield from _merged(need, person.id, moments, missing)


def _may(rota: Rota, need: Need, person: Person) -> bool:
    return not need.licensed or rota.licensed_here(person)


def _why(rota: Rota, need: Need, present: Sequence[Person], people: Sequence[Person], at: datetime) -> tuple[str, str]:
    if not people:
        return f"nobody of the staff has the role `{need.role}`", f"give somebody the role `{need.role}` in `people`"
    if present:
        names = ", ".join(one.name for one in present)
        return (
            f"{names} would be paged, without a licence in {rota.state}",
            f"put somebody licensed on shift, or add {rota.state} to `licensed_in` where the licence exists",
        )
    away = [one.name for one in _asked(rota, need.role, at) if present_for(rota, one, at) is None]
    if away:
        names = ", ".join(dict.fromkeys(away))
        return f"{names} is on leave and nobody stands in", f"name a `cover` for {names}, or give the shift to another"
    return (
        f"no shift of `{need.role}` covers this",
        f"add a shift as `{need.role}`: {', '.join(one.name for one in people[:5])}",
    )


def _asked(rota: Rota, role: str, at: datetime) -> Iterator[Person]:
    """Who would answer if nobody were on leave."""
    yield from resolve(rota.model_copy(update={"leave": ()}), role, at)


# When the answer can change


def _moments(
    rota: Rota, shifts: Sequence[Shift], people: Sequence[Person], begins: datetime, ends: datetime
) -> list[datetime]:
    """Every moment between two at which a shift, a leave or the clock may change who answers."""
    found = {begins, ends}
    for shift in shifts:
        found.update(_shift_moments(shift, rota.zone_of(rota.by_id[shift.person]), begins, ends))
    asked = {person.id for person in people} | {shift.person for shift in shifts}
    for leave in _leaves(rota, asked):
        found.update(_day_moments(leave, rota.zone_of(rota.by_id[leave.person])))
    return sorted(moment for moment in found if begins <= moment <= ends)


def _leaves(rota: Rota, asked: set[str]) -> list[Leave]:
    """The leaves of these people, of those who stand in for them, and so on."""
    known, found = set(asked), list[Leave]()
    waiting = list(asked)
    while waiting:
        person = waiting.pop()
        for leave in rota.leave:
            if leave.person == person:
                found.append(leave)
                if leave.cover is not None and leave.cover not in known:
                    known.add(leave.cover)
                    waiting.append(leave.cover)
    return found


def _shift_moments(shift: Shift, zone: ZoneInfo, begins: datetime, ends: datetime) -> Iterator[datetime]:
    if shift.begins is not None and shift.ends is not None:
        yield from (shift.begins.astimezone(UTC), shift.ends.astimezone(UTC))
    if shift.weekly is None:
        return
    day, last = begins.astimezone(zone).date() - timedelta(days=1), ends.astimezone(zone).date()
    while day <= last:
        for wall in (shift.weekly.begins, shift.weekly.ends):
            yield from _both(datetime.combine(day, wall), zone)
        yield from _clock_change(day, zone)
        day += timedelta(days=1)


def _clock_change(day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """On a day on which the clocks change: each half hour, since the wall clock jumps at one of them."""
    midnight, next_midnight = (_both(datetime.combine(one, time()), zone)[0] for one in (day, day + timedelta(days=1)))
    if next_midnight - midnight != timedelta(days=1):
        at = midnight
        while at < next_midnight:
            yield at
            at += HALF_AN_HOUR


def _day_moments(leave: Leave, zone: ZoneInfo) -> Iterator[datetime]:
    for day in (leave.first, leave.last + timedelta(days=1)):
        yield from _both(datetime.combine(day, time()), zone)


def _both(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """A wall-clock time as UTC; where the clocks change there may be two."""
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return early, late


def _merged(need: Need, owner: str, moments: Sequence[datetime], missing: Missing) -> Iterator[Gap]:
    """Neighbouring stretches with the same reason as one gap."""
    open_gap: Gap | None = None
    for begins, ends in pairwise(moments):
        found = missing(begins)
        if open_gap is not None and (found is None or found != (open_gap.why, open_gap.remedy)):
            yield open_gap
            open_gap = None
        if found is not None:
            why, remedy = found
            first = begins if open_gap is None else open_gap.begins
            open_gap = Gap(need.role, owner, first, ends, why, remedy, need.rungs)
    if open_gap is not None:
        yield open_gap


def local_days(begins: date, weeks: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From midnight of a day, so many weeks, as aware UTC."""
    first = localized(datetime.combine(begins, time()), zone)
    return first, localized(datetime.combine(begins + timedelta(weeks=weeks), time()), zone)
