"""Moves a scenario to a year in which nothing but the year differs.

A real server can't go back in time. After 28 years (until 2100) every date falls on the same weekday again,
leap days and clock changes included; so a scenario whose date has passed is played that much later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from protocol.spec import ProtocolSpec
from rehearsal.scenario import Scenario
from rehearsal.script import timeline

CYCLE = 28
"""Years after which the calendar repeats itself."""

_WRITTEN_DATE = re.compile(r"^(\d{4})(-\d{2}-\d{2}([ T]\d{2}:\d{2}.{0,20})?)$")

M = TypeVar("M", bound=BaseModel)


def years_until_free(spec: ProtocolSpec, scenario: Scenario, now: datetime) -> int:
    """By how many years a scenario must be moved to start after `now`: 0, 28, 56 …"""
    starts = timeline(spec, scenario)[0].at
    years = 0
    while starts.replace(year=starts.year + years) <= now:
        years += CYCLE
    return years


def later(model: M, years: int) -> M:
    """A copy in which every date is so many years later: dates, times, and texts that are nothing but one."""
    return type(model).model_validate(moved(model.model_dump(exclude_unset=True), years))


def moved(value: Any, years: int) -> Any:
    """The same for whatever is made of mappings, lists, data classes and models."""
    match value:
        case BaseModel():
            return later(value, years)
        case Mapping():
            found = cast(Mapping[Any, Any], value)
            return {moved(key, years): moved(one, years) for key, one in found.items()}
        case list() | tuple():
            return tuple(moved(one, years) for one in cast(Iterable[Any], value))
        case str():
            return _WRITTEN_DATE.sub(lambda match: f"{int(match[1]) + years}{match[2]}", value)
        case date():
            return value.replace(year=value.year + years)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{field.name: moved(getattr(value, field.name), years) for field in fields(value)})
        case _:
            return value
