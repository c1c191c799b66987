"""What moving an episode would do, told before anybody does it: the plan, and what else follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from protocol import commands as c
from protocol import events as e
from protocol.decide import decide
from protocol.episode import Episode
from protocol.facts import Refused
from protocol.migrating import Plan, plan
from protocol.spec import ProtocolSpec

ANYBODY = "dry-run"


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a migration would do to one episode."""

    plan: Plan
    opened: tuple[e.ObligationOpened, ...]
    """Obligations that begin with it: those that only the new version knows, and what a raised level opens."""
    risk: str
    """The level afterwards; never lower."""
    missed: tuple[str, ...]
    """Obligations that would be overdue at once."""


def foresee(old: ProtocolSpec, new: ProtocolSpec, episode: Episode, now: datetime) -> Foresight | Refused:
    """Decide the migration as if somebody had signed for it; nothing is changed."""
    planned = plan(old, new, episode, now)
    if isinstance(planned, Refused):
        return planned
    licensed = [next((name for name, role in spec.roles.items() if role.licensed), "") for spec in (old, new)]
    command = c.Migrate(
        command_id=ANYBODY,
        actor=ANYBODY,
        role=licensed[0],
        occurred_at=now,
        protocol_hash=new.content_hash,
        sign_off_by=ANYBODY,
        sign_off_role=licensed[1],
        sign_off_reason=ANYBODY,
    )
    step = decide(old, episode, command, now, new)
    if step.refusal is not None:
        refused = step.refusal
        return Refused(refused.code, refused.message, refused.remedy, refused.missing)
    assert step.episode is not None
    rearmed = {event.by for event in step.events if isinstance(event, e.ObligationSuperseded)}
    opened = tuple(
        event for event in step.events if isinstance(event, e.ObligationOpened) and event.obligation_id not in rearmed
    )
    missed = tuple(event.obligation_id for event in step.events if isinstance(event, e.DeadlineMissed))
    return Foresight(planned, opened, step.episode.risk, missed)
