"""Claims that clinical operations state themselves, under `properties`."""

from __future__ import annotations

from collections.abc import Iterator

from proof.claims.combinations import impossible
from proof.claims.common import Effort, Ground, basis, free_of, limits, listed, settle
from proof.explore import Watch
from proof.reading import is_plain, read_by
from proof.slices import UNPLAYED, Interest, Slice, weakened
from proof.verdicts import Claim, Doubt, settled
from proof.walk import Walk
from protocol.conditions import Condition, Guard, tests_in
from protocol.decide import MacroStep
from protocol.episode import Episode
from protocol.findings import Finding
from protocol.program import Program
from protocol.promises import promise
from protocol.spec import Property

VACUOUS = "Its condition never comes about, so it says nothing: look at it again."
"""Of an `always` that is true because it is never asked."""


def claims(ground: Ground) -> Iterator[Claim]:
    """All claims of this kind."""
    for name, stated in ground.program.spec.properties.items():
        yield _authored(ground, name, stated)


class _Stated:
    """One property, on its way to being settled."""

    def __init__(self, ground: Ground, stated: Property) -> None:
        guard = stated.never or stated.always
        assert guard is not None
        self.ground, self.stated, self.guard, self.effort = ground, stated, guard, Effort()
        self.names = read_by(ground.program, guard)
        self.came = False
        """Whether its condition came about in what was explored last."""
        if "peak_risk" in self.names:
            self.names |= {"risk"}
        duties = (*stated.owed, *(one.partition(".")[2] for one in self.names if one.startswith("obligation.")))
        self.interest = Interest(self.names, tuple(dict.fromkeys(duties)))

    def settled(self) -> tuple[bool, Walk | None]:
        """Whether it is proved; else an episode that breaks it, where one was found."""
        if self._more_is_proved():
            return True, None
        if self.names & UNPLAYED:
            return False, None
        kept = promise(self.ground.program.readers, self.stated)

        def broken(walk: Walk) -> bool:
            return not kept(walk.episode, walk.now)

        timed = self.stated.within is not None
        answer = settle(self.ground, self.effort, self.interest, self.watching, broken, timed)
        return answer.proved, answer.walk

    def _more_is_proved(self) -> bool:
        """What is said of every answer holds for these answers as well, and there is less to explore."""
        coarse = weakened(self.guard.condition, self._answerless)
        if coarse is None or coarse == self.guard.condition:
            return False
        guard = Guard(coarse, self.guard.if_unknown)
        field = "never" if self.stated.never is not None else "always"
        more = _Stated(self.ground, self.stated.model_copy(update={field: guard}))
        holds = free_of(self.ground, self.effort, more.interest, more.watching, self.stated.within is not None)
        self.came = more.came
        return holds

    def _answerless(self, condition: Condition) -> bool:
        program = self.ground.program
        return not any(
            test.name in UNPLAYED
            or test.name in program.spec.facts
            or (test.name in program.spec.tables and is_plain(program, test.name))
            for test in tests_in(condition)
        )

    def watching(self, cut: Slice, program: Program) -> Watch:
        """Watches for a moment at which it does not hold."""
        cut.extra.append(self.guard)
        kept, holds, self.came = promise(program.readers, self.stated), program.readers.predicate(self.guard), False

        def watch(_: Episode | None, step: MacroStep) -> bool:
            if step.episode is None:
                return False
            self.came = self.came or holds(step.episode)
            return not kept(step.episode, step.now)

        return watch


def _authored(ground: Ground, name: str, stated: Property) -> Claim:
    settling = _Stated(ground, stated)
    names, effort = settling.names, settling.effort
    key, read = f"properties.{name}", ", ".join(sorted(names)) or "the episode"
    if cases := impossible(ground.program, settling.guard, names):
        how = f"All {cases} combinations of {read}: it holds in none, however they come about."
        return Claim(key, stated.title, "proved", how + ("" if stated.never is not None else f" {VACUOUS}"), cases)
    proved, walk = settling.settled()
    doubts = () if proved else (_unkept(name, stated.title, walk),)
    owed = f" with {listed(stated.owed)}" if stated.owed else ""
    how = f"Every configuration of {read}{owed}.{'' if proved or walk is not None else limits(effort)}"
    how += f" {VACUOUS}" if proved and stated.always is not None and not settling.came else ""
    return Claim(key, stated.title, settled(doubts), how, effort.configurations, effort.steps, doubts)


def _unkept(name: str, title: str, walk: Walk | None) -> Doubt:
    message = (
        f"this property does not hold: {title}"
        if walk is not None
        else f"it could not be shown that {name} always holds"
    )
    remedy = "mend the protocol, or the property if it says more than was meant"
    scenario = walk and walk.scenario(f"unkept_{name}"[:48], title, basis(f"properties.{name}"), {"holds": [name]})
    return Doubt(Finding(("properties", name), message, remedy, about_key=True), scenario)
