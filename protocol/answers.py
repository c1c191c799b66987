"""Answers as people write them, turned into what a command carries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from protocol.commands import FactValue
from protocol.elements import Fact
from protocol.local_time import to_utc
from protocol.spec import ProtocolSpec

Written = str | int | tuple[str, ...]

TAKE_BACK = "unknown"
"""The answer that takes an earlier one back."""


def read_answer(fact: Fact, written: Written, zone: ZoneInfo, reference: datetime) -> FactValue:
    """One answer in the form of its fact: `7` for a number, `a, b` for several, a local time for a moment.

    What does not fit is passed on as it is: the core refuses it and says why.
    """
    if not isinstance(written, str) or written == TAKE_BACK:
        return written
    match fact.type:
        case "number":
            return _number(written)
        case "several":
            return tuple(part.strip() for part in written.split(",") if part.strip())
        case "moment":
            return _moment(written, zone, reference)
        case _:
            return written


def read_answers(
    spec: ProtocolSpec, written: Mapping[str, Written], zone: ZoneInfo, reference: datetime
) -> dict[str, FactValue]:
    """A form's answers. A bare time is on the local day of `reference`. Unknown names are passed on to be refused."""
    return {
        name: read_answer(spec.facts[name], value, zone, reference) if name in spec.facts else value
        for name, value in written.items()
    }


def _number(written: str) -> FactValue:
    text = written.strip()
    return int(text) if text.removeprefix("-").isdecimal() and len(text) <= 10 else written


def _moment(written: str, zone: ZoneInfo, reference: datetime) -> FactValue:
    try:
        return to_utc(written, zone, reference).isoformat()
    except ValueError:
        return written
