"""Plays many random episodes, by their numbers, on one or more processes; the same numbers give the same hash.

`python -m tests.protocol.fleet NUMBER` plays one episode again and tells what happened in it.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from random import Random

from protocol.spec import ProtocolSpec
from tests.protocol.invariants import check_chain, check_trail
from tests.protocol.menu import Menu
from tests.protocol.simulator import Simulation
from tests.protocol.specs import compact
from tests.protocol.versions import newer_versions
from tests.shipped import protocol_in

ROOT = Path(__file__).parents[2]
FILES = {
    "minimal": ROOT / "tests/specs/minimal.yaml",
    "crisis": ROOT / "protocol_specs/virtual_iop_crisis.yaml",
    "withdrawal": ROOT / "protocol_specs/withdrawal_monitoring.yaml",
    "caring": ROOT / "protocol_specs/caring_contacts.yaml",
}
TURNS = ("compact", "minimal", "compact", "minimal", "compact", "minimal", "crisis", "withdrawal", "crisis", "caring")
"""Which protocol each episode plays, by its number."""
MEAN_STEPS, MOST_STEPS = 6, 200
EVERY_CHAIN = 8
"""The hash chain itself is verified in one of so many episodes; replay is checked in each."""


@dataclass
class Voyage:
    """What came of a range of episodes."""

    episodes: int = 0
    steps: int = 0
    seconds: float = 0.0
    """CPU seconds."""
    heads: list[str] = field(default_factory=list[str])
    faults: Counter[str] = field(default_factory=Counter[str])
    kinds: Counter[str] = field(default_factory=Counter[str])
    refusals: Counter[str] = field(default_factory=Counter[str])

    def add(self, sim: Simulation, steps: int) -> None:
        """Count one episode."""
        self.episodes += 1
        self.steps += steps
        self.heads.append(sim.engine.head.hash)
        self.faults.update(sim.faults)
        self.kinds.update(row.kind for row in sim.rows)
        self.refusals.update(one.refusal.code for _, one in sim.answered if one.refusal is not None)
        self.refusals.update(sim.turned_away)

    def join(self, other: Voyage) -> Voyage:
        """Both together, in order."""
        return Voyage(
            self.episodes + other.episodes,
            self.steps + other.steps,
            self.seconds + other.seconds,
            self.heads + other.heads,
            self.faults + other.faults,
            self.kinds + other.kinds,
            self.refusals + other.refusals,
        )

    @property
    def hash(self) -> str:
        """One hash over the heads of all trails."""
        return sha256("".join(self.heads).encode()).hexdigest()


@cache
def aboard(name: str) -> tuple[ProtocolSpec, Menu]:
    """A protocol and its menu."""
    spec = protocol_in(FILES[name]) if name in FILES else compact()
    return spec, Menu(spec)


def play(number: int) -> tuple[Simulation, int]:
    """Play the episode of this number and check it. Raises AssertionError naming the number."""
    spec, menu = aboard(TURNS[number % len(TURNS)])
    steps = min(MOST_STEPS, 2 + int(Random(number).expovariate(1 / MEAN_STEPS)))
    newer = newer_versions() if spec is compact() else ()
    sim = Simulation(spec, menu, number, newer)
    try:
        sim.play(steps)
        check_trail(spec, sim.engine, sim.rows, newer)
        if number % EVERY_CHAIN == 0:
            check_chain(sim.engine, sim.rows)
    except Exception as error:
        raise AssertionError(
            f"episode {number} ({spec.protocol}) broke: play it again with `python -m tests.protocol.fleet {number}`"
        ) from error
    return sim, steps


def sail(numbers: range) -> Voyage:
    """Play a range of episodes."""
    voyage = Voyage()
    for name in set(TURNS):
        aboard(name)
    gc.collect()
    gc.freeze()
    begun = time.process_time()
    for number in numbers:
        sim, steps = play(number)
        voyage.add(sim, steps)
    voyage.seconds = time.process_time() - begun
    gc.unfreeze()
    return voyage


def sail_together(episodes: int, processes: int = 2, first: int = 0) -> Voyage:
    """Play so many episodes on so many processes."""
    share = -(-episodes // processes)
    last = first + episodes
    ranges = [range(start, min(last, start + share)) for start in range(first, last, share)]
    for name in set(TURNS):
        aboard(name)
    with get_context("fork").Pool(processes) as pool:
        voyages = pool.map(sail, ranges, chunksize=1)
    total = Voyage()
    for voyage in voyages:
        total = total.join(voyage)
    return total


def _tell(number: int) -> None:
    sim, _ = play(number)
    for row in sim.rows:
        said = "" if row.payload is None else str(row.payload["event"])
        sys.stdout.write(f"{row.sequence:4} {row.recorded_at:%m-%d %H:%M:%S} {row.actor}/{row.role} {said[:160]}\n")


if __name__ == "__main__":
    _tell(int(sys.argv[1]))
