"""Explores a slice: every configuration that the core can bring about, breadth first, each abstract one once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from proof.moves import Move, Moves
from proof.slices import Slice
from protocol.decide import MacroStep, decide
from protocol.episode import Episode, OpenObligation
from protocol.program import program
from protocol.spec import ProtocolSpec
from protocol.vocabulary import MOST_ATTEMPTS

MOST_CONFIGURATIONS = 30_000
"""Of one slice. Beyond it the answer is: not proved."""
MOST_STEPS = 40_000
"""Macro steps of one slice."""
TELL_EVERY = 250
"""Configurations between two words about how far it is."""
START = datetime.fromisoformat("2026-12-01T18:00:00+00:00")
INSTANT = timedelta(seconds=1)

Watch = Callable[[Episode | None, MacroStep], bool]
"""Whether a macro step breaks a property; the episode before it is None at the opening."""
Going = Callable[[int], None]
"""Is told how many configurations were visited so far, while it goes on."""


def in_silence(_configurations: int) -> None:
    """Nobody wants to know how far it is."""


@dataclass(frozen=True)
class Explored:
    """What was visited, and the way to the first configuration that breaks the property."""

    configurations: int
    steps: int
    complete: bool
    """Every configuration of the slice was visited, or one that breaks the property was found."""
    waiting: int
    """Configurations that were seen and not gone on from."""
    story: tuple[Move, ...] | None
    crowded: tuple[str, ...] = ()
    """Facts that are read together, too many of them for every combination to be looked at."""


class Explorer:
    """One exploration."""

    def __init__(
        self,
        cut: Slice,
        watch: Watch,
        with_times: bool = False,
        most_steps: int = MOST_STEPS,
        going: Going = in_silence,
    ) -> None:
        self.most_steps = min(most_steps, MOST_STEPS)
        self._going = going
        self.slice, self.watch, self.with_times = cut, watch, with_times
        self.spec: ProtocolSpec = cut.spec
        self.program = program(cut.spec)
        self.moves = Moves(cut, self.program)
        self.steps = 0
        self._peak = "peak_risk" in cut.interest.names
        self._risk = bool(cut.spec.risk.rules)
        self._fresh = cut.spec.risk.lowering.step
        self._states = {
            name.removeprefix("obligation.") for name in cut.interest.names if name.startswith("obligation.")
        }

    def run(self) -> Explored:
        """Explore until nothing new comes, a property breaks, or the limits are reached."""
        if self.moves.partial:
            return Explored(0, 0, False, self.moves.joint, None, tuple(self.moves.together))
        seen: dict[Any, tuple[Any, Move]] = {}
        ahead: deque[tuple[Any, Episode, datetime]] = deque()
        for move in self.moves.openings():
            opened, bad = self._open(move)
            if bad:
                return Explored(len(seen) + 1, self.steps, True, 0, (move,))
            key = self.key(opened, START)
            if key not in seen:
                seen[key] = (None, move)
                ahead.append((key, opened, START))
        while ahead:
            if len(seen) > MOST_CONFIGURATIONS or self.steps > self.most_steps:
                return Explored(len(seen), self.steps, False, len(ahead), None)
            here, episode, now = ahead.popleft()
            for move in self.moves.of(episode):
                after, later, bad = self._take(episode, now, move)
                if bad:
                    return Explored(len(seen), self.steps, True, len(ahead), (*self._way(seen, here), move))
                if after is None or after.closed_at is not None:
                    continue
                key = self.key(after, later)
                if key not in seen:
                    seen[key] = (here, move)
                    ahead.append((key, after, later))
                    if len(seen) % TELL_EVERY == 0:
                        self._going(len(seen))
        return Explored(len(seen), self.steps, True, 0, None)

    def _open(self, move: Move) -> tuple[Episode, bool]:
        """The episode after an opening, once its coins lie still, and whether a property broke."""
        step = decide(self.spec, None, self.moves.opening(move, START), START)
        self.steps += 1
        assert step.episode is not None
        if self.watch(None, step) or not move.pulses:
            return step.episode, self.watch(None, step)
        still = {**move.answers, **dict.fromkeys(move.pulses, "no")}
        after, _, bad = self._take(step.episode, START, Move("answers", answers=still))
        assert after is not None
        return after, bad

    def _take(self, episode: Episode, now: datetime, move: Move) -> tuple[Episode | None, datetime, bool]:
        """The episode after a move, the time then, and whether a property broke on the way."""
        current = episode
        for command, at in self.moves.commands(move, current, now):
            now = at
            step = decide(self.spec, current, command, at)
            self.steps += 1
            if step.refusal is not None:
                return None, now, False
            if self.watch(current, step):
                return step.episode, now, True
            assert step.episode is not None
            current = step.episode
        return current, now, False

    def _way(self, seen: Mapping[Any, tuple[Any, Move]], key: Any) -> Iterator[Move]:
        found: list[Move] = []
        while key is not None:
            key, move = seen[key]
            found.append(move)
        return reversed(found)

    # The abstract configuration

    def key(self, episode: Episode, now: datetime) -> Any:
        """What tells one configuration from another as far as this slice can notice."""
        pending = [one for one in episode.obligations.values() if not one.missed]
        near = bool(pending) and min(one.due_at for one in pending) - now <= INSTANT
        return (
            self.moves.stages[episode.stage] if self.slice.stage_matters else "",
            episode.risk if self._risk else "",
            episode.peak_risk if self._peak else "",
            self.moves.facts_of(episode),
            frozenset((name, one.status, one.cosigned) for name, one in episode.steps.items()) if episode.steps else (),
            self._reassessed(episode),
            frozenset((name, one.option, one.cosigned) for name, one in episode.decisions.items())
            if episode.decisions
            else (),
            frozenset((name, one.option) for name, one in episode.unsigned.items()) if episode.unsigned else (),
            frozenset(episode.contacts) if episode.contacts else (),
            self._attempts(episode),
            episode.crisis_types,
            frozenset(episode.left) if self.slice.interest.exact and self.slice.stage_matters else (),
            self._owed(episode),
            self._tallies(episode),
            near,
        )

    def _attempts(self, episode: Episode) -> Any:
        """How often in vain, where a condition reads it."""
        counted = self.moves.counted & episode.attempts.keys()
        return frozenset((name, min(episode.attempts[name], MOST_ATTEMPTS)) for name in counted) if counted else ()

    def _reassessed(self, episode: Episode) -> bool:
        done = episode.steps.get(self._fresh)
        return done is not None and done.sequence > episode.risk_changed.sequence

    def _owed(self, episode: Episode) -> Any:
        owed = sorted(episode.obligations.values(), key=lambda one: (one.missed, one.due_at, one.sequence))
        told = [(one.missed, (one.obligation, self._proofs(episode, one), self._length(one))) for one in owed]
        pending = tuple(one for missed, one in told if not missed)
        late = tuple(sorted(one[:2] for missed, one in told if missed))
        return pending, late

    def _length(self, owed: OpenObligation) -> timedelta | None:
        return owed.due_at - owed.opened_at if self.with_times else None

    def _proofs(self, episode: Episode, owed: OpenObligation) -> tuple[bool, ...]:
        """Which parts of its evidence have come about since it was opened."""
        found: list[bool] = []
        for proof in self.program.proofs[owed.obligation]:
            one = proof.evidence
            if one.done is not None:
                step = episode.steps.get(one.done)
                found.append(step is not None and step.sequence > owed.sequence)
            for party, places in ((one.reached, episode.contacts), (one.attempted, episode.tries)):
                if party is not None:
                    found.append(party in places and places[party].sequence > owed.sequence)
            if one.decided is not None:
                record = episode.decisions.get(one.decided)
                found.append(record is not None and record.sequence > owed.sequence)
        return tuple(found)

    def _tallies(self, episode: Episode) -> Any:
        found: list[Any] = []
        for name, tally in episode.tallies.items():
            most = self.spec.obligations[name].at_most
            opened = min(tally.opened, most) if most is not None else 0
            found.append((name, opened, tally.last if name in self._states else None))
        return tuple(sorted(found, key=str))
