"""One duty of a protocol, alone: its ladder is climbed on the core while nobody does what is owed."""

from __future__ import annotations

from datetime import datetime, timedelta

from proof.explore import START
from proof.moves import Move, Moves
from proof.slices import OPENS, Interest, cut
from protocol import commands as c
from protocol import events as e
from protocol.decide import decide
from protocol.episode import Episode, next_deadline
from protocol.program import Program
from protocol.program import program as program_of


class Climb:
    """Time passes only from page to page."""

    def __init__(self, program: Program, duty: str) -> None:
        self._slice = cut(program, Interest(duties=(duty,), blurred=True))
        self._moves = Moves(self._slice, program_of(self._slice.spec))
        self._left: list[e.PageRequested] = []
        self._seen = 0
        self.now = START
        opened = decide(self._slice.spec, None, self._moves.opening(Move("open"), START), START).episode
        assert opened is not None
        self.episode: Episode = opened
        for command, now in self._moves.commands(Move("answers", pulses=(f"{OPENS}{duty}",)), opened, START):
            self._do(command, now)

    def _do(self, command: c.Command, now: datetime) -> None:
        step = decide(self._slice.spec, self.episode, command, now)
        assert step.episode is not None
        self.episode, self.now = step.episode, now
        self._left += [one for one in step.events if isinstance(one, e.PageRequested)]

    def next_page(self) -> float | None:
        """Seconds until somebody is paged again; None when nobody ever is."""
        began = self.now
        while len(self._left) == self._seen:
            due = next_deadline(self.episode)
            if due is None:
                return None
            self._do(self._moves.deadline(max(due, began)), max(due, began))
        self._seen += 1
        return (self.now - began).total_seconds()

    @property
    def page(self) -> e.PageRequested:
        """The page that `next_page` came to."""
        return self._left[self._seen - 1]

    def acknowledged(self) -> float | None:
        """Seconds of silence after somebody says that they are on it."""
        (owed,) = self.episode.obligations.values()
        self._do(self._moves.acknowledgement(owed.obligation_id, self.now), self.now)
        return self.next_page()

    def reported(self, *, delivered: bool, after: timedelta = timedelta(0)) -> None:
        """The providers say what became of the last page."""
        now = self.now + after
        self._do(self._moves.report(self.page.page_id, now, delivered=delivered), now)
