"""Leads an episode to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proof.people import MOST_TRIES, REASON
from proof.walk import Walk

if TYPE_CHECKING:
    from proof.pilot import Pilot


def close(pilot: Pilot, walk: Walk, outcome: str) -> Walk | None:
    """Fulfil all that is owed and required, then close: from here, else from the last stage."""
    if (closed := _close(pilot, walk, outcome)) is not None:
        return closed
    ready = _required(pilot, walk, outcome)
    last = [name for name, stage in pilot.spec.stages.items() if stage.kind == "open" and not stage.next]
    return pilot.first(_close(pilot, there, outcome) for name in last if (there := pilot.go_to(ready, name)))


def _close(pilot: Pilot, walk: Walk, outcome: str) -> Walk | None:
    for _ in range(MOST_TRIES * 4):
        closed = pilot.act(walk, "close_episode", pilot.spec.closing.roles, outcome=outcome, reason=REASON)
        if closed is not None:
            return closed
        prepared = _required(pilot, walk, outcome)
        settled = pilot.owing.settle_one(prepared)
        if settled is None and prepared is walk:
            return None
        walk = settled or prepared
    return None


def _required(pilot: Pilot, walk: Walk, outcome: str) -> Walk:
    closing = pilot.spec.closing
    mine = closing.outcomes[outcome].requires
    elsewhere = {name for one in closing.outcomes.values() for name in one.requires} - set(mine)
    for name, requirement in closing.requires.items():
        if name not in elsewhere:
            walk = pilot.achieve(walk, requirement.when) or walk
    return pilot.people.sign(walk) or walk
