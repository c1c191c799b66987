"""Signed checkpoints of the trail: making them, and reading back what they vouch for.

A checkpoint names how far each chain has grown since the one before. Printed and kept outside, one is enough to
find a trail that was rewritten by somebody with every other key, cut off, or restored from an old backup.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, Row, func, select

from audit.database import Database
from audit.dialects import insert_or_skip
from audit.tables import checkpoints, episodes, trail
from protocol.canonical import canonical
from protocol.checkpoint import NOTHING_BEFORE, Mark, Statement, proof_of, root_of

MOST_MARKS = 1_000
"""Marks of one checkpoint; more make several."""
_CHUNK = 500


class CheckpointError(Exception):
    """A checkpoint is not what was signed; the message names it."""


class SigningKeys:
    """The Ed25519 keys by name, made from 32 secret bytes each. The first signs, all of them verify."""

    def __init__(self, keys: Iterable[tuple[str, bytes]]) -> None:
        self._keys = {name: Ed25519PrivateKey.from_private_bytes(secret) for name, secret in keys}
        if not self._keys:
            raise ValueError("signing needs at least one key")
        self.active = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"SigningKeys({', '.join(self._keys)})"

    def sign(self, statement: Statement) -> str:
        """The signature, with the key that the statement names."""
        return self._keys[statement.key_id].sign(statement.signed()).hex()

    def sign_bytes(self, message: bytes) -> str:
        """The signature of the active key over a message."""
        return self._keys[self.active].sign(message).hex()

    def public(self) -> dict[str, str]:
        """The public halves by name, 32 bytes in hex: to be pinned by whoever verifies."""
        return {name: key.public_key().public_bytes_raw().hex() for name, key in self._keys.items()}

    def check(self, statement: Statement, signature: str) -> None:
        """Raises CheckpointError when the signature is not ours."""
        self._check(statement.key_id, statement.signed(), signature, f"checkpoint {statement.number}")

    def check_text(self, text: str, key_id: str, signature: str, name: str) -> None:
        """Raises CheckpointError, which names what was signed, when the signature is not ours."""
        self._check(key_id, text.encode(), signature, name)

    def _check(self, key_id: str, signed: bytes, signature: str, name: str) -> None:
        key = self._keys.get(key_id)
        if key is None:
            raise CheckpointError(
                f"{name} is signed with {key_id!r}, which this process does not have; add it to HOLDFAST_SIGNING_KEYS"
            )
        try:
            key.public_key().verify(bytes.fromhex(signature), signed)
        except (InvalidSignature, ValueError):
            raise CheckpointError(f"{name}: the signature does not fit") from None


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that can be kept outside."""

    statement: Statement
    signature: str


@dataclass
class Vouched:
    """What a run of checkpoints vouches for."""

    last: Signed | None = None
    marks: dict[str, dict[int, str]] = field(default_factory=dict[str, dict[int, str]])
    """Episode → sequence → hash."""
    statements: dict[int, str] = field(default_factory=dict[int, str])
    """Number → hash."""

    @property
    def rows(self) -> int:
        """How many rows of the trail are covered."""
        return self.last.statement.rows if self.last else 0

    def reach(self, episode_id: str) -> int:
        """The last covered row of an episode; 0 when none is."""
        return max(self.marks.get(episode_id, {}), default=0)

    def take(self, signed: Signed, marks: Sequence[Mark]) -> None:
        """Go on by one checkpoint that was found good."""
        self.last = signed
        self.statements[signed.statement.number] = signed.statement.hash
        for mark in marks:
            self.marks.setdefault(mark.episode_id, {})[mark.sequence] = mark.hash


class Checkpointer:
    """Makes checkpoints. Two at once do no harm: the number is taken once."""

    def __init__(self, database: Database, keys: SigningKeys, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._known = Vouched()

    async def waiting(self) -> int:
        """About how many rows no checkpoint covers yet, from the list of episodes: cheap enough for every second."""
        total = select(func.coalesce(func.sum(episodes.c.revision), 0))
        return await self._database.read(lambda connection: connection.scalar(total) or 0) - self._known.rows

    async def make(self) -> int:
        """Cover every row that is in the trail now; how many checkpoints that took, 0 when there was nothing new.

        Raises CheckpointError rather than sign on top of a checkpoint that is not ours.
        """

        def work(connection: Connection) -> int:
            _refuse_older(connection, self._known.last)
            _read_on(connection, self._keys, self._known)
            grown = _grown(connection, self._known)
            for start in range(0, len(grown), MOST_MARKS):
                self._sign(connection, grown[start : start + MOST_MARKS])
            return -(-len(grown) // MOST_MARKS)

        try:
            return await self._database.write(work)
        except BaseException:
            self._known = Vouched()  # what was signed in a transaction that failed is not there
            raise

    def _sign(self, connection: Connection, marks: Sequence[Mark]) -> None:
        """What was signed is taken over when it is read back: it may have been somebody else's."""
        before = self._known.last.statement if self._known.last else None
        statement = Statement(
            number=before.number + 1 if before else 1,
            at=self._clock(),
            previous=before.hash if before else NOTHING_BEFORE,
            rows=self._known.rows + sum(one.sequence - self._known.reach(one.episode_id) for one in marks),
            size=len(marks),
            root=root_of(marks),
            key_id=self._keys.active,
        )
        values = {
            "number": statement.number,
            "at": statement.at,
            "previous": statement.previous,
            "rows": statement.rows,
            "marks": canonical([[one.episode_id, one.sequence, one.hash] for one in marks]).decode(),
            "root": statement.root,
            "key_id": statement.key_id,
            "signature": self._keys.sign(statement),
        }
        connection.execute(insert_or_skip(connection.dialect.name, checkpoints), values)
        _read_on(connection, self._keys, self._known)


@dataclass(frozen=True, slots=True)
class Proved:
    """How far a checkpoint vouches for an episode, with what proves it."""

    signed: Signed
    mark: Mark
    place: int
    """Of the mark in the checkpoint, from 0."""
    proof: tuple[str, ...]


class Proofs:
    """Proofs from the latest checkpoint of each episode, read one checkpoint at a time."""

    def __init__(self, database: Database, keys: SigningKeys) -> None:
        self._database = database
        self._keys = keys
        self._latest: dict[str, int] = {}
        self._read = lru_cache(maxsize=8)(self._signed_marks)

    async def prepare(self) -> None:
        """Check every checkpoint. Raises CheckpointError, which names the first bad one."""
        found = _Latest()
        await self._database.read(lambda connection: _read_on(connection, self._keys, found))
        self._latest = found.numbers

    def prove(self, connection: Connection, episode_id: str) -> Proved | None:
        """The proof for an episode; None when no checkpoint has it yet."""
        number = self._latest.get(episode_id)
        if number is None:
            return None
        signed, marks = self._read(connection.engine, number)
        place = next(place for place, mark in enumerate(marks) if mark.episode_id == episode_id)
        return Proved(signed, marks[place], place, tuple(proof_of(marks, place)))

    def _signed_marks(self, engine: Engine, number: int) -> tuple[Signed, list[Mark]]:
        with engine.begin() as connection:
            row = connection.execute(select(checkpoints).where(checkpoints.c.number == number)).one()
        marks = _marks(row)
        return Signed(_statement(row, marks), row.signature), marks


class _Latest(Vouched):
    """Keeps of each checkpoint only which episodes it names."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, int] = {}

    def take(self, signed: Signed, marks: Sequence[Mark]) -> None:
        self.last = signed
        self.numbers.update((mark.episode_id, signed.statement.number) for mark in marks)


async def vouched(database: Database, keys: SigningKeys) -> Vouched:
    """What all checkpoints in the records vouch for. Raises CheckpointError, which names the first bad one."""
    found = Vouched()
    await database.read(lambda connection: _read_on(connection, keys, found))
    return found


def check_pinned(pinned: Signed, keys: SigningKeys, found: Vouched) -> None:
    """Raises CheckpointError when the records do not have the checkpoint that was kept outside."""
    keys.check(pinned.statement, pinned.signature)
    number = pinned.statement.number
    there = found.statements.get(number)
    if there is None:
        raise CheckpointError(
            f"checkpoint {number} was kept outside, the records end at {max(found.statements, default=0)}: "
            "their end was cut off or an old backup restored"
        )
    if there != pinned.statement.hash:
        raise CheckpointError(f"checkpoint {number} in the records is another than the one kept outside")


def _read_on(connection: Connection, keys: SigningKeys, known: Vouched) -> None:
    while True:
        last = known.last.statement.number if known.last else 0
        query = select(checkpoints).where(checkpoints.c.number > last).order_by(checkpoints.c.number).limit(_CHUNK)
        rows = connection.execute(query).all()
        for row in rows:
            _check(row, keys, known)
        if len(rows) < _CHUNK:
            return


def _refuse_older(connection: Connection, last: Signed | None) -> None:
    """Raises CheckpointError when a checkpoint that was there before is there no more."""
    if last is None:
        return
    number = last.statement.number
    query = select(checkpoints.c.signature).where(checkpoints.c.number == number)
    if connection.scalar(query) != last.signature:
        raise CheckpointError(f"checkpoint {number} was in the records and is not any more: an old backup was restored")


def _check(row: Row[Any], keys: SigningKeys, known: Vouched) -> None:
    before = known.last.statement if known.last else None
    expected = before.number + 1 if before else 1
    if row.number != expected:
        raise CheckpointError(f"checkpoint {expected} is missing")
    marks = _marks(row)
    statement = _statement(row, marks)
    keys.check(statement, row.signature)
    if row.previous != (before.hash if before else NOTHING_BEFORE):
        raise CheckpointError(f"checkpoint {row.number} does not continue the one before")
    if root_of(marks) != row.root:
        raise CheckpointError(f"checkpoint {row.number}: its marks were changed")
    known.take(Signed(statement, row.signature), marks)


def _statement(row: Row[Any], marks: Sequence[Mark]) -> Statement:
    return Statement(row.number, row.at, row.previous, row.rows, len(marks), row.root, row.key_id)


def _marks(row: Row[Any]) -> list[Mark]:
    try:
        return [Mark(*one) for one in json.loads(row.marks)]
    except (ValueError, TypeError):
        raise CheckpointError(f"checkpoint {row.number}: its marks can't be read") from None


def _grown(connection: Connection, known: Vouched) -> list[Mark]:
    """The chains that are longer than was covered, by episode id."""
    reach = func.max(trail.c.sequence).label("reach")
    longest = select(trail.c.episode_id, reach).group_by(trail.c.episode_id)
    grown = sorted(
        (row.episode_id, row.reach) for row in connection.execute(longest) if row.reach > known.reach(row.episode_id)
    )
    return [Mark(episode_id, sequence, _hash_of(connection, episode_id, sequence)) for episode_id, sequence in grown]


def _hash_of(connection: Connection, episode_id: str, sequence: int) -> str:
    query = select(trail.c.hash).where(trail.c.episode_id == episode_id, trail.c.sequence == sequence)
    return connection.execute(query).scalar_one()


def as_object(signed: Signed) -> Mapping[str, Any]:
    """A checkpoint as it is printed, to be kept outside."""
    said = signed.statement
    return {
        "number": said.number,
        "at": said.at.astimezone(UTC).isoformat(),
        "previous": said.previous,
        "rows": said.rows,
        "size": said.size,
        "root": said.root,
        "key_id": said.key_id,
        "signature": signed.signature,
    }
