"""The trails of many episodes, some at a time: for dry runs and comparisons over all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, select

from audit.database import Database
from audit.queries import opened_rows
from audit.sealing import Keyring, SealingError
from audit.tables import episodes, trail
from protocol.trail import TrailRow

AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Trail:
    """The rows of one episode; none where they can't be read."""

    episode_id: str
    rows: tuple[TrailRow, ...]

    @property
    def readable(self) -> bool:
        """Whether every row is there with its payload."""
        return bool(self.rows) and all(row.payload is not None for row in self.rows)


async def episode_ids(database: Database, protocol: str, *, open_only: bool) -> tuple[str, ...]:
    """The episodes under any version of a protocol, by id."""
    query = select(episodes.c.episode_id).where(episodes.c.protocol == protocol)
    if open_only:
        query = query.where(episodes.c.closed_at.is_(None))
    query = query.order_by(episodes.c.episode_id)
    return tuple(await database.read(lambda connection: connection.scalars(query).all()))


async def trails(database: Database, ring: Keyring, ids: Sequence[str]) -> AsyncIterator[Trail]:
    """Each trail, in the order of `ids`. The chains are not verified; `audit.verify` does that."""
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        found = await database.read(lambda connection, some=some: _read(connection, ring, some))
        for episode_id in some:
            yield Trail(episode_id, found.get(episode_id, ()))


def _read(connection: Connection, ring: Keyring, ids: Sequence[str]) -> dict[str, tuple[TrailRow, ...]]:
    query = select(trail).where(trail.c.episode_id.in_(ids)).order_by(trail.c.episode_id, trail.c.sequence)
    try:
        rows = opened_rows(connection, ring, query)
    except SealingError:  # one is damaged: read each alone
        return {} if len(ids) == 1 else {k: v for one in ids for k, v in _read(connection, ring, [one]).items()}
    return {episode_id: tuple(group) for episode_id, group in groupby(rows, key=lambda row: row.episode_id)}
