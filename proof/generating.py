"""Scenarios that go through everything of a protocol: every way, rule, row, option, obligation, rung and refusal.

They hold what the protocol does today, so that a change shows; whether that is right, only its authors can say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from proof.aiming import Aiming
from proof.pilot import Lost, Pilot
from protocol.program import program
from protocol.spec import ProtocolSpec
from rehearsal.coverage import Coverage, Spot, cover, spots_of
from rehearsal.play import Report
from rehearsal.rehearse import rehearse
from rehearsal.scenario import Scenario

MOST_ACTS = 20_000
"""Of people, tried for one protocol: eight times what the largest that ships takes."""
GIVEN_UP = "not found before the limit of what is tried; it may still be possible"

Told = Callable[[Spot, bool], None]
"""Is told of each spot in turn, and whether a scenario goes through it."""


@dataclass(frozen=True)
class Missed:
    """Something that no scenario goes through, and why."""

    spot: Spot
    why: str


@dataclass(frozen=True)
class Generated:
    """The scenarios, what they go through, and what is left."""

    scenarios: tuple[Scenario, ...]
    coverage: Coverage
    missed: tuple[Missed, ...]


def generate(spec: ProtocolSpec, told: Told | None = None, most_acts: int = MOST_ACTS) -> Generated:
    """Scenarios for all that is found in a protocol; each of them passes on the pure core."""
    compiled = program(spec)
    aiming = Aiming(Pilot(compiled, most_in_all=most_acts))
    reports: list[Report] = []
    covered: set[Spot] = set()
    missed: list[Missed] = []
    for number, spot in enumerate(spots_of(spec)):
        if spot not in covered:
            try:
                report = _report(spec, aiming, spot, f"{_name(spot)}_{number}")
                why = aiming.why_not(spot)
            except Lost:
                report, why = None, GIVEN_UP
            gained = _gained(report) if report is not None else set[Spot]()
            if report is not None and spot in gained:
                reports.append(report)
                covered |= gained
            else:
                missed.append(Missed(spot, why))
        if told is not None:
            told(spot, spot in covered)
    left = tuple(one for one in missed if one.spot not in covered)
    return Generated(tuple(one.scenario for one in reports), cover(compiled, reports), left)


def _report(spec: ProtocolSpec, aiming: Aiming, spot: Spot, name: str) -> Report | None:
    """A scenario through a spot, played; None when none was found, or the player sees it otherwise. Raises Lost."""
    aim = aiming.at(spot)
    if aim is None:
        return None
    report = rehearse(spec, aim.scenario(name, spot.text))
    return report if report.passed else None


def _name(spot: Spot) -> str:
    """What the spot is about, in a word that may be a file's name and has room for a number."""
    return "_".join([spot.group, *map(str, spot.path[1:])]).replace(" ", "_").replace(".", "_")[:40].rstrip("_")


def _gained(report: Report) -> set[Spot]:
    return {spot for spot, names in cover(report.program, [report]).spots.items() if names}
