"""How a claim about every episode is settled: slices from the smallest on, until one proves it or a story is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from proof.explore import Explored, Explorer, Going, Watch, in_silence
from proof.pilot import Pilot
from proof.refining import refined
from proof.retelling import Broken, retell
from proof.slices import Interest, Slice, cut
from proof.walk import Walk
from protocol.program import Program, program

Watching = Callable[[Slice, Program], Watch]
"""Makes the watch for a slice and its program."""
MOST_WIDENINGS = 6
STEPS, STEPS_FOR_A_DUTY = 50_000, 2_000
"""Macro steps for one protocol and for each of its obligations; what is left then is not proved."""


def always_watch(watch: Watch) -> Watching:
    """The same watch for every slice."""

    def watching(_slice: Slice, _program: Program) -> Watch:
        return watch

    return watching


@dataclass
class Effort:
    """What was explored so far, over several slices."""

    configurations: int = 0
    steps: int = 0
    waiting: int = 0
    """Configurations that were seen and not gone on from, where a limit stopped the exploration."""
    crowded: tuple[str, ...] = ()
    """Facts of which there were too many to be looked at together."""

    def add(self, explored: Explored) -> None:
        """Count one exploration."""
        self.configurations += explored.configurations
        self.steps += explored.steps
        self.waiting += 0 if explored.complete else max(explored.waiting, 1)
        self.crowded = explored.crowded or self.crowded


@dataclass
class Ground:
    """What every claim starts from."""

    program: Program
    going: Going = in_silence
    """Is told of the configurations of all explorations together."""
    pilot: Pilot = field(init=False)
    steps_left: int = field(init=False)
    visited: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.pilot = Pilot(self.program)
        self.steps_left = STEPS + STEPS_FOR_A_DUTY * len(self.program.spec.obligations)

    def explore(self, effort: Effort, slice_: Slice, watch: Watch, with_times: bool) -> Explored:
        """Explore a slice with the steps that are left."""
        before = self.visited
        explored = Explorer(slice_, watch, with_times, self.steps_left, lambda here: self.going(before + here)).run()
        effort.add(explored)
        self.steps_left -= explored.steps
        self.visited = before + explored.configurations
        return explored


@dataclass(frozen=True)
class Answer:
    """Whether a claim holds: a walk that shows it does not, or whether it is proved."""

    proved: bool
    walk: Walk | None = None


def settle(
    ground: Ground, effort: Effort, interest: Interest, watching: Watching, broken: Broken, with_times: bool = False
) -> Answer:
    """Explore ever larger slices until one is free of the fault, or the protocol itself shows it."""
    for _ in range(MOST_WIDENINGS):
        slice_ = cut(ground.program, interest)
        explored = ground.explore(effort, slice_, watching(slice_, program(slice_.spec)), with_times)
        if explored.story is None:
            return Answer(explored.complete)
        walk = retell(ground.pilot, slice_, explored.story, broken)
        if walk is not None:
            return Answer(False, walk)
        sharper = refined(ground.program, interest, explored.story)
        if sharper == interest:
            break
        interest = sharper
    return Answer(False)


def free_of(ground: Ground, effort: Effort, interest: Interest, watching: Watching, with_times: bool = False) -> bool:
    """Whether the slice for this interest, explored in full, is free of the fault: no story is looked for."""
    slice_ = cut(ground.program, interest)
    explored = ground.explore(effort, slice_, watching(slice_, program(slice_.spec)), with_times)
    return explored.complete and explored.story is None


def limits(effort: Effort) -> str:
    """Where a limit stopped it, the honest words for that."""
    if not effort.waiting:
        return ""
    told = f" Explored {effort.configurations} of at least {effort.configurations + effort.waiting}; not proved."
    if not effort.crowded:
        return told
    read = f"{len(effort.crowded)} facts together ({', '.join(effort.crowded)})"
    return f"{told} It reads {read}, in too many combinations: ask about fewer."


def listed(names: Sequence[str]) -> str:
    """`a, b or c`; `nothing` where there is none."""
    if not names:
        return "nothing"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def basis(key: str) -> str:
    """What a counterexample says of itself."""
    return f"A counterexample found by the proof ({key}): it fails until the protocol is mended."
