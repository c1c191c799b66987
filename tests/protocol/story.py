"""Plays one episode on the pure core, with a clock of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from protocol import commands as c
from protocol import events as e
from protocol.elements import elapsed_seconds
from protocol.engine import Engine, Receipt
from protocol.episode import Episode, OpenObligation
from protocol.readers import waits_for_signature
from protocol.spec import ProtocolSpec
from tests.protocol.specs import compact

START = datetime(2026, 12, 1, 18, 0, tzinfo=UTC)
KEY = bytes(range(32))


def span(text: str) -> timedelta:
    """`45m` as a time span."""
    return timedelta(seconds=elapsed_seconds(text))


class Story:
    """Plays one episode with a clock of its own. Without other word it is the therapist `mara` who acts, now, and
    whoever signs signs what waits."""

    def __init__(self, spec: ProtocolSpec | None = None, now: datetime = START) -> None:
        self.now = now
        self.engine = Engine(spec or compact(), "ep-1", KEY)
        self._number = 0

    @classmethod
    def begun(cls, spec: ProtocolSpec | None = None, now: datetime = START, **fields: Any) -> Story:
        """An episode that was just opened."""
        story = cls(spec, now)
        story.do(c.OpenEpisode, **{"episode_id": "ep-1", "client_ref": "client-1", "owner": "mara", **fields})
        return story

    def later(self, text: str) -> Story:
        """Let time go by; nobody looks at the episode meanwhile."""
        self.now += span(text)
        return self

    def do(
        self,
        kind: type[Any],
        *,
        by: str = "mara",
        role: str = "therapist",
        ago: str | None = None,
        at: datetime | None = None,
        **fields: Any,
    ) -> Receipt:
        """Submit a command; `ago` or `at` say when it happened if not now."""
        self._number += 1
        if kind is c.CoSign:
            waiting = waits_for_signature(self.episode).get(fields["subject"])
            fields = {"entry": waiting.sequence if waiting is not None else 1, **fields}
        occurred = at or (self.now - span(ago) if ago else self.now)
        command = kind(
            **{"command_id": f"c-{self._number}", "actor": by, "role": role, "occurred_at": occurred, **fields}
        )
        return self.engine.submit(command, self.now)

    def answer(self, **facts: Any) -> Receipt:
        """Write down answers."""
        return self.do(c.RecordFacts, facts=facts)

    def answer_ago(self, ago: str, **facts: Any) -> Receipt:
        """Write down answers that were given some time ago."""
        return self.do(c.RecordFacts, facts=facts, ago=ago)

    def contact(self, outcome: str = "reached", party: str = "client", **fields: Any) -> Receipt:
        """Write down a contact or an attempt."""
        return self.do(c.RecordContact, party=party, channel="phone", outcome=outcome, **fields)

    def sweep(self) -> tuple[e.Event, ...]:
        """Let what is due fire; the events that came of it."""
        before = len(self.engine.rows)
        self.engine.sweep(self.now)
        return tuple(self.events()[before:])

    def events(self) -> list[e.Event]:
        """All that was recorded so far, read from the trail."""
        return [e.EVENT.validate_json(json.dumps(row.payload["event"])) for row in self.engine.rows if row.payload]

    @property
    def episode(self) -> Episode:
        assert self.engine.episode is not None
        return self.engine.episode

    def owed(self, obligation: str) -> list[OpenObligation]:
        """The open instances of an obligation."""
        return [owed for owed in self.episode.obligations.values() if owed.obligation == obligation]

    def due(self, obligation: str) -> timedelta:
        """How long from now until the only open instance is due."""
        (owed,) = self.owed(obligation)
        return owed.due_at - self.now

    def in_follow_up(self) -> Story:
        """Walk the short way to follow-up at no risk."""
        self.do(c.CompleteStep, step="start", facts={"address": "12 Elm"})
        self.do(c.CompleteStep, step="screening", facts={"plan": "no"})
        self.do(c.Advance, to="follow_up")
        assert self.episode.stage == "follow_up"
        return self


def kinds(receipt: Receipt) -> list[str]:
    """The kinds of the events that a command brought about."""
    return [event.kind for event in receipt.events]


def code(receipt: Receipt) -> str | None:
    """The code of the refusal, if any."""
    return receipt.refusal.code if receipt.refusal else None
