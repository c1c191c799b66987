"""The state of one episode: a frozen value that only `evolve` makes anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter

from protocol.commands import STRICT
from protocol.events import FactRecord
from protocol.snapshots import LadderSnapshot
from protocol.values import value

Settled = Literal["met", "met_late", "waived", "superseded"]


@value
class Known:
    """A recorded fact: its value, when it was true, and the entry that recorded it."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    value: FactRecord
    at: datetime
    sequence: int


@value
class StepRecord:
    """What became of a step, most recently."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    status: Literal["done", "skipped"]
    at: datetime
    sequence: int
    by: str = ""
    """Who skipped it: must not co-sign it."""
    cosigned: bool = True


@value
class DecisionRecord:
    """What was decided last; counts only when co-signed where it needs that."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    option: str
    by: str
    at: datetime
    sequence: int
    cosigned: bool


@value
class Moment:
    """When something happened and which entry says so."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    at: datetime
    sequence: int


@value
class OpenObligation:
    """A deadline that somebody owes now."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    obligation_id: str
    obligation: str
    owner: str
    opened_at: datetime
    sequence: int
    due_at: datetime
    ladder: LadderSnapshot
    rung: int
    """The rung paged last; -1 before the first page."""
    next_page_at: datetime
    """When the next page leaves unless the thing is done; an acknowledgement moves it."""
    missed: bool = False
    lease_until: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_role: str = ""
    page_id: str = ""
    """The page that left last; empty before the first one."""
    unheard: bool = False
    """The page that left last reached nobody."""
    behind: int = 0
    """How many rungs before it the page that left last stood in for: each of them reached nobody."""

    @property
    def place(self) -> int:
        """How far the ladder has come by people who were told; -1 before its first page."""
        return self.rung - self.behind

    def next_rung(self) -> int:
        """Where the next page goes. For a rung that reaches nobody the ones after it stand in; where the last one
        reaches nobody either, the ladder goes back to its place. It goes on only when somebody was told."""
        last = len(self.ladder.rungs) - 1
        if not self.unheard:
            return min(self.place + 1, last)
        return self.rung + 1 if self.rung < last else self.place

    def next_wait(self) -> timedelta:
        """How long the ladder waits after its next page. Whoever stands in gets the time of the one who was meant."""
        rungs, last = self.ladder.rungs, len(self.ladder.rungs) - 1
        if not self.unheard:
            again = self.place == last
            return timedelta(seconds=self.ladder.repeat if again else rungs[self.next_rung()].wait)
        own = rungs[self.place].wait
        return timedelta(seconds=min(own, self.ladder.repeat) if self.place == last else own)

    def comes_before(self, at: datetime, sequence: int) -> bool:
        """Whether it was open when something happened that this later entry tells.

        People write times to the minute: 18:00 is not before 18:00:40.
        """
        if sequence <= self.sequence:
            return False
        if at >= self.opened_at:
            return True
        to_the_minute = at.second == 0 and at.microsecond == 0
        return to_the_minute and at >= self.opened_at.replace(second=0, microsecond=0)

    def ladder_lease(self) -> timedelta:
        """How long an acknowledgement silences the ladder."""
        return timedelta(seconds=self.ladder.lease)

    def next_at(self) -> datetime:
        """When this obligation needs the engine next."""
        if self.missed or self.next_page_at < self.due_at:
            return self.next_page_at
        return self.due_at


@value
class Tally:
    """How an obligation ended last, and how often it was opened."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    opened: int
    last: Settled | None = None


@value
class Handover:
    """An offer that is not yet accepted."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    to: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Episode:
    """One crisis of one client under one pinned protocol version.

    Its size is bounded by the protocol, not by the length of the episode:
    what has ended lives in the audit trail.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    episode_id: str
    client_ref: str
    protocol: str
    protocol_version: str
    protocol_hash: str
    opened_at: datetime
    owner: str
    owner_role: str
    stage: str
    stage_entered: Moment
    risk: str
    peak_risk: str
    risk_changed: Moment
    """When the level last changed."""
    risk_confirmed: Moment
    """When the level last changed or new evidence confirmed it. Only a re-assessment from after it can lower it."""
    drill: bool
    revision: int
    """How many events have been applied; the sequence of the last one."""
    edited: int
    """The revision of the last event that changed what people see and edit."""
    crisis_types: tuple[str, ...] = ()
    facts: Mapping[str, Known] = field(default_factory=dict[str, Known])
    steps: Mapping[str, StepRecord] = field(default_factory=dict[str, StepRecord])
    decisions: Mapping[str, DecisionRecord] = field(default_factory=dict[str, DecisionRecord])
    unsigned: Mapping[str, DecisionRecord] = field(default_factory=dict[str, DecisionRecord])
    """Newer records of decisions that wait for a signature; until then what was signed before stands."""
    obligations: Mapping[str, OpenObligation] = field(default_factory=dict[str, OpenObligation])
    """Open ones only, by obligation id, oldest first."""
    tallies: Mapping[str, Tally] = field(default_factory=dict[str, Tally])
    contacts: Mapping[str, Moment] = field(default_factory=dict[str, Moment])
    """The latest live contact with each party."""
    tries: Mapping[str, Moment] = field(default_factory=dict[str, Moment])
    """The latest contact or attempt with each party."""
    attempts: Mapping[str, int] = field(default_factory=dict[str, int])
    """Failed attempts in a row, by party; only a live contact sets one back."""
    left: Mapping[str, Moment] = field(default_factory=dict[str, Moment])
    """When each stage was last left."""
    pages: int = 0
    """How many pages were requested so far."""
    pages_open: Mapping[str, str] = field(default_factory=dict[str, str])
    """Pages whose delivery is not yet reported, with their obligation."""
    handover: Handover | None = None
    outcome: str | None = None
    closed_at: datetime | None = None


EPISODE: TypeAdapter[Episode] = TypeAdapter(Episode)
"""Reads and writes an episode."""


def next_deadline(episode: Episode) -> datetime | None:
    """When the engine must look at the episode again, in UTC; None when nothing is owed."""
    return min((owed.next_at() for owed in episode.obligations.values()), default=None)
