"""Who is on shift, on leave, and standing in: pure, so whom a page reaches at 03:00 can be asked anywhere."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic import StringConstraints as Constraints

from protocol.elements import Listed, Name, Sentence

PERSONAL = frozenset({"owner", "addressee"})
"""Roles of a rung that mean one person: who owns the episode, who was offered it."""

LICENSED_ACTS = frozenset(
    {"CompleteStep", "SkipStep", "CoSign", "RecordDecision", "LowerRisk", "Waive", "CloseEpisode"}
)
"""Acts for which a protocol names roles: only these may take a licence. An opening, an emergency, a contact or
something seen never waits for one."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
State = Annotated[str, Constraints(pattern=r"^[A-Z]{2}$")]
PersonId = Annotated[str, Constraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
Email = Annotated[str, Constraints(pattern=r"^[^@\s<>\"',;:\\]{1,64}@[A-Za-z0-9.-]{1,190}$")]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name[:40]!r} is not a time zone; write one like America/Los_Angeles") from None
    return name


def _moment(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _day(value: object) -> object:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _clock(value: object) -> object:
    return time.fromisoformat(value) if isinstance(value, str) else value


Zone = Annotated[str, AfterValidator(_known_zone)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
Day = Annotated[date, BeforeValidator(_day)]
Clock = Annotated[time, BeforeValidator(_clock)]


class _Part(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True, populate_by_name=True
    )


class Person(_Part):
    """Somebody on the staff."""

    id: PersonId
    name: Sentence
    roles: Annotated[tuple[Name, ...], Listed, Field(min_length=1, max_length=20)]
    email: Email
    licensed: bool = False
    """May lower a risk level and sign clinical decisions."""
    licensed_in: Annotated[tuple[State, ...], Listed, Field(max_length=60)] = ()
    """The states in which the licence holds, such as CA. Acting in a role that needs a licence takes the rota's
    state among them."""
    time_zone: Zone | None = None
    """Where the person works; the rota's zone when absent."""


class Weekly(_Part):
    """The same local hours on the named days. Ending at or before the beginning means: over midnight."""

    days: Annotated[tuple[Weekday, ...], Listed, Field(min_length=1, max_length=7)]
    begins: Clock
    ends: Clock
    on_holidays: bool = True
    """False: not on the rota's holidays."""

    def covers(self, local: datetime, holidays: Container[date] = ()) -> bool:
        """True when the wall clock stands within these hours; the day is the one on which the shift began."""
        now, today = local.time(), local.date()
        if self.begins < self.ends:
            return self.begins <= now < self.ends and self._worked(today, holidays)
        return (now >= self.begins and self._worked(today, holidays)) or (
            now < self.ends and self._worked(today - timedelta(days=1), holidays)
        )

    def _worked(self, day: date, holidays: Container[date]) -> bool:
        return WEEKDAYS[day.weekday()] in self.days and (self.on_holidays or day not in holidays)


class Shift(_Part):
    """A person answers for a role: every week at the same hours, or once from a moment to a moment."""

    role: Name
    person: PersonId
    weekly: Weekly | None = None
    begins: Moment | None = None
    ends: Moment | None = None

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        once = self.begins is not None and self.ends is not None
        if (self.weekly is not None) == once or (self.begins is None) != (self.ends is None):
            raise ValueError("a shift has either `weekly` or both `begins` and `ends`")
        if self.begins is not None and self.ends is not None and self.begins >= self.ends:
            raise ValueError("a shift ends after it begins")
        return self

    def covers(self, at: datetime, zone: ZoneInfo, holidays: Container[date] = ()) -> bool:
        """True when the shift is on at that moment (aware)."""
        if self.weekly is not None:
            return self.weekly.covers(at.astimezone(zone), holidays)
        return self.begins is not None and self.ends is not None and self.begins <= at < self.ends


class Leave(_Part):
    """Days on which a person is away, both included, in that person's time zone; and who stands in."""

    person: PersonId
    first: Day
    last: Day
    cover: PersonId | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.last < self.first:
            raise ValueError("the last day of leave is not before the first")
        if self.cover == self.person:
            raise ValueError("nobody stands in for themselves")
        return self


class Rota(_Part):
    """Staff, shifts and leave. A role without any shift is answered by everybody who has it."""

    time_zone: Zone = "America/Los_Angeles"
    state: State = "CA"
    """Where the clients are: licences count here."""
    holidays: Annotated[dict[Day, Sentence], Field(max_length=400)] = {}
    """Days with their names on which weekly shifts with `on_holidays: false` are not worked."""
    people: Annotated[tuple[Person, ...], Listed, Field(min_length=1, max_length=5_000)]
    shifts: Annotated[tuple[Shift, ...], Listed, Field(max_length=20_000)] = ()
    leave: Annotated[tuple[Leave, ...], Listed, Field(max_length=20_000)] = ()

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if len(self.by_id) < len(self.people):
            raise ValueError("two people have the same id")
        for shift in self.shifts:
            if shift.role not in self._person(shift.person, "a shift").roles:
                raise ValueError(f"{shift.person} has a shift as {shift.role} but lacks the role; add it to `roles`")
        for leave in self.leave:
            self._person(leave.person, "a leave")
            if leave.cover is not None:
                self._person(leave.cover, "a cover")
        return self

    def _person(self, person_id: str, what: str) -> Person:
        person = self.by_id.get(person_id)
        if person is None:
            raise ValueError(f"{what} names {person_id!r}, who is not among `people`")
        return person

    @cached_property
    def by_id(self) -> dict[str, Person]:
        """People by their id."""
        return {person.id: person for person in self.people}

    @cached_property
    def shifts_of(self) -> dict[str, list[Shift]]:
        """Shifts by role, in the order in which they were written."""
        found: dict[str, list[Shift]] = {}
        for shift in self.shifts:
            found.setdefault(shift.role, []).append(shift)
        return found

    def licensed_here(self, person: Person) -> bool:
        """Whether somebody may do what needs a licence in this state."""
        return person.licensed and self.state in person.licensed_in

    def zone_of(self, person: Person) -> ZoneInfo:
        """The time zone in which a person's hours and days are meant."""
        return ZoneInfo(person.time_zone or self.time_zone)


def able_to_own(rota: Rota, roles: Collection[str]) -> tuple[Person, ...]:
    """To whom an episode may be handed over: those with one of the roles that may own it. A page finds no others."""
    return tuple(person for person in rota.people if not set(person.roles).isdisjoint(roles))


def resolve(rota: Rota, role: str, at: datetime, person: str = "") -> list[Person]:
    """The people who answer for a role at a moment (aware); empty when there is nobody.

    `person` is the one meant by a personal role, such as the owner of the episode.
    Whoever is on leave is replaced by their cover, and left out without one.
    """
    asked = _named(rota, person) if role in PERSONAL else _on_shift(rota, role, at)
    present = [there for one in asked if (there := present_for(rota, one, at)) is not None]
    return list({one.id: one for one in present}.values())


def _named(rota: Rota, person_id: str) -> Sequence[Person]:
    person = rota.by_id.get(person_id)
    return () if person is None else (person,)


def _on_shift(rota: Rota, role: str, at: datetime) -> Sequence[Person]:
    shifts = rota.shifts_of.get(role)
    if shifts is None:
        return [person for person in rota.people if role in person.roles]
    people = [(shift, rota.by_id[shift.person]) for shift in shifts]
    return [person for shift, person in people if shift.covers(at, rota.zone_of(person), rota.holidays)]


def present_for(rota: Rota, person: Person, at: datetime) -> Person | None:
    """The person, or whoever stands in for them at that moment, or nobody."""
    asked: set[str] = set()
    while (leave := _leave_of(rota, person, at)) is not None:
        asked.add(person.id)
        if leave.cover is None or leave.cover in asked:
            return None
        person = rota.by_id[leave.cover]
    return person


def _leave_of(rota: Rota, person: Person, at: datetime) -> Leave | None:
    today = at.astimezone(rota.zone_of(person)).date()
    away = (leave for leave in rota.leave if leave.person == person.id and leave.first <= today <= leave.last)
    return next(away, None)


def parse_rota(document: Any) -> Rota:
    """A rota from a document as YAML or JSON give it. Raises pydantic's ValidationError with places."""
    return Rota.model_validate(document)
