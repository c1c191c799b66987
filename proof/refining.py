"""Makes a slice sharper where it told a story that the protocol does not know: the coins of the story are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from proof.moves import Move
from proof.reading import read_by
from proof.slices import ENDS, IF, OPENS, Interest
from protocol.conditions import Guard
from protocol.duties import Evidence, Trigger
from protocol.program import Program


def refined(program: Program, interest: Interest, story: Sequence[Move]) -> Interest:
    """An interest that keeps what the coins of a story stood for; the same one when there is nothing left to keep."""
    found = _Refining(program, interest)
    for move in story:
        found.take(move)
    return found.interest


class _Refining:
    def __init__(self, program: Program, interest: Interest) -> None:
        self.program, self.spec, self.interest = program, program.spec, interest
        self.stage = program.spec.initial

    def take(self, move: Move) -> None:
        """Look at one move."""
        for pulse in move.pulses:
            if pulse.startswith(OPENS):
                self._triggers(pulse.removeprefix(OPENS))
            elif pulse.startswith(ENDS):
                self._evidence(pulse.removeprefix(ENDS))
        for coin, side in move.answers.items():
            if coin.startswith(IF) and side == "yes":
                self._condition(coin.removeprefix(IF))
        if move.what in ("advance", "go_back"):
            self._way(move.name)
            self.stage = move.name
        elif move.what == "close_episode":
            self._end()
        elif move.what == "waive":
            self._guards([self.spec.obligations[move.name].waived_when])
        elif move.what == "declare_emergency":
            self.stage = self.spec.emergency.stage

    def _keep(self, names: Iterable[str] = (), duties: Iterable[str] = (), parties: Iterable[str] = ()) -> None:
        now = self.interest
        self.interest = replace(
            now,
            names=now.names | frozenset(names),
            duties=tuple(dict.fromkeys((*now.duties, *duties))),
            parties=now.parties | frozenset(parties),
        )

    def _guards(self, guards: Iterable[Guard | None]) -> None:
        for guard in guards:
            names = read_by(self.program, guard)
            owed = [name.removeprefix("obligation.") for name in names if name.startswith("obligation.")]
            self._keep(names, owed)

    def _triggers(self, name: str) -> None:
        self.interest = replace(self.interest, blurred=False)
        for one in self.spec.obligations[name].opens:
            self._part(one)
            self._keep(duties=[o for o in (one.opened, one.met, one.missed, one.waived) if o])
            if one.event in ("risk_raised", "risk_lowered"):
                self._keep(["risk"])
        self._guards(one.when for one in self.spec.obligations[name].opens)

    def _evidence(self, name: str) -> None:
        for one in self.spec.obligations[name].met_by:
            self._part(one)

    def _part(self, part: Trigger | Evidence) -> None:
        other = part.not_reached if isinstance(part, Trigger) else part.attempted
        self._keep(
            [name for name in (part.done and f"step.{part.done}", part.decided) if name],
            parties=[party for party in (part.reached, other) if party],
        )

    def _condition(self, name: str) -> None:
        if owed := self.spec.obligations.get(name.removeprefix("met_")):
            parts = owed.met_by if name.startswith("met_") else owed.opens
            self._guards(one.when for one in parts)

    def _end(self) -> None:
        """What closing requires of that which is looked at already, then all that it requires."""
        guards, known = [one.when for one in self.spec.closing.requires.values()], self.interest
        self.interest = replace(known, ending=True)
        self._guards(one for one in guards if read_by(self.program, one) & known.names)
        if self.interest == known:
            self._guards(guards)

    def _way(self, to: str) -> None:
        """What stands between two stages: refusals to enter, then the condition for leaving."""
        known = self.interest.names
        self.interest = replace(self.interest, exact=True)
        self._guards(one.act.when for one in self.spec.refusals.values() if one.act.entered == to)
        if self.interest.names == known:
            self._guards([self.spec.stages[self.stage].leave_when])
