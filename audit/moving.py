"""What moving open episodes to a newer version of their protocol would do, from the records alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.database import Database
from audit.lists import folded
from audit.sealing import Keyring
from audit.shelf import Shelf, ShelfError
from audit.trails import Trail, trails
from protocol.episode import Episode
from protocol.facts import Refused
from protocol.foresight import Foresight, foresee
from protocol.spec import ProtocolSpec


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
