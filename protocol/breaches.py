"""Deadlines that were missed, and what led there. Times are aware UTC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from protocol import events as e
from protocol.account import Entry

End = Literal["met", "met_late", "waived", "owed"]

ENDS: dict[End, str] = {
    "met": "done in time, but written down only after the deadline",
    "met_late": "done late",
    "waived": "waived",
    "owed": "still owed where the trail ends",
}
"""How a missed deadline ended, in words."""

_BETWEEN = (
    e.ContactAttempted,
    e.ContactMade,
    e.CommandRefused,
    e.HandoverOffered,
    e.HandoverAccepted,
    e.HandoverDeclined,
)
"""What people did about an episode while something was owed, whichever obligation it was meant for."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A missed deadline from its opening to its end."""

    obligation_id: str
    title: str
    due_at: datetime
    missed: int
    """The entry that says so."""
    noticed_at: datetime
    """When the engine took notice: later than due when it was down."""
    end: End
    """`met`: done in time and written down too late. `owed`: still open where the trail ends."""
    led: tuple[Entry, ...]
    """The act that opened it, pages, reports, acknowledgements, attempts, refusals, hand-overs, its end, addenda."""


def breaches(entries: Sequence[Entry]) -> Iterator[Breach]:
    """Every missed deadline, in the order in which they were missed."""
    for entry in entries:
        if isinstance(entry.event, e.DeadlineMissed):
            yield _breach(entries, entry, entry.event)


def _breach(entries: Sequence[Entry], missed: Entry, event: e.DeadlineMissed) -> Breach:
    own = [entry for entry in entries if getattr(entry.event, "obligation_id", None) == event.obligation_id]
    opened = next((entry for entry in own if isinstance(entry.event, e.ObligationOpened)), missed)
    ended = next((entry for entry in own if _end(entry) != "owed"), None)
    titles = {one.obligation_id: one.title for one in missed.state.owed}
    return Breach(
        event.obligation_id,
        titles.get(event.obligation_id, event.obligation),
        event.due_at,
        missed.sequence,
        missed.known_at,
        "owed" if ended is None else _end(ended),
        tuple(_led(entries, own, opened, ended)),
    )


def _end(entry: Entry) -> End:
    match entry.event:
        case e.ObligationMet(late=late):
            return "met_late" if late else "met"
        case e.ObligationWaived():
            return "waived"
        case _:
            return "owed"


def _led(entries: Sequence[Entry], own: Sequence[Entry], opened: Entry, ended: Entry | None) -> Iterator[Entry]:
    last = entries[-1].sequence if ended is None else ended.sequence
    pages = {entry.event.page_id for entry in own if isinstance(entry.event, e.PageRequested)}
    numbers = {entry.sequence for entry in own}
    for entry in entries:
        event = entry.event
        if (
            entry.sequence in numbers
            or (entry.step == opened.step and entry.sequence < opened.sequence)
            or (opened.sequence < entry.sequence <= last and isinstance(event, _BETWEEN))
            or (isinstance(event, e.PageReported) and event.page_id in pages)
            or entry.refers_to in numbers
        ):
            yield entry
