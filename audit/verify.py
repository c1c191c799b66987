"""Checking the trail: chains, seals and, on request, contents. Names the first bad row of each episode.

What this cannot see from inside the database: a chain cut off, or rewritten to its end by somebody who has the
keys too. For that, give the head that the workflow, or a checkpoint kept elsewhere, remembers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Text, func, select, tuple_, type_coerce

from audit.broken_text import as_stored, is_text, reading_anything, shown
from audit.database import Database
from audit.keys import WrappedKey, wrapped_keys
from audit.sealing import ClientKey, Keyring, Place, SealingError, UnknownKeyError
from audit.tables import Moment, episodes, trail
from protocol.trail import Fault, Head, Wrong, check_end, check_link, commit, genesis

CHUNK = 2_000
"""Rows read in one transaction: on SQLite, writers wait no longer than that takes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in the trail of one episode."""

    episode_id: str
    rows: int
    """How many rows are good, up to the first bad one."""
    unreadable: int
    """How many of them have a destroyed key: only their place in the chain could be checked."""
    head: Head
    """The last good row."""
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A data key as far as it could be had: neither key nor problem when it was destroyed."""

    client_ref: str
    key: ClientKey | None = None
    problem: str | None = None


class StoredRow(NamedTuple):
    """A row as the database gives it: its link, times in RFC 3339, then what is sealed."""

    previous_hash: str
    episode_id: str
    sequence: int
    occurred_at: str
    recorded_at: str
    actor: str
    role: str
    command_id: str
    kind: str
    commitment: str
    hash: str
    sealed: bytes
    key_id: str
    written_at: str


Marks = Mapping[str, Mapping[int, str]]
_Chunk = tuple[Sequence[StoredRow], dict[str, FoundKey]]
_NOTHING = Head(0, "")
_NO_KEY = FoundKey("", problem="its key is not in the records")


class Piece(NamedTuple):
    """Whole episodes that stand one after another in the order of the database: one process's share."""

    after: str | None
    """The last episode before them; None when they are the first."""
    last: str | None
    """The last of them; None when nothing follows."""


_EVERYTHING = Piece(None, None)


class Known(NamedTuple):
    """What is known of chains from elsewhere than the trail."""

    marks: Marks = MappingProxyType({})
    """What signed checkpoints say of each episode, sequence → hash; every chain must fit them."""
    remembered: Mapping[str, Head] = MappingProxyType({})
    """A row that each workflow knows the records to have; the chain may have grown since."""

    def of(self, ids: Iterable[str]) -> Known:
        """Of these episodes alone."""
        there = [*ids]
        return Known(
            {one: self.marks[one] for one in there if one in self.marks},
            {one: self.remembered[one] for one in there if one in self.remembered},
        )


class Verifier:
    """Reads trails and judges them.

    Without `contents`, payloads are unsealed but not compared with their commitments: three times faster, and
    still finds every change made without the keys. Methods raise UnknownKeyError when this process lacks a
    key-encryption key.
    """

    def __init__(
        self,
        database: Database,
        ring: Keyring,
        contents: bool = True,
        marks: Marks | None = None,
        remembered: Mapping[str, Head] | None = None,
    ) -> None:
        """`marks` and `remembered` are those of `Known`."""
        self._database = database
        self._ring = ring
        self._contents = contents
        self._marks = marks or {}
        self._remembered = remembered or {}

    async def episode(self, episode_id: str, expected_head: Head | None = None) -> Verdict:
        """The verdict on one episode."""
        check = self._check(episode_id)
        async for rows, keys in self._chunks(_EVERYTHING, episode_id):
            for row in rows:
                check.take(row, keys.get(row.key_id, _NO_KEY))
        return check.verdict(expected_head)

    async def all(self, sizes: Container[str] | None = None) -> AsyncIterator[Verdict]:
        """The verdict on each episode: first those that lost their whole trail, then by episode id.

        `sizes` where they are known already.
        """
        for one in await self.lost(await self.sizes() if sizes is None else sizes):
            yield one
        async for one in self.between(_EVERYTHING):
            yield one

    async def between(self, piece: Piece) -> AsyncIterator[Verdict]:
        """The verdict on each episode of a piece, by episode id."""
        check: ChainCheck | None = None
        async for rows, keys in self._chunks(piece):
            for row in rows:
                if check is None or row.episode_id != check.episode_id:
                    if check is not None:
                        yield check.verdict()
                    check = self._check(row.episode_id)
                check.take(row, keys.get(row.key_id, _NO_KEY))
        if check is not None:
            yield check.verdict()

    async def sizes(self) -> dict[str, int]:
        """How many rows each episode has, by episode id in the order of the database."""
        query = select(trail.c.episode_id, func.count()).group_by(trail.c.episode_id).order_by(trail.c.episode_id)
        rows = await self._database.read(
            lambda connection: reading_anything(connection, lambda: connection.execute(query).all())
        )
        return {row[0]: row[1] for row in rows}

    async def lost(self, known: Container[str]) -> list[Verdict]:
        """The verdicts on episodes that are known to have been, and have no row any more."""
        query = select(episodes.c.episode_id).order_by(episodes.c.episode_id)
        listed = await self._database.read(
            lambda connection: reading_anything(connection, lambda: connection.scalars(query).all())
        )
        gone = sorted(one for one in {*listed, *self._marks, *self._remembered} if one not in known)
        return [Verdict(shown(one), 0, 0, _beginning(one), _lost(one)) for one in gone]

    def _check(self, episode_id: str) -> ChainCheck:
        return ChainCheck(
            episode_id, self._contents, self._marks.get(episode_id, {}), self._remembered.get(episode_id, _NOTHING)
        )

    async def _chunks(self, piece: Piece, only: str | None = None) -> AsyncIterator[_Chunk]:
        last = None
        while True:
            rows, keys = await self._database.read(partial(self._read, piece=piece, last=last, only=only))
            if rows:
                yield rows, keys
            if len(rows) < CHUNK:
                return
            last = (rows[-1].episode_id, rows[-1].sequence)

    def _read(self, connection: Connection, piece: Piece, last: tuple[str, int] | None, only: str | None) -> _Chunk:
        query = _next_rows(connection, piece, last, only)
        rows = reading_anything(connection, lambda: [*map(StoredRow._make, connection.execute(query))])
        ids = {row.key_id for row in rows if is_text(row.key_id)}
        wrapped = reading_anything(connection, lambda: wrapped_keys(connection, ids))
        return rows, {name: self._key(one) for name, one in wrapped.items()}

    def _key(self, wrapped: WrappedKey) -> FoundKey:
        if not is_text(wrapped.client_ref + (wrapped.kek_id or "")):
            return FoundKey(wrapped.client_ref, problem=f"the entry of its key {wrapped.key_id} is no text")
        try:
            return FoundKey(wrapped.client_ref, None if wrapped.destroyed else wrapped.unwrap(self._ring))
        except UnknownKeyError:
            raise
        except SealingError as error:
            return FoundKey(wrapped.client_ref, problem=str(error))


def pieces(sizes: Mapping[str, int], rows: int) -> list[tuple[Piece, list[str]]]:
    """Pieces of about so many rows, each with its episodes; one at least, and together they leave nothing out."""
    found = list[tuple[Piece, list[str]]]()
    after, ids, count = None, list[str](), 0
    for one, size in sizes.items():
        if count >= rows:
            found.append((Piece(after, ids[-1]), ids))
            after, ids, count = ids[-1], [], 0
        ids.append(one)
        count += size
    return [*found, (Piece(after, None), ids)]


class ChainCheck:
    """The chain of one episode as it is read, row by row."""

    def __init__(self, episode_id: str, contents: bool, marks: Mapping[int, str], remembered: Head) -> None:
        self.episode_id = episode_id
        self._contents = contents
        self._marks = marks
        self._remembered = remembered
        self._last: Head | StoredRow = _beginning(episode_id)
        self._told = {*marks, remembered.sequence}
        self._unreadable = 0
        self._client_ref: str | None = None
        self._key: FoundKey | None = None
        self._fault: Fault | None = None
        if not is_text(episode_id):
            self._fault = Fault(shown(episode_id), 1, Wrong.EDITED, "the episode's id is no text")

    def take(self, row: StoredRow, key: FoundKey) -> None:
        """Judge the next row, unless one before it was bad."""
        if self._fault is not None:
            return
        fault = check_link(self._last, self.episode_id, row)
        if fault is None and key is not self._key:  # the same as of the row before is as good as there
            fault = self._key_fault(row, key)
        if fault is None and key.key is not None:
            fault = self._content_fault(row, key.key)
        if fault is None and row.sequence in self._told:
            fault = self._mark_fault(row)
        if fault is None:
            self._last, self._key, self._client_ref = row, key, key.client_ref
            self._unreadable += key.key is None
        self._fault = fault

    def verdict(self, expected_head: Head | None = None) -> Verdict:
        """What was found."""
        fault, head = self._fault, Head(self._last.sequence, self._last.hash)
        reach = max(self._marks, default=0)
        if fault is None and reach > head.sequence:
            fault = check_end(head, self.episode_id, Head(reach, self._marks[reach]))
        if fault is None and self._remembered.sequence > head.sequence:
            fault = check_end(head, self.episode_id, self._remembered)
        if fault is None and expected_head is not None:
            fault = check_end(head, self.episode_id, expected_head)
        return Verdict(shown(self.episode_id), head.sequence, self._unreadable, head, fault)

    def _mark_fault(self, link: StoredRow) -> Fault | None:
        if link.sequence == self._remembered.sequence and link.hash != self._remembered.hash:
            detail = "the workflow remembers another row here: this one or some before it were rewritten"
            return Fault(self.episode_id, link.sequence, Wrong.REWRITTEN, detail)
        if self._marks.get(link.sequence, link.hash) == link.hash:
            return None
        good = max((sequence for sequence in self._marks if sequence < link.sequence), default=0)
        detail = f"a signed checkpoint says otherwise: row {good + 1} or one from there up to this was rewritten"
        return Fault(self.episode_id, link.sequence, Wrong.REWRITTEN, detail)

    def _key_fault(self, row: StoredRow, key: FoundKey) -> Fault | None:
        problem = key.problem
        if problem is None and self._client_ref not in (None, key.client_ref):
            problem = "its key is of another client than the rows before"
        if problem is None and key.key is None and self._unreadable < self._last.sequence:
            problem = "its key was destroyed, but not that of the rows before"
        return None if problem is None else Fault(self.episode_id, row.sequence, Wrong.SEAL, problem)

    def _content_fault(self, row: StoredRow, key: ClientKey) -> Fault | None:
        place = Place(row.episode_id, row.sequence, row.hash, row.key_id, row.written_at)
        try:
            if not is_text(row.written_at):
                raise SealingError("the time of writing is no text")
            if not self._contents:
                key.unseal(row.sealed, place)
                return None
            payload, salt = key.open(row.sealed, place)
        except SealingError:
            detail = "the sealed payload, its key id or the time of writing was changed"
            return Fault(self.episode_id, row.sequence, Wrong.SEAL, detail)
        if commit(payload, salt) == row.commitment:
            return None
        detail = "the payload is not what the row committed to"
        return Fault(self.episode_id, row.sequence, Wrong.CONTENT, detail)


def _next_rows(
    connection: Connection, piece: Piece, last: tuple[str, int] | None, only: str | None
) -> Select[tuple[Any, ...]]:
    """Rows in order of episode and sequence, times as the hash has them."""
    columns = [as_hashed(trail.c[name], name, connection.dialect.name) for name in StoredRow._fields]
    query = select(*columns).order_by(trail.c.episode_id, trail.c.sequence).limit(CHUNK)
    if only is not None:
        query = query.where(trail.c.episode_id == only)
        return query if last is None else query.where(trail.c.sequence > last[1])
    if piece.last is not None:
        query = query.where(trail.c.episode_id <= as_stored(piece.last))
    if last is not None:
        return query.where(tuple_(trail.c.episode_id, trail.c.sequence) > tuple_(as_stored(last[0]), last[1]))
    return query if piece.after is None else query.where(trail.c.episode_id > as_stored(piece.after))


def _lost(episode_id: str) -> Fault:
    return Fault(shown(episode_id), 1, Wrong.TRUNCATED, "the episode is known but has no trail")


def _beginning(episode_id: str) -> Head:
    """Where the chain begins; of an episode whose id is no text, nowhere."""
    return genesis(episode_id) if is_text(episode_id) else Head(0, "")


def as_hashed(column: ColumnElement[Any], name: str, dialect: str) -> ColumnElement[Any]:
    """A column as the hash has it: times in RFC 3339, whatever somebody forced into them."""
    if not isinstance(column.type, Moment):
        return column
    if dialect == "sqlite":
        return type_coerce(column, Text()).label(name)
    return func.to_char(column, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"').label(name)
