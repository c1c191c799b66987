"""Plays scenarios on the pure core: a virtual clock, and pages that are answered at once by the rota."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Any, TypeVar

from protocol.chronicle import Happened, chronicle, unrecorded
from protocol.commands import SYSTEM_ACTOR, SYSTEM_ROLE, HumanCommand, ReportPage
from protocol.directory import Directory
from protocol.effects import Page
from protocol.engine import Engine
from protocol.episode import Episode
from protocol.findings import Finding
from protocol.program import program
from protocol.rota import resolve
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow
from rehearsal.casting import rota_of
from rehearsal.play import Report, play
from rehearsal.scenario import Scenario
from rehearsal.script import ScenarioError, episode_id_of

SALT_KEY = bytes(32)
"""A rehearsal's trail is thrown away, so its salts need not be secret."""

MOST_SWEEPS = 20_000
"""Deadlines that come due while time passes; a protocol that needs more pages for ever."""

T = TypeVar("T")


def rehearse(spec: ProtocolSpec, scenario: Scenario, directory: Directory | None = None) -> Report:
    """Play a scenario on the pure core. Raises ScenarioError when it can't be played."""
    return finished(play(program(spec), scenario, VirtualStage(spec, scenario), directory))


def finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return finished.value
    raise AssertionError("the virtual stage never waits")


class VirtualStage:
    """A driver on the pure engine. Time jumps from deadline to deadline."""

    tolerance = timedelta(0)

    def __init__(self, spec: ProtocolSpec, scenario: Scenario) -> None:
        self._rota = rota_of(spec, scenario)
        self._engine = Engine(spec, episode_id_of(scenario), SALT_KEY)
        self._now: datetime | None = None
        self._swept = 0
        self.trail: list[TrailRow] = []
        """Every row so far."""

    async def advance_to(self, at: datetime) -> Sequence[Happened]:
        """Sweep every deadline at its very moment. Raises ScenarioError for far too many."""
        while (due := self._engine.next_deadline()) is not None and due <= at:
            self._engine.sweep(due)
            self._deliver(due)
            self._swept += 1
            if self._swept > MOST_SWEEPS:
                message = f"more than {MOST_SWEEPS:,} deadlines come due in this scenario"
                raise ScenarioError(
                    Finding(("steps",), message, "let less time pass, or let the ladder page less often")
                )
        self._now = at
        return chronicle(self._take_rows())

    async def submit(self, command: HumanCommand) -> Sequence[Happened]:
        """Submit at the present time and deliver the pages that follow."""
        now = self._now or command.occurred_at
        receipt = self._engine.submit(command, now)
        self._deliver(now)
        return chronicle(self._take_rows()) or unrecorded(command, receipt, now)

    async def episode(self) -> Episode | None:
        """The engine's episode."""
        return self._engine.episode

    def fork(self) -> VirtualStage:
        """Another stage at this very moment, to go on from later. What was recorded so far is not taken along."""
        engine = self._engine
        twin = copy(self)
        twin._engine = Engine(engine.spec, engine.episode_id, SALT_KEY, engine.episode, engine.head, engine.receipts)
        twin.trail = []
        return twin

    def _take_rows(self) -> list[TrailRow]:
        rows = self._engine.take_rows()
        self.trail += rows
        return rows

    def _deliver(self, now: datetime) -> None:
        """Report each page; one that reaches nobody may call for the next rung at once."""
        while effects := self._engine.take_effects():
            for page in effects:
                if isinstance(page, Page):
                    self._engine.submit(self._report(page, now), now)

    def _report(self, page: Page, now: datetime) -> ReportPage:
        people = resolve(self._rota, page.role, now, page.person)
        return ReportPage(
            command_id=f"report-{page.page_id}",
            actor=SYSTEM_ACTOR,
            role=SYSTEM_ROLE,
            occurred_at=now,
            page_id=page.page_id,
            delivered=bool(people),
            recipients=tuple(person.id for person in people),
            detail="" if people else "nobody is on shift",
        )
