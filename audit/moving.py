"""What moving open episodes to a newer version of their protocol would do, from the records alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.database import Database
from audit.lists import folded
from audit.sealing import Keyring
from audit.shelf import Shelf, ShelfError
from audit.trails import Trail, trails
from protocol.commands import Migrate
from protocol.episode import Episode
from protocol.facts import Refused
from protocol.foresight import Foresight, foresee
from protocol.publishing import SignOff
from protocol.spec import ProtocolSpec
from protocol.words import Words


@dataclass(frozen=True)
class Foreseen:
    """What would become of one open episode."""

    episode_id: str
    version: str
    old: ProtocolSpec | None
    found: Foresight | Refused

    @property
    def needs_sign_off(self) -> bool:
        """Whether a clinician must answer for moving it."""
        return isinstance(self.found, Foresight) and self.found.plan.needs_sign_off


async def foresee_all(
    database: Database, ring: Keyring, new: ProtocolSpec, ids: Sequence[str], now: datetime
) -> AsyncIterator[Foreseen]:
    """What moving each of these episodes would do; those that are closed or run under it already are left out."""
    shelf = Shelf(database)
    async for trail in trails(database, ring, ids):
        episode = _folded(trail)
        if episode is None:
            refused = Refused("unreadable", "Its trail can't be read.", "`holdfast audit verify` says why.")
            yield Foreseen(trail.episode_id, "?", None, refused)
        elif episode.protocol_hash != new.content_hash and episode.closed_at is None:
            yield await _foresee_one(shelf, new, episode, now)


def _folded(trail: Trail) -> Episode | None:
    try:
        return folded(trail.rows) if trail.readable else None
    except (ValueError, KeyError):
        return None


async def _foresee_one(shelf: Shelf, new: ProtocolSpec, episode: Episode, now: datetime) -> Foreseen:
    try:
        old = await shelf.protocol(episode.protocol_hash)
    except ShelfError as error:
        refused = Refused("unreadable", str(error), "Try again in a moment: the records may be behind.")
        return Foreseen(episode.episode_id, episode.protocol_version, None, refused)
    return Foreseen(episode.episode_id, old.version, old, foresee(old, new, episode, now))


@dataclass(frozen=True)
class Order:
    """Who moves the episodes, and who signs for deadlines that come later or are dropped."""

    by: str
    role: str | None
    sign_off: SignOff | None


def command_for(new: ProtocolSpec, one: Foreseen, order: Order, command_id: str, now: datetime) -> Migrate:
    """What moves one episode; signed only where that is needed."""
    signed = order.sign_off if one.needs_sign_off else None
    assert one.old is not None
    return Migrate(
        command_id=command_id,
        actor=order.by,
        role=order.role or "",
        occurred_at=now,
        protocol_hash=new.content_hash,
        sign_off_by=signed.by if signed else None,
        sign_off_role=signed.role if signed else None,
        sign_off_reason=signed.reason if signed else "",
    )


def why_not(refused: Refused) -> str:
    """Why an episode can't be moved."""
    return f"can't be moved: {refused.message} {refused.remedy}"


def deadlines(one: Foreseen, new: ProtocolSpec) -> list[dict[str, Any]]:
    """What becomes of each deadline of an episode, and which begin with the move."""
    if isinstance(one.found, Refused):
        return []
    words, about = Words(new), {"episode_id": one.episode_id, "from": one.version}
    old_words = Words(one.old) if one.old else words
    moved = [
        {
            **about,
            "obligation_id": move.obligation_id,
            "title": (old_words if move.new_due_at is None else words).obligation(move.obligation),
            "policy": move.policy,
            "effect": move.effect,
            "due_at": move.due_at,
            "new_due_at": move.new_due_at,
            "needs_sign_off": move.needs_sign_off,
            "weaker": list(move.weaker),
        }
        for move in one.found.plan.moved
    ]
    begun = [
        {
            **about,
            "obligation_id": event.obligation_id,
            "title": words.obligation(event.obligation),
            "policy": "",
            "effect": "new",
            "due_at": None,
            "new_due_at": event.due_at,
            "needs_sign_off": False,
            "weaker": list[str](),
        }
        for event in one.found.opened
    ]
    return [*moved, *begun]


def notes(one: Foreseen, new: ProtocolSpec) -> list[str]:
    """What is forgotten with the move, what is owed less strictly, and what is overdue at once."""
    if isinstance(one.found, Refused):
        return []
    words, plan = Words(new), one.found.plan
    gone = [f"{section} {', '.join(names)}" for section, names in plan.forgotten.items()]
    told = [f"the new version has no place for {'; '.join(gone)}"] if gone else []
    weaker = [f"{words.obligation(move.obligation)}: {less}" for move in plan.moved for less in move.weaker]
    return told + weaker + ([f"overdue at once: {', '.join(one.found.missed)}"] if one.found.missed else [])
