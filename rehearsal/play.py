"""Plays a scenario: its entries become commands, time passes, expectations are checked, a report is made.

The player decides nothing. A `Driver` carries the commands: the pure engine on a virtual clock, or the real
workflow on a server that skips time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from protocol.chronicle import Happened, refusal_in
from protocol.commands import HumanCommand
from protocol.directory import Directory
from protocol.episode import Episode
from protocol.events import CommandRefused
from protocol.program import Program
from rehearsal.expectations import Failure, Moment, failures
from rehearsal.scenario import Scenario
from rehearsal.script import Cue, command_of, timeline


class Driver(Protocol):
    """What carries a scenario's commands to an episode. Times are aware UTC and never go back."""

    @property
    def tolerance(self) -> timedelta:
        """How far its clock may be behind a due time; zero on a virtual clock."""
        ...

    async def advance_to(self, at: datetime) -> Sequence[Happened]:
        """Let time pass until `at`; everything due until then, `at` included, has happened."""
        ...

    async def submit(self, command: HumanCommand) -> Sequence[Happened]:
        """Hand over a command now and wait for what it and its pages bring about."""
        ...

    async def episode(self) -> Episode | None:
        """The episode as it is now; None before it was opened."""
        ...


@dataclass(frozen=True, slots=True)
class Played:
    """One entry of a scenario and all that happened since the one before."""

    cue: Cue
    command: HumanCommand | None
    before: tuple[Happened, ...]
    """What came due on the way here."""
    happened: tuple[Happened, ...]
    """What the command itself brought about."""
    episode: Episode | None
    failures: tuple[Failure, ...]

    @property
    def refusal(self) -> CommandRefused | None:
        """The refusal of this entry's command."""
        return refusal_in(self.happened)


@dataclass(frozen=True, slots=True)
class Report:
    """How a scenario went."""

    program: Program
    scenario: Scenario
    entries: tuple[Played, ...]

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every expectation that was not met, in order."""
        return tuple(failure for entry in self.entries for failure in entry.failures)

    @property
    def passed(self) -> bool:
        """Every expectation was met."""
        return not self.failures


async def play(program: Program, scenario: Scenario, driver: Driver, directory: Directory | None = None) -> Report:
    """Play a scenario to its end, whatever fails on the way. Raises ScenarioError when it can't be played."""
    cues = timeline(program.spec, scenario)
    return Report(program, scenario, tuple([await _take(program, scenario, cue, driver, directory) for cue in cues]))


async def _take(program: Program, scenario: Scenario, cue: Cue, driver: Driver, directory: Directory | None) -> Played:
    before = tuple(await driver.advance_to(cue.at))
    command = command_of(program.spec, scenario, cue, await driver.episode())
    happened = () if command is None else tuple(await driver.submit(command))
    episode = await driver.episode()
    moment = Moment(program, cue, before, happened, episode, driver.tolerance, directory)
    return Played(cue, command, before, happened, episode, failures(moment))
