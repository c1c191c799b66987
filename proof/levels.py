"""Raises and lowers the risk by acts that people could do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proof.people import REASON
from proof.walk import Walk
from protocol.spec import RANK

if TYPE_CHECKING:
    from proof.pilot import Pilot


class Levels:
    """The part of a pilot that knows the risk."""

    def __init__(self, pilot: Pilot) -> None:
        self.pilot = pilot

    def to(self, walk: Walk, level: str) -> Walk | None:
        """Raise or lower the risk to a level."""
        if RANK[level] < RANK[walk.episode.risk]:
            return self.lower(walk, level)
        for rule in sorted(self.pilot.program.ranked, key=lambda one: self._rule_cost(one.number)):
            if rule.level == level:
                written = self.pilot.spec.risk.rules[rule.number].when
                reached = self.pilot.achieve(walk, written)
                if reached is not None and reached.episode.risk == level:
                    return reached
        return self.pilot.act(walk, "declare_emergency") if level == self.pilot.spec.emergency.at else None

    def _rule_cost(self, number: int) -> int:
        return len(self.pilot.program.readers.bases(self.pilot.spec.risk.rules[number].when))

    def lower(self, walk: Walk, level: str) -> Walk | None:
        """Re-assess and lower the risk, taking back what stands against it."""
        lowering = self.pilot.spec.risk.lowering
        current: Walk | None = walk
        for rule in self.pilot.spec.risk.rules:
            if current is not None and RANK[rule.level] > RANK[level]:
                current = self.pilot.achieve(current, rule.when, want=False)
        current = self.pilot.complete(current, lowering.step) if current is not None else None
        current = self.pilot.achieve(current, lowering.requires) if current is not None else None
        if current is None:
            return None
        return self.pilot.act(current, "lower_risk", lowering.roles, level=level, reason=REASON)
