"""The small parts a protocol is written with: names, durations, sources, facts, instruments, tables."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from protocol.conditions import Guard
from protocol.findings import PartError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
"""A name in the protocol: lower case words joined by underscores."""

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=600, strip_whitespace=True)]
Paragraph = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]

Clock = Literal["safety", "calendar", "business"]
Unit = Literal["s", "m", "h", "d", "wd"]

CLOCK_OF_UNIT: dict[str, Clock] = {
    "s": "safety",
    "m": "safety",
    "h": "safety",
    "d": "calendar",
    "wd": "business",
}
SECONDS_OF_UNIT: dict[str, int] = {"s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(0|[1-9][0-9]{0,4})(s|m|h|d|wd)")


class Element(BaseModel):
    """Everything in a protocol is strict, closed and frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


def _as_tuple(value: object) -> object:
    return tuple(cast(list[object], value)) if isinstance(value, list) else value


Listed = BeforeValidator(_as_tuple)
"""YAML and JSON lists become tuples, so that a protocol can't be changed after it was read."""

Names = Annotated[tuple[Name, ...], Listed, Field(max_length=200)]


@lru_cache(maxsize=4096)
def parse_duration(text: str) -> tuple[int, Unit]:
    """Split `24h` into (24, "h"). Raises ValueError with the remedy."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(
            f"`{text[:20]}` is not a duration; write a whole number and a unit: "
            "s, m, h (elapsed time), d (local calendar days) or wd (working days), such as 24h; a week is 7d"
        )
    unit: Any = match[2]
    return int(match[1]), unit


def _check_duration(written: object) -> str:
    if isinstance(written, (list, tuple, dict)):
        raise ValueError("a duration is one text; write it without brackets, such as `24h`")
    parse_duration(str(written))
    return str(written)


Duration = Annotated[
    str,
    BeforeValidator(_check_duration),
    WithJsonSchema({"type": "string", "pattern": _DURATION.pattern}),
]
"""`30s`, `15m`, `24h` run as elapsed time; `7d` counts local calendar days; `2wd` counts working days."""

Elapsed = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}(s|m|h)$")]
"""A duration of elapsed time, never zero: `30s`, `15m`, `24h`."""


def elapsed_seconds(text: str) -> int:
    """Seconds in an elapsed duration."""
    amount, unit = parse_duration(text)
    return amount * SECONDS_OF_UNIT[unit]


class Source(Element):
    """Where a number or rule comes from."""

    grade: Literal["A", "B", "C", "P"]
    """A official or primary text, B reputable secondary text, C check the primary text,
    P program policy: needs clinical sign-off."""
    refs: Annotated[tuple[str, ...], Listed] = ()
    """Keys of the protocol's `references`."""
    note: Sentence | None = None


class Reference(Element):
    """A published text that the protocol cites."""

    title: Sentence
    url: str | None = None
    checked: str | None = None
    """The day on which the text was last read, as YYYY-MM-DD."""


class Fact(Element):
    """A typed, named datum. `unknown` is a value of every fact and need not be declared."""

    ask: Sentence
    """The question or label a person sees."""
    type: Literal["yes_no", "choice", "number", "text", "several", "moment"]
    """`several` is a list of choices; `moment` a date and time with zone.
    Conditions read yes_no, choice and number with bands."""
    choices: Names = ()
    ordered: bool = False
    """The choices go from least to most, so that at_least and at_most may be used."""
    minimum: int | None = None
    maximum: int | None = None
    unit: str | None = None
    bands: dict[Name, Annotated[tuple[int, int], Listed]] = {}
    """Named ranges of a number, lowest first, without gap or overlap; conditions read the band."""
    may_refuse: bool = False
    """The client may refuse to answer; `refused` is then one more value."""
    phi: bool = False
    """Protected health information."""
    sud: bool = False
    """Substance-use record under 42 CFR Part 2."""
    help: Paragraph | None = None
    source: Source | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if (self.type in ("choice", "several")) != bool(self.choices):
            raise PartError(
                "type", "`choices` belongs to the types choice and several, and these need it; mend `type` or `choices`"
            )
        if self.ordered and self.type != "choice":
            raise PartError("ordered", "only a choice can be ordered; delete `ordered`, or write `type: choice`")
        if self.type == "number":
            self._check_number()
        elif self.bands or self.minimum is not None or self.maximum is not None:
            raise PartError(
                "type", "minimum, maximum and bands belong to the type number; write `type: number`, or delete them"
            )
        return self

    def _check_number(self) -> None:
        if self.minimum is None or self.maximum is None or self.minimum > self.maximum:
            raise ValueError(
                "a number needs a minimum and a maximum, lowest first; write both, such as `minimum: 0, maximum: 10`"
            )
        expected = self.minimum
        for band, (low, high) in self.bands.items():
            if low != expected or high < low:
                raise PartError(
                    "bands", f"band {band} must begin at {expected}; bands follow each other without gap or overlap"
                )
            expected = high + 1
        if self.bands and expected != self.maximum + 1:
            raise PartError(
                "bands", f"the last band must end at the maximum {self.maximum}; change `maximum` or the last band"
            )

    def values(self) -> tuple[str, ...]:
        """The values a condition can compare with, in order; empty where conditions can't read the fact."""
        base: tuple[str, ...] = ()
        if self.type == "yes_no":
            base = ("no", "yes")
        elif self.type == "choice":
            base = self.choices
        elif self.type == "number":
            base = tuple(self.bands)
        return (*base, "refused") if base and self.may_refuse else base


class Item(Element):
    """One question of an instrument."""

    fact: Name
    asked_when: Guard | None = None
    """Skip logic: the item counts as asked only when this holds."""


class Instrument(Element):
    """A screening instrument: items with skip logic, and a score where it has one.

    Gives conditions `<name>.status` (not_started, unfinished, complete) and, with `score`, the bands of that fact.
    An asked item that is missing or refused leaves the instrument unfinished; a risk rule makes that count as positive.
    """

    title: Sentence
    edition: Sentence
    licence: Sentence
    items: Annotated[tuple[Item, ...], Listed, Field(min_length=1, max_length=60)]
    score: Name | None = None
    """A number fact that holds the sum of the items; the engine adds it up when every item is a number."""
    source: Source


class Row(Element):
    """One rule of a table."""

    when: Guard
    then: Name
    because: Sentence
    source: Source | None = None


class Table(Element):
    """A decision table: from facts to one outcome; total and without overlap, which `prove` and `lint` check.

    The outcome is a value that conditions can read under the table's name.
    """

    title: Sentence
    outcomes: Annotated[dict[Name, Sentence], Field(min_length=1, max_length=30)]
    """Each outcome with the sentence a person reads."""
    unknown_as: dict[str, str] = {}
    """For each fact that may be unknown: the value it stands for here, the cautious one."""
    rows: Annotated[tuple[Row, ...], Listed, Field(min_length=1, max_length=100)]
    source: Source
