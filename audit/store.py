"""Writing to the records: each trail row exactly once, in order, with the projections in the same transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, insert, select

from audit.database import Database
from audit.dialects import insert_or_skip, lock_episode
from audit.keys import key_of_client
from audit.projections import project
from audit.releases import note_in, present
from audit.sealing import ClientKey, Keyring, Place
from audit.tables import protocols, trail
from protocol.canonical import rfc3339
from protocol.summary import EpisodeSummary
from protocol.trail import Fault, Head, TrailRow, genesis, verify

_RECORD = insert(trail)
_LAST = (
    select(trail.c.sequence, trail.c.hash)
    .where(trail.c.episode_id == bindparam("episode_id"))
    .order_by(trail.c.sequence.desc())
    .limit(1)
)


class AppendError(Exception):
    """Rows that can never be appended as they are: trying again does not help."""


class GapError(AppendError):
    """Rows are missing between the trail and the batch."""

    def __init__(self, episode_id: str, expected: int, got: int) -> None:
        super().__init__(f"episode {episode_id}: the next row is {expected}, the batch brings {got}")
        self.expected = expected
        self.got = got


class DamagedBatchError(AppendError):
    """The rows do not make a chain among themselves."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class ConflictError(AppendError):
    """The trail holds another row under this number, or the row continues another chain."""

    def __init__(self, episode_id: str, sequence: int) -> None:
        super().__init__(f"episode {episode_id}, row {sequence}: the trail says otherwise than the batch")
        self.sequence = sequence


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The writing side of the records. Use one for a process; it is safe for concurrent tasks.

    While the database is away, methods raise SQLAlchemy's OperationalError or TimeoutError and nothing is
    half-written: the same call again is right.
    """

    def __init__(self, database: Database, ring: Keyring, clock: Callable[[], datetime] = _utc_now) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._release_noted = False

    async def append(self, rows: Sequence[TrailRow], summary: EpisodeSummary) -> Head:
        """Append what is new of a batch of one episode, in one transaction; the head of its trail then.

        Rows that are there already are skipped, so a batch may come twice, late, or overlap another.
        Raises GapError, ConflictError, DamagedBatchError, SealingError; ValueError for a batch that is none.
        """

        def work(connection: Connection) -> Head:
            lock_episode(connection, summary.episode_id)
            head = _head(connection, summary.episode_id)
            fresh = _not_yet_there(connection, rows, head)
            if not fresh:
                return head
            now = self._clock()
            key = key_of_client(connection, self._ring, summary.client_ref, now)
            connection.execute(_RECORD, [_record(row, key, now) for row in fresh])
            project(connection, fresh, summary)
            if not self._release_noted:  # before any row of this process can be seen
                note_in(connection, present(), now)
            return fresh[-1].head

        _check_batch(rows, summary)
        head = await self._database.write(work)
        self._release_noted = True
        return head

    async def head(self, episode_id: str) -> Head:
        """The last row of an episode's trail; sequence 0 when there is none."""
        return await self._database.read(lambda connection: _head(connection, episode_id))

    async def knows_protocol(self, content_hash: str) -> bool:
        """True when the protocol's document is kept."""
        known = select(protocols.c.hash).where(protocols.c.hash == content_hash)
        return await self._database.read(lambda connection: connection.execute(known).first() is not None)

    async def save_protocol(self, content_hash: str, name: str, version: str, document: str) -> None:
        """Keep a protocol's canonical document for as long as the trail. Known ones are left as they are.

        Raises ValueError when the document does not have this hash.
        """
        if hashlib.sha256(document.encode()).hexdigest() != content_hash:
            raise ValueError(f"protocol {name} {version}: the document does not have the hash {content_hash}")
        values = {"hash": content_hash, "name": name, "version": version, "document": document}

        def work(connection: Connection) -> None:
            known = select(protocols.c.hash).where(protocols.c.hash == content_hash)
            if connection.execute(known).first() is None:
                kept = {**values, "first_seen_at": self._clock()}
                connection.execute(insert_or_skip(connection.dialect.name, protocols), kept)

        await self._database.write(work)


def _check_batch(rows: Sequence[TrailRow], summary: EpisodeSummary) -> None:
    """What was damaged on the way here must not become permanent."""
    if not rows:
        raise ValueError(f"episode {summary.episode_id}: a batch without rows")
    before = Head(rows[0].sequence - 1, rows[0].previous_hash)
    fault = verify(rows, summary.episode_id, start=before)
    if fault is not None:
        raise DamagedBatchError(fault)
    if any(row.payload is None for row in rows):
        raise ValueError(f"episode {summary.episode_id}: a row without payload cannot be recorded")


def _head(connection: Connection, episode_id: str) -> Head:
    row = (connection.execute(_LAST, {"episode_id": episode_id})).one_or_none()
    return genesis(episode_id) if row is None else Head(row.sequence, row.hash)


def _not_yet_there(connection: Connection, rows: Sequence[TrailRow], head: Head) -> Sequence[TrailRow]:
    first = rows[0]
    if first.sequence > head.sequence + 1:
        raise GapError(first.episode_id, head.sequence + 1, first.sequence)
    if first.sequence <= head.sequence:
        _refuse_others(connection, rows, head)
    fresh = rows[head.sequence + 1 - first.sequence :]
    if fresh and fresh[0].previous_hash != head.hash:
        raise ConflictError(first.episode_id, fresh[0].sequence)
    return fresh


def _refuse_others(connection: Connection, rows: Sequence[TrailRow], head: Head) -> None:
    """The hash covers every column of a row, so equal hashes mean equal rows."""
    there = connection.execute(
        select(trail.c.sequence, trail.c.hash).where(
            trail.c.episode_id == rows[0].episode_id,
            trail.c.sequence.between(rows[0].sequence, min(rows[-1].sequence, head.sequence)),
        )
    )
    hashes = {row.sequence: row.hash for row in there}
    for row in rows:
        if row.sequence <= head.sequence and hashes.get(row.sequence) != row.hash:
            raise ConflictError(row.episode_id, row.sequence)


def _record(row: TrailRow, key: ClientKey, now: datetime) -> dict[str, object]:
    assert row.payload is not None  # _check_batch
    assert row.salt is not None
    place = Place(row.episode_id, row.sequence, row.hash, key.key_id, rfc3339(now))
    return {
        "episode_id": row.episode_id,
        "sequence": row.sequence,
        "occurred_at": row.occurred_at,
        "recorded_at": row.recorded_at,
        "actor": row.actor,
        "role": row.role,
        "command_id": row.command_id,
        "kind": row.kind,
        "sealed": key.seal(row.payload, row.salt, place),
        "key_id": key.key_id,
        "commitment": row.commitment,
        "previous_hash": row.previous_hash,
        "hash": row.hash,
        "written_at": now,
    }
