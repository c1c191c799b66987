"""Replays an episode from its trail alone: every command is decided anew and held against what was recorded.

Needs the trail and the pinned protocol; neither Temporal nor the engine that made the trail.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from pydantic_core import to_json

from protocol.chronicle import event_of
from protocol.commands import COMMAND, Command, Migrate
from protocol.decide import decide
from protocol.episode import Episode
from protocol.events import EVENT, CommandRefused, Event
from protocol.evolve import evolve
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow


@dataclass(frozen=True, slots=True)
class Difference:
    """An entry that the protocol, decided anew, would have written otherwise."""

    sequence: int
    recorded: Event | None
    """None where the trail lacks an entry that follows from the command."""
    decided: Event | None
    """None where the trail has an entry that does not follow from the command."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One macro step of a trail."""

    sequence: int
    """Of its first entry."""
    command: Command
    now: datetime
    """When it was decided (aware UTC)."""
    events: tuple[Event, ...]
    """As recorded."""
    before: Episode | None
    after: Episode
    """The state that the recorded events make."""
    differences: tuple[Difference, ...]
    spec: ProtocolSpec
    """The version in force afterwards."""
    undecided: str = ""
    """Why it could not be decided anew; then it has no differences. Empty when it was."""


class ReplayError(Exception):
    """The trail can't be replayed; the message names the entry."""


UNKEPT = "it was refused under a document that nobody kept, since nothing came of it"

Versions = Mapping[str, ProtocolSpec]
"""Content hash → the protocol."""


def replay(spec: ProtocolSpec, rows: Iterable[TrailRow], later: Versions | None = None) -> Iterator[Replayed]:
    """Each macro step in order. The state always follows the recorded events, so one difference does not hide the next.

    `later` has the versions to which the episode migrated: each step is decided by the one in force.
    Raises ReplayError for a trail without its first command, with destroyed payloads, or of another protocol.
    """
    episode: Episode | None = None
    for group in _macro_steps(rows):
        step = _replay_one(spec, episode, group, later or {})
        episode = step.after
        spec = step.spec
        if episode.protocol_hash != spec.content_hash:
            raise ReplayError(f"the episode ran under the protocol {episode.protocol_hash}, not under this one")
        yield step


def _macro_steps(rows: Iterable[TrailRow]) -> Iterator[list[TrailRow]]:
    """A row that carries a command begins a macro step."""
    group: list[TrailRow] = []
    for row in rows:
        if row.payload is None:
            raise ReplayError(f"entry {row.sequence} can't be read any more: its key was destroyed")
        if "command" in row.payload and group:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _replay_one(spec: ProtocolSpec, before: Episode | None, group: list[TrailRow], later: Versions) -> Replayed:
    first = group[0]
    try:
        command = COMMAND.validate_json(to_json((first.payload or {})["command"]))
        events = tuple(event_of(row) for row in group)
        after = _fold(before, events)
    except (KeyError, ValueError) as error:
        raise ReplayError(f"entry {first.sequence} is no step of an episode: {error}") from error
    onto = later.get(command.protocol_hash) if isinstance(command, Migrate) else None
    undecided = ""
    if isinstance(command, Migrate) and onto is None and any(isinstance(event, CommandRefused) for event in events):
        undecided = UNKEPT
    decided = events if undecided else decide(spec, before, command, first.recorded_at, onto).events
    return Replayed(
        first.sequence,
        command,
        first.recorded_at,
        events,
        before,
        after,
        _differences(first.sequence, events, decided),
        later.get(after.protocol_hash, spec),
        undecided,
    )


def _fold(before: Episode | None, events: tuple[Event, ...]) -> Episode:
    episode = before
    for event in events:
        episode = evolve(episode, event)
    if episode is None:
        raise ValueError("it has no event")
    return episode


def _differences(sequence: int, recorded: tuple[Event, ...], decided: tuple[Event, ...]) -> tuple[Difference, ...]:
    """Compared as written: a recorded event was read back from JSON."""
    pairs = zip_longest(recorded, decided)
    return tuple(
        Difference(sequence + place, was, would)
        for place, (was, would) in enumerate(pairs)
        if _written(was) != _written(would)
    )


def _written(event: Event | None) -> Any:
    return None if event is None else EVENT.dump_python(event, mode="json")
