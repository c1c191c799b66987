"""Signed checkpoints of the trail: making them, and reading back what they vouch for.

A checkpoint names how far each chain has grown since the one before. Printed and kept outside, one is enough to
find a trail that was rewritten by somebody with every other key, cut off, or restored from an old backup.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, CursorResult, Row, func, select
from sqlalchemy.exc import OperationalError

from audit.broken_text import is_broken
from audit.database import Database
from audit.dialects import insert_or_skip, lock_episode
from audit.ledger import LEDGER, enter_all, ledger_end
from audit.signatures import CheckpointError, SigningKeys, VerifyKeys
from audit.tables import checkpoints, episodes, ledger_waiting, trail
from protocol.canonical import canonical
from protocol.checkpoint import NOTHING_BEFORE, Mark, Statement, root_of

MOST_MARKS = 1_000
"""Marks of one checkpoint; more make several."""
_CHUNK = 500
AT_ONCE = 500
"""Episodes looked at in one transaction: on SQLite, writers wait no longer than that takes."""
NO_KEY = "there is no key to check with: set HOLDFAST_VERIFY_KEYS"
_LOCK = "checkpoints"


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that can be kept outside."""

    statement: Statement
    signature: str


@dataclass
class Vouched:
    """All that a run of checkpoints vouches for: every mark and every statement."""

    last: Signed | None = None
    marks: dict[str, dict[int, str]] = field(default_factory=dict[str, dict[int, str]])
    """Episode → sequence → hash."""
    ledger: dict[int, str] = field(default_factory=dict[int, str])
    """Number → hash of the entries of the ledger."""
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
            chain = self.ledger if mark.episode_id == LEDGER else self.marks.setdefault(mark.episode_id, {})
            chain[mark.sequence] = mark.hash


class _Some(NamedTuple):
    """The ends of some chains, and the last episode looked at where there may be more."""

    marks: list[Mark | None]
    last: str | None


class Covered(NamedTuple):
    """The latest mark of an episode, and the number of the checkpoint that has it."""

    sequence: int
    hash: str
    number: int


class Reach:
    """How far checkpoints vouch for each episode. Keeps no more of them: it grows with the episodes alone."""

    def __init__(self) -> None:
        self.last: Signed | None = None
        self.latest: dict[str, Covered] = {}

    @property
    def rows(self) -> int:
        """How many rows of the trail are covered."""
        return self.last.statement.rows if self.last else 0

    def of(self, episode_id: str) -> int:
        """The last covered row of an episode; 0 when none is."""
        found = self.latest.get(episode_id)
        return found.sequence if found else 0

    def take(self, signed: Signed, marks: Sequence[Mark]) -> None:
        """Go on by one checkpoint that was found good."""
        self.last = signed
        number = signed.statement.number
        self.latest.update((one.episode_id, Covered(one.sequence, one.hash, number)) for one in marks)


class Witness:
    """What signed checkpoints say of single episodes. Each checkpoint is read and checked once for a process."""

    def __init__(self, database: Database, keys: VerifyKeys | None) -> None:
        """Without keys nothing is checked, and whoever asks is told so."""
        self._database = database
        self._keys = keys
        self._known = Reach()
        self._turn = asyncio.Lock()

    @property
    def checks(self) -> bool:
        """There is a key to check with."""
        return self._keys is not None

    async def covered(self, episode_id: str) -> Covered | None:
        """How far the checkpoints vouch for an episode; None when none does.

        Raises CheckpointError, which names the first bad one, and ValueError without a key to check with.
        """
        keys = self._keys
        if keys is None:
            raise ValueError(NO_KEY)

        async with self._turn:
            await self._database.read(lambda connection: refuse_others(connection, self._known.last))
            await read_all(self._database, keys, self._known)
        return self._known.latest.get(episode_id)


class Checkpointer:
    """Makes checkpoints. Two at once do no harm: the number is taken once."""

    def __init__(self, database: Database, keys: SigningKeys, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._known = Reach()
        self._looked_through = False

    async def waiting(self) -> int:
        """About how many rows no checkpoint covers yet, from the list of episodes: cheap enough for every second."""
        total = select(func.coalesce(func.sum(episodes.c.revision), 0))
        waiting = select(func.count()).select_from(ledger_waiting)
        both = select(total.scalar_subquery() + waiting.scalar_subquery())
        return await self._database.read(lambda connection: connection.scalar(both) or 0) - self._known.rows

    async def make(self) -> int:
        """Cover every row that is in the trail now; how many checkpoints that took, 0 when there was nothing new.

        What belongs to no episode is entered in the ledger first, and covered with it. What grew is found by reading
        alone, and only the signed lines are written under the lock that writers wait for. Raises CheckpointError
        rather than sign on top of a checkpoint that is not ours.
        """
        await self._database.read(lambda connection: refuse_others(connection, self._known.last))
        await read_all(self._database, self._keys, self._known)
        await enter_all(self._database)
        grown = await self._grown()

        def work(connection: Connection) -> int:
            lock_episode(connection, _LOCK)
            self._read_on(connection)  # another may have signed meanwhile
            fresh = [one for one in grown if one.sequence > self._known.of(one.episode_id)]
            for start in range(0, len(fresh), MOST_MARKS):
                self._sign(connection, fresh[start : start + MOST_MARKS])
            return -(-len(fresh) // MOST_MARKS)

        try:
            made = await self._database.write(work) if grown else 0
        except BaseException:
            self._known = Reach()  # what was signed in a transaction that failed is not there
            raise
        self._looked_through = True
        return made

    def _read_on(self, connection: Connection) -> None:
        while _read_on(connection, self._keys, self._known):
            pass

    async def _grown(self) -> list[Mark]:
        """The chains that are longer than was covered, by episode id.

        At first the trail itself is looked through, then the list of episodes tells which chains grew.
        """
        end = await self._database.read(ledger_end)
        found = [] if end is None or end.sequence <= self._known.of(LEDGER) else [end]
        last = ""
        while True:
            some = await self._database.read(partial(self._longer, after=last))
            found += [mark for mark in some.marks if mark is not None]
            if some.last is None:
                return sorted(found, key=lambda mark: mark.episode_id)
            last = some.last

    def _longer(self, connection: Connection, after: str) -> _Some:
        if self._looked_through:
            query = select(episodes.c.episode_id, episodes.c.revision.label("reach"))
            query = query.where(episodes.c.episode_id > after).order_by(episodes.c.episode_id)
        else:
            query = select(trail.c.episode_id, func.max(trail.c.sequence).label("reach"))
            query = query.where(trail.c.episode_id > after).group_by(trail.c.episode_id).order_by(trail.c.episode_id)
        rows = connection.execute(query.limit(AT_ONCE)).all()
        longer = [row.episode_id for row in rows if row.reach > self._known.of(row.episode_id)]
        longer = [one for one in longer if one != LEDGER]  # no episode is called that; who says so means the mark
        marks = [_end_of(connection, one) for one in longer]
        return _Some(marks, rows[-1].episode_id if len(rows) == AT_ONCE else None)

    def _sign(self, connection: Connection, marks: Sequence[Mark]) -> None:
        """What was signed is taken over when it is read back: it may have been somebody else's."""
        before = self._known.last.statement if self._known.last else None
        statement = Statement(
            number=before.number + 1 if before else 1,
            at=self._clock(),
            previous=before.hash if before else NOTHING_BEFORE,
            rows=self._known.rows
            + sum(one.sequence - self._known.of(one.episode_id) for one in marks if one.episode_id != LEDGER),
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
        self._read_on(connection)


async def vouched(database: Database, keys: VerifyKeys) -> Vouched:
    """What all checkpoints in the records vouch for. Raises CheckpointError, which names the first bad one."""
    found = Vouched()
    await read_all(database, keys, found)
    return found


async def checkpoints_after(database: Database, keys: VerifyKeys, last: Signed | None) -> list[Signed]:
    """Some checkpoints that follow one, or the first ones; none when there is none. Raises CheckpointError."""
    found = _Run(last)
    await database.read(lambda connection: _read_on(connection, keys, found))
    return found.signed


class _Run(Reach):
    """Keeps the checkpoints themselves."""

    def __init__(self, last: Signed | None) -> None:
        super().__init__()
        self.last = last
        self.signed: list[Signed] = []

    def take(self, signed: Signed, marks: Sequence[Mark]) -> None:
        self.last = signed
        self.signed.append(signed)


def check_pinned(pinned: Signed, keys: VerifyKeys, found: Vouched) -> None:
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


async def read_all(database: Database, keys: VerifyKeys, known: Vouched | Reach) -> None:
    """What is new of the checkpoints, some in each transaction: on SQLite, writers wait no longer than that takes."""
    while await database.read(lambda connection: _read_on(connection, keys, known)):
        pass


def _read_on(connection: Connection, keys: VerifyKeys, known: Vouched | Reach) -> bool:
    """Some more checkpoints; true when there may be others."""
    last = known.last.statement.number if known.last else 0
    query = select(checkpoints).where(checkpoints.c.number > last).order_by(checkpoints.c.number).limit(_CHUNK)
    found, count = connection.execute(query), 0
    while (row := _next(found, last + count + 1)) is not None:
        _check(row, keys, known)
        count += 1
    return count == _CHUNK


def _next(found: CursorResult[Any], number: int) -> Row[Any] | None:
    try:
        return found.fetchone()
    except (ValueError, OperationalError) as error:
        if isinstance(error, OperationalError) and not is_broken(error):
            raise
        raise CheckpointError(f"checkpoint {number} can't be read: its time is none, or it is no text") from None


def refuse_others(connection: Connection, last: Signed | None) -> None:
    """Raises CheckpointError when a checkpoint that was there before is there no more."""
    if last is None:
        return
    number = last.statement.number
    query = select(checkpoints.c.signature).where(checkpoints.c.number == number)
    if connection.scalar(query) != last.signature:
        raise CheckpointError(f"checkpoint {number} was in the records and is not any more: an old backup was restored")


def _check(row: Row[Any], keys: VerifyKeys, known: Vouched | Reach) -> None:
    before = known.last.statement if known.last else None
    expected = before.number + 1 if before else 1
    if row.number != expected:
        raise CheckpointError(f"checkpoint {expected} is missing")
    marks = marks_of(row)
    statement = statement_of(row, marks)
    keys.check(statement, row.signature)
    if row.previous != (before.hash if before else NOTHING_BEFORE):
        raise CheckpointError(f"checkpoint {row.number} does not continue the one before")
    if root_of(marks) != row.root:
        raise CheckpointError(f"checkpoint {row.number}: its marks were changed")
    known.take(Signed(statement, row.signature), marks)


def statement_of(row: Row[Any], marks: Sequence[Mark]) -> Statement:
    """What a row of the table says."""
    return Statement(row.number, row.at, row.previous, row.rows, len(marks), row.root, row.key_id)


def marks_of(row: Row[Any]) -> list[Mark]:
    """The marks of a row of the table. Raises CheckpointError."""
    try:
        return [Mark(*one) for one in json.loads(row.marks)]
    except (ValueError, TypeError):
        raise CheckpointError(f"checkpoint {row.number}: its marks can't be read") from None


def _end_of(connection: Connection, episode_id: str) -> Mark | None:
    """The last row of a chain; None where a list knows an episode whose rows are still on their way."""
    query = select(trail.c.sequence, trail.c.hash).where(trail.c.episode_id == episode_id)
    row = connection.execute(query.order_by(trail.c.sequence.desc()).limit(1)).one_or_none()
    return None if row is None else Mark(episode_id, row.sequence, row.hash)


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
