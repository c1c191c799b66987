"""Conformance of the episodes of a period, one at a time from the records."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from audit.database import Database
from audit.queries import opened_rows
from audit.sealing import Keyring, SealingError
from audit.shelf import Shelf, ShelfError, protocols_of
from audit.tables import trail
from protocol.conformance import Conformance, judge
from protocol.replay import ReplayError
from protocol.trail import TrailRow


@dataclass(frozen=True, slots=True)
class Judged:
    """One episode with its rows, or why it can't be judged."""

    episode_id: str
    rows: tuple[TrailRow, ...] = ()
    conformance: Conformance | None = None
    why_not: str = ""


async def judged(
    database: Database, ring: Keyring, begins: datetime | None = None, ends: datetime | None = None
) -> AsyncIterator[Judged]:
    """The episodes that were opened from `begins` on and before `ends`, in order of their opening.

    The trail says when, not the lists. Chains are not verified here: `audit.verify` does that.
    """
    opened = select(trail.c.episode_id).where(trail.c.sequence == 1).order_by(trail.c.recorded_at, trail.c.episode_id)
    if begins is not None:
        opened = opened.where(trail.c.recorded_at >= begins)
    if ends is not None:
        opened = opened.where(trail.c.recorded_at < ends)
    ids = await database.read(lambda connection: connection.scalars(opened).all())
    shelf = Shelf(database)
    for episode_id in ids:
        yield await judge_one(database, ring, shelf, episode_id)


async def judge_one(database: Database, ring: Keyring, shelf: Shelf, episode_id: str) -> Judged:
    """One episode."""
    query = select(trail).where(trail.c.episode_id == episode_id).order_by(trail.c.sequence)
    try:
        rows = await database.read(lambda connection: opened_rows(connection, ring, query))
        if rows[0].payload is None:
            return Judged(episode_id, why_not="the client's key was destroyed")
        specs = [await shelf.protocol(one) for one in protocols_of(rows)]
        later = {spec.content_hash: spec for spec in specs[1:]}
        return Judged(episode_id, rows, judge(specs[0], rows, later))
    except (SealingError, ShelfError, ReplayError) as error:
        return Judged(episode_id, why_not=str(error))
