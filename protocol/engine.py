"""Runs one episode to completion after each input: what is due first, then the command.

The workflow, the scenario player and the simulator drive this same object.
It has no clock and touches nothing: the caller gives `now` and takes away what is to be recorded and done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from protocol import commands as c
from protocol import events as e
from protocol.commands import STRICT
from protocol.decide import MacroStep, decide, refusal_event
from protocol.effects import Effect
from protocol.episode import Episode, next_deadline
from protocol.facts import Refused
from protocol.spec import ProtocolSpec
from protocol.trail import Entry, Head, TrailRow, append, genesis, payload_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The trail dates nothing before this, however wrong a person's clock is; the command itself is kept as sent."""
MOST_RECEIPTS = 500
"""How many of people's latest commands are remembered, so that one sent again is answered and not applied again."""
REUSED = Refused("command_id_reused", "This command id was used for something else.", "Send it under an id of its own.")

_EVENT: TypeAdapter[Any] = TypeAdapter(Annotated[e.Event, Field(discriminator="kind")])


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a command. A command sent again gets the receipt it got before."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    command_id: str
    fingerprint: str
    """Of what the command asked for; the same id with another content is refused."""
    episode_id: str
    revision: int
    stage: str
    risk: str
    next_deadline: datetime | None
    """UTC; None when nothing is owed."""
    events: tuple[Annotated[e.Event, Field(discriminator="kind")], ...]
    """What the command brought about, or the one refusal."""

    @property
    def refusal(self) -> e.CommandRefused | None:
        """Why the command was refused; None when it was accepted."""
        return next((event for event in self.events if isinstance(event, e.CommandRefused)), None)


RECEIPT: TypeAdapter[Receipt] = TypeAdapter(Receipt)
"""Reads and writes a receipt."""


class Engine:
    """One episode under way."""

    def __init__(
        self,
        spec: ProtocolSpec,
        episode_id: str,
        salt_key: bytes,
        episode: Episode | None = None,
        head: Head | None = None,
        receipts: Mapping[str, str] | None = None,
    ) -> None:
        self.spec = spec
        self.episode_id = episode_id
        self.episode = episode
        self.head = head or genesis(episode_id)
        self.receipts = dict(receipts or {})
        """Of the latest commands by id, as JSON: each run of an episode hands them on, and hardly any is read."""
        self.rows: list[TrailRow] = []
        """Recorded and not yet taken away."""
        self.effects: list[Effect] = []
        """To be done and not yet taken away."""
        self._salt_key = salt_key

    def submit(self, command: c.Command, now: datetime, onto: ProtocolSpec | None = None) -> Receipt:
        """Take in a command at `now` (aware UTC). What is due is swept first.

        A command sent again gets its receipt and changes nothing. An id that was used for something else is refused
        without a trace: the entry would otherwise be taken for recorded.
        `onto` is the version of the protocol that a `Migrate` names; the episode then goes on under it.
        """
        asked = c.fingerprint(command)
        kept = self.receipts.get(command.command_id)
        if kept is None:
            self.sweep(now)
            return self._remember(self._run(command, now, onto), asked)
        known = RECEIPT.validate_json(kept)
        if known.fingerprint == asked:
            return known
        return self._receipt(command, asked, (refusal_event(command, REUSED, now),))

    def sweep(self, now: datetime) -> None:
        """Let everything fire that is due at or before `now`."""
        due = self.next_deadline()
        if due is not None and due <= now and self.episode is not None:
            command_id = f"{c.DEADLINE_ID}{self.episode.revision + 1}"
            self._run(
                c.DeadlineReached(command_id=command_id, actor=c.SYSTEM_ACTOR, role=c.SYSTEM_ROLE, occurred_at=now),
                now,
            )

    def next_deadline(self) -> datetime | None:
        """When `sweep` is needed next, in UTC; None when nothing is owed."""
        return next_deadline(self.episode) if self.episode is not None else None

    def take_rows(self) -> list[TrailRow]:
        """The rows to record, in order; they are the caller's from now on."""
        rows, self.rows = self.rows, []
        return rows

    def take_effects(self) -> list[Effect]:
        """The effects to carry out, in order; they are the caller's from now on."""
        effects, self.effects = self.effects, []
        return effects

    def _run(self, command: c.Command, now: datetime, onto: ProtocolSpec | None = None) -> MacroStep:
        step = decide(self.spec, self.episode, command, now, onto)
        if step.episode is not None:
            self.episode = step.episode
            if onto is not None and step.episode.protocol_hash == onto.content_hash:
                self.spec = onto
            self._record(step)
            self.effects.extend(step.effects)
        return step

    def _record(self, step: MacroStep) -> None:
        said: dict[str, Any] | None = c.COMMAND.dump_python(step.command, mode="json")
        for event in step.events:
            self.rows.append(self._row(step, event, said))
            self.head = self.rows[-1].head
            said = None

    def _row(self, step: MacroStep, event: e.Event, said: dict[str, Any] | None) -> TrailRow:
        command = step.command
        entry = Entry(
            self.episode_id,
            self.head.sequence + 1,
            min(max(command.occurred_at, EPOCH), step.now),
            step.now,
            command.actor,
            command.role,
            command.command_id,
            event.kind,
            payload_of(_EVENT.dump_python(event, mode="json"), said),
        )
        return append(self.head, entry, self._salt_key)

    def _remember(self, step: MacroStep, asked: str) -> Receipt:
        """Only what people send may be sent again; the engine's own commands must not crowd it out."""
        receipt = self._receipt(step.command, asked, step.events)
        if isinstance(step.command, c.SystemCommand):
            return receipt
        self.receipts[receipt.command_id] = RECEIPT.dump_json(receipt).decode()
        while len(self.receipts) > MOST_RECEIPTS:
            del self.receipts[next(iter(self.receipts))]
        return receipt

    def _receipt(self, command: c.Command, asked: str, events: tuple[e.Event, ...]) -> Receipt:
        episode = self.episode
        return Receipt(
            command_id=command.command_id,
            fingerprint=asked,
            episode_id=self.episode_id,
            revision=episode.revision if episode else 0,
            stage=episode.stage if episode else "",
            risk=episode.risk if episode else "",
            next_deadline=self.next_deadline(),
            events=events,
        )
