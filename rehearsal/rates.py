"""How often things happen in a population of made-up episodes: assumptions, to be replaced by local data.

A share is a percentage. Minutes are medians of a skewed spread: half of all cases take longer, a few much longer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from protocol.elements import Element, Name, Sentence, Source
from protocol.findings import Finding, Path, did_you_mean
from protocol.spec import Level, ProtocolSpec

Percent = Annotated[int, Field(ge=0, le=100)]
Weight = Annotated[int, Field(ge=0, le=1_000_000)]
Minutes = Annotated[int, Field(ge=1, le=10_080)]
PartOfDay = Literal["night", "morning", "afternoon", "evening"]
PARTS_OF_DAY: tuple[PartOfDay, ...] = ("night", "morning", "afternoon", "evening")
"""Six hours each, from midnight, local time."""

ASSUMED = Source(grade="P", note="Made up to try the protocol with; no staffing may follow from it without local data.")


class Response(Element):
    """How a role answers pages. Night is 20:00 to 08:00 local time."""

    on_shift: Percent = 98
    """Of all pages: somebody can be paged at all."""
    answers: Percent = 85
    """Of the pages that reach somebody: they answer this one; otherwise the ladder goes on."""
    day_minutes: Minutes = 5
    """Until they answer by day."""
    night_minutes: Minutes = 12
    """Until they answer at night."""


class Staff(Element):
    """What people do by themselves, and how fast."""

    step_minutes: Minutes = 6
    """For a step."""
    keeps: Percent = 80
    """Of the duties: somebody does it in time before anybody must be paged."""
    follows_advice: Percent = 85
    """Of the decisions with advice: the advised option is chosen."""
    roles: Annotated[dict[Name, Response], Field(max_length=40)] = {}
    otherwise: Response = Response()
    """For roles that are not listed."""

    def response(self, role: str) -> Response:
        """How this role answers pages."""
        return self.roles.get(role, self.otherwise)


class Answers(Element):
    """What is answered in forms."""

    alarming: Percent = 10
    """Of the answers whose fact is not listed: another one than the first, which is the calm one."""
    refused: Percent = 3
    """Where the client may refuse."""
    facts: Annotated[
        dict[Name, Annotated[dict[str, Weight], Field(min_length=1, max_length=60)]], Field(max_length=800)
    ] = {}
    """The weight of each answer, by fact."""


class Rates(Element):
    """The assumptions of a population run."""

    title: Sentence = "Assumptions that came with Holdfast"
    source: Source = ASSUMED
    """A grade and where the rates come from; local data is named here."""
    first_day: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")] = "2026-11-02"
    days: Annotated[int, Field(ge=1, le=366)] = 28
    """Over how many days the episodes begin."""
    begins: dict[PartOfDay, Weight] = {"night": 8, "morning": 30, "afternoon": 40, "evening": 22}
    """In which part of the day."""
    crisis_types: Annotated[dict[Name, Percent], Field(max_length=40)] = {}
    """Share of the episodes in which each type is known at the beginning."""
    risk: dict[Level, Weight] = {"low": 62, "moderate": 25, "high": 10, "imminent": 3}
    """How high the risk rises within the first hour; the run says what came of it."""
    answers: Answers = Answers()
    reach: Annotated[dict[Name, Percent], Field(max_length=30)] = {}
    """By party: share of the attempts that reach somebody."""
    reach_otherwise: Percent = 55
    """For parties that are not listed."""
    staff: Staff = Staff()
    follow_days: Annotated[int, Field(ge=1, le=400)] = 45
    """How long each episode is followed; what is open then is counted as open."""

    @field_validator("first_day")
    @classmethod
    def _is_a_day(cls, written: str) -> str:
        try:
            date.fromisoformat(written)
        except ValueError:
            raise ValueError(f"there is no day {written}; write it as year-month-day, such as 2026-12-25") from None
        return written

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        for name, weights in (("begins", self.begins), ("risk", self.risk), *self.answers.facts.items()):
            if not any(weights.values()):
                raise ValueError(f"the weights of {name} are all 0; write a number above 0 for one of them")
        return self


def misnamed(spec: ProtocolSpec, rates: Rates) -> tuple[Finding, ...]:
    """Names in the rates that the protocol does not have, and answers that a fact can't have."""
    return tuple(_misnamed(spec, rates))


def _misnamed(spec: ProtocolSpec, rates: Rates) -> Iterator[Finding]:
    yield from _unknown(("crisis_types",), rates.crisis_types, spec.crisis_types, "crisis type")
    yield from _unknown(("reach",), rates.reach, spec.parties, "party")
    yield from _unknown(("staff", "roles"), rates.staff.roles, spec.roles, "role")
    yield from _unknown(("answers", "facts"), rates.answers.facts, spec.facts, "fact")
    for name, weights in rates.answers.facts.items():
        fact = spec.facts.get(name)
        if fact is None:
            continue
        values = fact.choices if fact.type == "several" else fact.values()
        if not values:
            yield Finding(("answers", "facts", name), f"{name} has no listed answers", "leave it out")
        else:
            yield from _unknown(("answers", "facts", name), weights, values, f"answer of {name}")


def _unknown(path: Path, names: Collection[str], known: Collection[Any], what: str) -> Iterator[Finding]:
    for name in names:
        if name not in known:
            yield Finding((*path, name), f"`{name}` is no {what}", did_you_mean(name, known), about_key=True)
