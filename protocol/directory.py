"""Emergency resources by county: whom to call for the place where the client is now.

The directory only puts the right number before a person; nothing here calls anybody.
It holds only numbers that were read in an official (grade A) or a reputable secondary (grade B) text.
The county of the client's present address decides, never the one noted at intake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, model_validator

from protocol.elements import Element, Listed, Name, Reference, Sentence

LIFETIME = timedelta(days=90)
"""An entry is good for this long after it was verified (T26, program policy: needs clinical sign-off)."""

Kind = Literal[
    "crisis_line",
    "mobile_crisis",
    "crisis_stabilization",
    "lifeline",
    "text_line",
    "veterans_line",
    "poison_control",
    "emergency",
]
"""`crisis_line` is the county's own front door; `lifeline` is 988; `emergency` the local emergency number."""

NotFor = Literal["violence", "medical"]

WarningCode = Literal[
    "county_unknown",
    "outside_california",
    "no_verified_line",
    "expired",
    "no_test_call",
    "not_for_violence",
    "not_for_medical",
    "area_code_routing",
    "emergency_reaches_caller",
]

OUTSIDE = "outside_california"
"""What a protocol records as the present county when the client is in another state."""


def county_said(name: str) -> str:
    """`los_angeles` → `Los Angeles County`: as it is said to a dispatcher."""
    return "outside California" if name == OUTSIDE else f"{name.replace('_', ' ').title()} County"


def _as_day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value[:20]!r} is not a day; write it as 2026-11-23, in quotes") from None


Day = Annotated[date, BeforeValidator(_as_day), PlainSerializer(date.isoformat, return_type=str)]
Person = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
Digits = Annotated[str, StringConstraints(pattern=r"^(\d{3}|\d{5,6}|\d{3}-\d{3}-\d{4})$")]
"""911, 988, a short code, or ten digits as 800-555-0100."""


class Way(Element):
    """One way to get through."""

    by: Literal["call", "text"]
    number: Digits
    then: Annotated[str, StringConstraints(max_length=60)] = ""
    """What to press after the call is taken, or the word to send."""


class VerifiedSource(Element):
    """The text in which the number was read. Grades below B are not accepted."""

    grade: Literal["A", "B"]
    refs: Annotated[tuple[str, ...], Listed, Field(min_length=1)]
    """Keys of the directory's `references`."""
    published: Sentence | None = None
    """How old the text is, where that is known."""


class TestCall(Element):
    """Somebody called the number and reached the service."""

    __test__ = False  # not a test case, whatever its name says

    on: Day
    by: Person
    result: Sentence


class Change(Element):
    """A number was changed: one person changed it, another one approved it."""

    on: Day
    before: Annotated[tuple[Way, ...], Listed, Field(min_length=1)]
    changed_by: Person
    approved_by: Person

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        if self.changed_by.casefold() == self.approved_by.casefold():
            raise ValueError("approved_by must differ from changed_by: a number needs two people")
        return self


class Resource(Element):
    """A line or place that helps in a crisis."""

    title: Sentence
    county: Name | None = None
    """Left out for a national resource."""
    kind: Kind
    ways: Annotated[tuple[Way, ...], Listed, Field(min_length=1, max_length=4)]
    hours: Sentence
    serves: Sentence | None = None
    not_for: Annotated[tuple[NotFor, ...], Listed] = ()
    routes_by_area_code: bool = False
    """A phone from elsewhere may be connected to the wrong county."""
    remark: Sentence | None = None
    source: VerifiedSource
    verified_at: Day
    verified_by: Sentence
    """Who made sure of the entry, and how."""
    expires_at: Day
    test_call: TestCall | None = None
    change: Change | None = None

    @model_validator(mode="after")
    def _expires_in_time(self) -> Self:
        if not self.verified_at < self.expires_at <= self.verified_at + LIFETIME:
            raise ValueError(f"expires_at must be within {LIFETIME.days} days after verified_at")
        return self

    @property
    def never_called(self) -> bool:
        """Nobody has tried the number. The emergency number is not for trying."""
        return self.test_call is None and self.kind != "emergency"

    def expired(self, today: date) -> bool:
        """The entry should have been verified again before this day."""
        return today > self.expires_at


class County(Element):
    """A county of California."""

    title: Sentence
    remark: Sentence | None = None


class RetiredLine(Element):
    """Something that old plans and leaflets still say and that no longer works."""

    phrases: Annotated[tuple[Sentence, ...], Listed, Field(min_length=1, max_length=20)]
    because: Sentence
    instead: Sentence
    refs: Annotated[tuple[str, ...], Listed, Field(min_length=1)]


class Directory(Element):
    """Every resource, every county, and what has been retired."""

    title: Sentence
    references: Annotated[dict[str, Reference], Field(max_length=200)]
    counties: Annotated[dict[Name, County], Field(min_length=1, max_length=100)]
    resources: Annotated[dict[Name, Resource], Field(min_length=1, max_length=500)]
    retired: Annotated[dict[Name, RetiredLine], Field(max_length=100)]

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for name, resource in self.resources.items():
            if resource.county is not None and resource.county not in self.counties:
                raise ValueError(f"{name}: there is no county {resource.county}; see `counties`")
        cited = [(name, resource.source.refs) for name, resource in self.resources.items()]
        cited += [(name, line.refs) for name, line in self.retired.items()]
        for name, refs in cited:
            if missing := [ref for ref in refs if ref not in self.references]:
                raise ValueError(f"{name}: add {', '.join(missing)} to `references`")
        return self

    @model_validator(mode="after")
    def _chain_is_complete(self) -> Self:
        for kind in ("lifeline", "emergency"):
            if len(self.national(kind)) != 1:
                raise ValueError(f"every chain needs exactly one national resource of the kind {kind}")
        return self

    def national(self, kind: Kind) -> list[str]:
        """Names of the national resources of a kind."""
        return [name for name in self.of_county(None) if self.resources[name].kind == kind]

    def of_county(self, county: str | None) -> list[str]:
        """Names of a county's own resources in written order; of the national ones for None."""
        return [name for name, resource in self.resources.items() if resource.county == county]


@dataclass(frozen=True)
class Caution:
    """Something to know before calling; it never forbids the call."""

    code: WarningCode
    text: str
    resource: str | None = None


@dataclass(frozen=True)
class Listing:
    """A resource under its name in the directory."""

    name: str
    resource: Resource


@dataclass(frozen=True)
class Guidance:
    """Whom to call for one county on one day."""

    county: str | None
    title: str
    chain: tuple[Listing, ...]
    """In the order to try: county line, 988, local emergency number; that one first when a life is in danger."""
    others: tuple[Listing, ...]
    """What else the county and the nation have: stabilization units, text lines, poison control."""
    warnings: tuple[Caution, ...]

    def numbers(self) -> tuple[str, ...]:
        """Every number shown, each once, the chain first."""
        shown = (way.number for listing in (*self.chain, *self.others) for way in listing.resource.ways)
        return tuple(dict.fromkeys(shown))

    def codes(self) -> frozenset[WarningCode]:
        """The kinds of warning given."""
        return frozenset(warning.code for warning in self.warnings)


def look_up(directory: Directory, county: str | None, today: date, *, life_in_danger: bool = False) -> Guidance:
    """Whom to call for a client who is in this county now.

    `county` is the one of the present address, None while it is not known.
    With a life in danger the local emergency number comes first, else last.
    Total: an unknown or foreign county gets the rest of the chain and says so.
    """
    known = county if county in directory.counties else None
    own = directory.of_county(known) if known is not None else []
    lines = [name for name in own if directory.resources[name].kind == "crisis_line"]
    chain = [*lines, *directory.national("lifeline")]
    emergency = directory.national("emergency")
    chain = [*emergency, *chain] if life_in_danger else [*chain, *emergency]
    others = [name for name in (*own, *directory.of_county(None)) if name not in chain]
    shown = [(name, directory.resources[name]) for name in (*chain, *others)]
    return Guidance(
        county=known,
        title=directory.counties[known].title if known is not None else "county not known",
        chain=_listings(directory, chain),
        others=_listings(directory, others),
        warnings=(
            *_about_the_place(directory, county, has_line=bool(lines)),
            *(caution for name, resource in shown for caution in _about(name, resource, today)),
        ),
    )


def _listings(directory: Directory, names: list[str]) -> tuple[Listing, ...]:
    return tuple(Listing(name, directory.resources[name]) for name in names)


def _about_the_place(directory: Directory, county: str | None, *, has_line: bool) -> Iterator[Caution]:
    if county == OUTSIDE:
        yield Caution(
            "outside_california",
            "The client is outside California: the local emergency number is that of the present address.",
        )
    elif county not in directory.counties:
        yield Caution("county_unknown", "The present county is not known: ask for the present address.")
    elif not has_line:
        place = directory.counties[county]
        remark = f" {place.remark}" if place.remark else ""
        yield Caution(
            "no_verified_line",
            f"No line of {place.title} County was verified.{remark} "
            "Call 988, then the local emergency number of the present address.",
        )


def _about(name: str, resource: Resource, today: date) -> Iterator[Caution]:
    if resource.expired(today):
        yield Caution(
            "expired",
            f"{resource.title}: not verified since {resource.verified_at}. "
            "Call it all the same, and go on along the chain if nobody answers.",
            name,
        )
    if resource.never_called:
        yield Caution("no_test_call", f"{resource.title}: nobody has recorded a test call yet.", name)
    if "violence" in resource.not_for:
        yield Caution(
            "not_for_violence",
            f"{resource.title}: does not come to threats of violence; call the local emergency number.",
            name,
        )
    if "medical" in resource.not_for:
        yield Caution(
            "not_for_medical",
            f"{resource.title}: does not come to medical emergencies; call the local emergency number.",
            name,
        )
    if resource.routes_by_area_code:
        yield Caution(
            "area_code_routing",
            f"{resource.title}: connects by the area code of the phone and may reach another county.",
            name,
        )
    if resource.kind == "emergency":
        yield Caution(
            "emergency_reaches_caller",
            "911 reaches the area of the person who dials. "
            "From elsewhere call the local emergency number of the client's present address.",
            name,
        )


@dataclass(frozen=True)
class RetiredMention:
    """A retired line that a text still names."""

    name: str
    phrase: str
    because: str
    instead: str


def retired_mentions(directory: Directory, text: str) -> tuple[RetiredMention, ...]:
    """The retired lines that a text, such as an old safety plan, still names; each once."""
    found: list[RetiredMention] = []
    for name, line in directory.retired.items():
        phrase = next((phrase for phrase in line.phrases if _mentions(text, phrase)), None)
        if phrase is not None:
            found.append(RetiredMention(name, phrase, line.because, line.instead))
    return tuple(found)


def _mentions(text: str, phrase: str) -> bool:
    digits = re.sub(r"\D", "", phrase)
    if len(digits) >= 10:  # people write (800) 479-3339, 800.479.3339 …
        return re.search(r"[\s().\-]*".join(digits) + r"(?!\d)", text) is not None
    words = r"[\s\W]+".join(re.escape(word) for word in phrase.split())
    return re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE) is not None


def unapproved_changes(before: Directory, after: Directory) -> tuple[str, ...]:
    """Numbers that differ between two versions without a change record of two people, in words."""
    problems: list[str] = []
    for name, resource in after.resources.items():
        old = before.resources.get(name)
        if old is None or old.ways == resource.ways:
            continue
        if resource.change is None or resource.change == old.change or resource.change.before != old.ways:
            problems.append(
                f"{name}: the number changed without approval; "
                "add `change` with the ways before, changed_by and another person in approved_by"
            )
    return tuple(problems)
