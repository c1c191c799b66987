"""Retells what happened in a slice on the protocol itself. Only what the protocol really does is a counterexample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from proof.ending import close
from proof.moves import Move
from proof.pilot import Lost, Pilot
from proof.slices import ENDS, IF, OPENS, RISES, Slice
from proof.walk import Walk

Broken = Callable[[Walk], bool]
"""Whether a walk of the protocol itself ends in what must not be."""
SECOND = timedelta(seconds=1)


def retell(pilot: Pilot, cut: Slice, story: Sequence[Move], broken: Broken) -> Walk | None:
    """The walk that breaks the property, or None when the protocol does not do what its slice did."""
    try:
        first, *others = story
        facts = {
            n: pilot.answers.as_answer(n, v, pilot.start)
            for n, v in first.answers.items()
            if v and n in pilot.spec.facts
        }
        walk = pilot.begin(facts, tuple(first.name.split()))
        if walk is None:
            return None
        walk = _Retelling(pilot, cut).take(walk, replace(first, what="answers"))
        if walk is None or broken(walk):
            return walk
        for move in others:
            walk = _Retelling(pilot, cut).take(walk, move)
            if walk is None:
                return None
            if broken(walk):
                return walk
        return None
    except Lost:
        return None


class _Retelling:
    def __init__(self, pilot: Pilot, cut: Slice) -> None:
        self.pilot, self.cut = pilot, cut

    def take(self, walk: Walk, move: Move) -> Walk | None:
        """The walk after a move."""
        if move.what == "answers":
            return self._answers(walk, move)
        if move.what in ("near", "due"):
            return self._time(walk, move.what)
        if move.what in ("advance", "go_back", "declare_emergency", "lower_risk"):
            return self._go(walk, move)
        return self._do(walk, move)

    def _go(self, walk: Walk, move: Move) -> Walk | None:
        pilot = self.pilot
        if move.what == "declare_emergency":
            return pilot.act(walk, "declare_emergency", reason="danger")
        return pilot.risk.lower(walk, move.name) if move.what == "lower_risk" else pilot.go_to(walk, move.name)

    def _do(self, walk: Walk, move: Move) -> Walk | None:
        pilot, name = self.pilot, move.name
        match move.what:
            case "complete_step":
                return pilot.complete(walk, name, dict(self._news(walk, move)))
            case "skip_step":
                return pilot.skip(walk, name)
            case "co_sign":
                return pilot.people.sign(walk)
            case "record_decision":
                return pilot.people.decide(walk, name, move.value, signed=False)
            case "record_contact":
                return pilot.people.contact(walk, name, move.value)
            case "record_crisis_type":
                return pilot.act(walk, "record_crisis_type", crisis_type=name)
            case "waive":
                return pilot.owing.waive(walk, name)
            case "close_episode":
                return pilot.first(close(pilot, walk, outcome) for outcome in self._outcomes(name))
            case _:
                return None

    def _outcomes(self, name: str) -> Iterable[str]:
        outcomes = self.pilot.spec.closing.outcomes
        return (name,) if name in outcomes else outcomes

    def _answers(self, walk: Walk, move: Move) -> Walk | None:
        for coin, side in move.answers.items():
            if coin.startswith(IF) and side == "yes":
                walk = self._condition(walk, coin.removeprefix(IF))
        current: Walk | None = walk
        for table in self.cut.outcomes:
            side = move.answers.get(table)
            if current is not None and self.pilot.program.readers.reader(table)(current.episode) != side:
                current = self.pilot.bring(current, table, (side,))
        news = dict(self._news(current, move)) if current is not None else {}
        if news and current is not None:
            current = self.pilot.act(current, "record_facts", facts=news)
        for pulse in move.pulses:
            current = self._pulse(current, pulse) if current is not None else None
        return current

    def _news(self, walk: Walk, move: Move) -> Iterator[tuple[str, object]]:
        for name, value in move.answers.items():
            if name in self.pilot.spec.facts and self.pilot.program.readers.reader(name)(walk.episode) != value:
                yield name, self.pilot.answers.as_answer(name, value, walk.now)

    def _pulse(self, walk: Walk, pulse: str) -> Walk | None:
        if pulse.startswith(OPENS):
            return self.pilot.owing.open(walk, pulse.removeprefix(OPENS))
        if pulse.startswith(ENDS):
            return self.pilot.owing.meet(walk, pulse.removeprefix(ENDS))
        level = pulse.removeprefix(RISES)
        if level == walk.episode.risk == self.pilot.spec.emergency.at:
            # The level can't rise further; what holds anew enters the emergency again, as declaring one does.
            return self.pilot.act(walk, "declare_emergency", reason="danger")
        return self.pilot.risk.to(walk, level)

    def _condition(self, walk: Walk, name: str) -> Walk:
        """As far as it can be brought about, the condition that a coin stands for."""
        owed = self.pilot.spec.obligations.get(name.removeprefix("met_"))
        guards = [] if owed is None else [owed.waived_when, *(part.when for part in (*owed.opens, *owed.met_by))]
        for guard in guards:
            if guard is not None:
                return self.pilot.achieve(walk, guard) or walk
        return walk

    def _time(self, walk: Walk, what: str) -> Walk | None:
        pending = [
            one.due_at
            for one in walk.episode.obligations.values()
            if not one.missed and one.obligation in self.cut.interest.duties
        ]
        if not pending:
            return None
        due = min(pending)
        return walk.wait_for(due - SECOND if what == "near" else due)
