"""A trail read back as events: who caused what, and when it was recorded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import to_json

from protocol.commands import Command
from protocol.engine import Receipt
from protocol.events import EVENT, CommandRefused, Event
from protocol.trail import TrailRow


@dataclass(frozen=True, slots=True)
class Happened:
    """One recorded event, with who caused it and when it was recorded (aware UTC)."""

    at: datetime
    actor: str
    role: str
    command_id: str
    event: Event


def chronicle(rows: Iterable[TrailRow]) -> tuple[Happened, ...]:
    """What rows say, in their order. Raises ValueError for a row whose payload was destroyed."""
    return tuple(Happened(row.recorded_at, row.actor, row.role, row.command_id, event_of(row)) for row in rows)


def unrecorded(command: Command, receipt: Receipt, now: datetime) -> tuple[Happened, ...]:
    """A refused opening: there is no episode yet whose trail could hold it."""
    return tuple(Happened(now, command.actor, command.role, command.command_id, event) for event in receipt.events)


def event_of(row: TrailRow) -> Event:
    """The event of a row. Raises ValueError when its payload was destroyed or is none of our events."""
    if row.payload is None:
        raise ValueError(f"row {row.sequence} can't be read any more: its key was destroyed")
    return EVENT.validate_json(to_json(row.payload["event"]))


def refusal_in(happened: Iterable[Happened]) -> CommandRefused | None:
    """The first refusal of a person's command."""
    refusals = (one.event for one in happened if isinstance(one.event, CommandRefused) and one.role != "system")
    return next(refusals, None)
