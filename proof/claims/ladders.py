"""Claims about ladders: none ends in silence. And how long it takes at worst until somebody is paged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time

from proof.claims.common import Ground
from proof.explore import START
from proof.moves import Move, Moves
from proof.slices import OPENS, Interest, cut
from proof.verdicts import Claim, Doubt, settled
from protocol import events as e
from protocol.decide import decide
from protocol.elements import elapsed_seconds
from protocol.episode import next_deadline
from protocol.findings import Finding
from protocol.program import Program
from protocol.program import program as program_of
from protocol.spec import ProtocolSpec

YEARS = 2
"""How far ahead days are tried for clocks that stop at night, on weekends and holidays, and jump in spring and fall."""
FIRST_DAY = date(2026, 1, 1)
CLOCK_TIMES = (time(0, 0), time(23, 59, 59))


def claims(ground: Ground) -> Iterator[Claim]:
    """All claims of this kind."""
    yield never_silent(ground)


def never_silent(ground: Ground) -> Claim:
    """Each ladder in use was climbed on the core: every rung, and the last one again and again."""
    spec = ground.program.spec
    used: dict[str, list[str]] = {}
    for name, owed in spec.obligations.items():
        used.setdefault(owed.ladder, []).append(name)
    found = [
        _addresses_nobody(spec, ladder, names) or _climbed(ground.program, ladder, names[0])
        for ladder, names in used.items()
    ]
    doubts = tuple(doubt for doubt in found if doubt is not None)
    how = f"Each of {len(used)} ladders was climbed on the core until its last rung repeated, and after a lease."
    title = "No ladder ends in silence."
    return Claim("ladders", title, settled(doubts), how, len(used), 0, doubts)


def _addresses_nobody(spec: ProtocolSpec, ladder: str, names: list[str]) -> Doubt | None:
    """`addressee` is somebody only while a hand-over is offered."""
    rungs = spec.ladders[ladder].rungs
    others = [
        name for name in names if any(trigger.event != "handover_offered" for trigger in spec.obligations[name].opens)
    ]
    if not others or rungs[-1].page != "addressee":
        return None
    message = f"the last rung of {ladder} pages an addressee, and {others[0]} has none: it ends in silence"
    path = ("ladders", ladder, "rungs", len(rungs) - 1, "page")
    return Doubt(Finding(path, message, "let the last rung page a role that is always filled, such as a supervisor"))


def _climbed(program: Program, ladder: str, name: str) -> Doubt | None:
    """Open a duty with this ladder and let nobody answer; then let somebody acknowledge and do nothing."""
    rungs = program.spec.ladders[ladder].rungs
    repeat, lease = (elapsed_seconds(getattr(program.spec.ladders[ladder], key)) for key in ("repeat", "lease"))
    climb = _Climb(program, name)
    for number in range(len(rungs) + 2):
        silence = climb.next_page()
        if silence is None or (number > len(rungs) and silence > repeat):
            message = f"nobody is paged for {name} any more after rung {min(number, len(rungs))} of {ladder}"
            return Doubt(Finding(("ladders", ladder), message, "tell the maintainers of Holdfast", about_key=True))
    silence = climb.acknowledged()
    if silence is None or silence > max(lease, repeat):
        message = f"{ladder} does not go on after an acknowledgement that was followed by nothing"
        return Doubt(Finding(("ladders", ladder, "lease"), message, "tell the maintainers of Holdfast"))
    return None


class _Climb:
    """One open duty of a protocol, alone."""

    def __init__(self, program: Program, name: str) -> None:
        self._slice = cut(program, Interest(duties=(name,), blurred=True))
        self._moves = Moves(self._slice, program_of(self._slice.spec))
        opened = decide(self._slice.spec, None, self._moves.opening(Move("open"), START), START).episode
        assert opened is not None
        self.episode, self.now = opened, START
        self._do(Move("answers", pulses=(f"{OPENS}{name}",)))

    def _do(self, move: Move) -> None:
        for command, now in self._moves.commands(move, self.episode, self.now):
            after = decide(self._slice.spec, self.episode, command, now).episode
            assert after is not None
            self.episode = after

    def next_page(self) -> float | None:
        """Seconds until somebody is paged again; None when nobody ever is."""
        began = self.now
        while (due := next_deadline(self.episode)) is not None:
            step = decide(self._slice.spec, self.episode, self._moves.deadline(due), due)
            assert step.episode is not None
            self.episode, self.now = step.episode, due
            if any(isinstance(one, e.PageRequested) for one in step.events):
                return (due - began).total_seconds()
        return None

    def acknowledged(self) -> float | None:
        """Seconds of silence after somebody says that they are on it."""
        (owed,) = self.episode.obligations.values()
        step = decide(
            self._slice.spec, self.episode, self._moves.acknowledgement(owed.obligation_id, self.now), self.now
        )
        assert step.episode is not None
        self.episode = step.episode
        return self.next_page()
