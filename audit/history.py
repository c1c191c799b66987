"""The history of one episode as an auditor reads it: verified, then decided anew, from the records alone.

1. Verify the chain; what stands behind the first bad row is not told.
2. Read the protocol that the episode was opened under from the records, never today's file.
3. Decide every command anew and tell each entry, with every difference.

Temporal is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy import select

from audit.checkpoints import NO_KEY, Covered, Witness
from audit.database import Database
from audit.publications import PublicationError, Publications
from audit.queries import MOST, Queries
from audit.sealing import Keyring
from audit.shelf import Shelf, ShelfError
from audit.signatures import CheckpointError
from audit.tables import episodes, trail
from audit.verify import Verdict, Verifier
from protocol.account import Entry, account
from protocol.breaches import Breach, breaches
from protocol.publishing import exception_of, publication_of
from protocol.replay import Replayed, ReplayError, Versions, replay
from protocol.spec import ProtocolSpec
from protocol.trail import Fault, TrailRow, Wrong


class HistoryError(Exception):
    """There is nothing to tell; the message says why."""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """Up to where signed checkpoints vouch for a chain. Rows after it could be cut off, or rewritten, unseen."""

    reach: int
    """The last row they vouch for; 0 when there is none."""
    problem: str = ""
    """What is wrong with the checkpoints; empty when nothing is."""
    unchecked: str = ""
    """Why they could not be checked; empty when they were."""

    def said(self, rows: int) -> str:
        """In words, of a chain with so many good rows."""
        if self.problem:
            return f"Checkpoints: BAD: {self.problem}."
        if self.unchecked:
            return f"Checkpoints: not checked; {self.unchecked}. An end that was cut off need not show."
        if not self.reach:
            return "Checkpoints: none vouches for this chain yet. An end that was cut off need not show."
        newer = rows - self.reach
        rest = f"; the {newer} after it are newer" if newer > 0 else ""
        return f"Checkpoints: signed, they vouch for the chain up to entry {self.reach}{rest}."


@dataclass(frozen=True, slots=True)
class History:
    """One episode, told. Times are aware UTC."""

    episode_id: str
    verdict: Verdict
    witnessed: Witnessed
    """What stands outside the chain and vouches for it."""
    spec: ProtocolSpec
    """The protocol that the episode was opened under."""
    exceptions: tuple[str, ...]
    """Who answers for a version that was published though it was not found good, of each version it ran under."""
    steps: tuple[Replayed, ...]
    """What people and the engine did, each act decided anew."""
    entries: tuple[Entry, ...]
    """The same, entry by entry."""
    breaches: tuple[Breach, ...]
    stopped: str | None
    """Why the entries end before the trail does; None when all of it is told."""
    withheld: tuple[int, ...] = ()
    """Entries of which something is withheld from the reader; what follows the first of them is not told."""

    @property
    def undecided(self) -> int:
        """How many entries could not be decided anew."""
        return sum(bool(entry.undecided) for entry in self.entries)

    @property
    def differences(self) -> int:
        """How many entries are not what the protocol, decided anew, asks for."""
        return sum(bool(entry.differences) for entry in self.entries)

    @property
    def vouched_for(self) -> str:
        """Up to where the end is known from outside the chain, in words."""
        return self.witnessed.said(self.verdict.rows)

    @property
    def sound(self) -> bool:
        """The chain is whole, no checkpoint says otherwise, and every decision comes out the same again."""
        whole = self.verdict.fault is None and not self.witnessed.problem
        return whole and self.stopped is None and self.differences == 0


async def history(
    database: Database,
    ring: Keyring,
    episode_id: str,
    witness: Witness,
    shelf: Shelf | None = None,
) -> History:
    """The history of an episode. Raises HistoryError; UnknownKeyError when a key-encryption key is missing.

    Its chain must reach as far as the checkpoints and the list of episodes say. Who tells many episodes gives one
    `shelf`, so that a protocol is read once.
    """
    verdict, witnessed = await _judged(database, ring, episode_id, witness)
    if verdict.rows == 0:
        raise HistoryError(str(verdict.fault or f"the records have no episode {episode_id}"))
    queries = Queries(database, ring)
    rows = await _rows(queries, episode_id, verdict.rows)
    documents = shelf or Shelf(database)
    spec = await _pinned(documents, rows[0])
    moves = [await _pinned(documents, row) for row in rows if row.kind == "Migrated"]
    later = {one.content_hash: one for one in (*moves, *await _tried(documents, rows))}
    exceptions = await _exceptions(database, (spec, *moves))
    steps, stopped = decided_anew(spec, rows, later)
    if stopped is None and verdict.fault is not None:
        stopped = str(verdict.fault)
    entries = tuple(account(steps))
    return History(episode_id, verdict, witnessed, spec, exceptions, steps, entries, tuple(breaches(entries)), stopped)


def decided_anew(
    spec: ProtocolSpec, rows: Iterable[TrailRow], later: Versions
) -> tuple[tuple[Replayed, ...], str | None]:
    """The acts of an episode as far as they can be replayed, and why they end there; None when all of them can."""
    steps = list[Replayed]()
    try:
        for step in replay(spec, rows, later):
            steps.append(step)
    except ReplayError as error:
        return tuple(steps), str(error)
    return tuple(steps), None


async def episodes_beginning_with(database: Database, beginning: str, limit: int = 6) -> tuple[str, ...]:
    """Ids of episodes in the trail itself, whatever the lists say; in order, at most `limit`, an exact one first."""
    id_of = trail.c.episode_id
    query = select(id_of).where(trail.c.sequence == 1, id_of.startswith(beginning, autoescape=True))
    query = query.order_by(id_of != beginning, id_of).limit(limit)
    return tuple(await database.read(lambda connection: connection.scalars(query).all()))


async def all_episodes(database: Database) -> tuple[str, ...]:
    """Ids of all episodes in the trail, in order."""
    query = select(trail.c.episode_id).where(trail.c.sequence == 1).order_by(trail.c.episode_id)
    return tuple(await database.read(lambda connection: connection.scalars(query).all()))


async def _judged(database: Database, ring: Keyring, episode_id: str, witness: Witness) -> tuple[Verdict, Witnessed]:
    """The verdict on a chain. What must be there is asked for first, so that a row written meanwhile is no fault."""
    revision = select(episodes.c.revision).where(episodes.c.episode_id == episode_id)
    listed = await database.read(lambda connection: connection.scalar(revision)) or 0
    covered, witnessed = await _witnessed(witness, episode_id)
    marks = {} if covered is None else {episode_id: {covered.sequence: covered.hash}}
    verdict = await Verifier(database, ring, marks=marks).episode(episode_id)
    if verdict.fault is None and verdict.rows < listed:
        detail = f"the list of episodes knows row {listed}: the end was cut off, or is still on its way to the records"
        verdict = replace(verdict, fault=Fault(episode_id, verdict.rows + 1, Wrong.TRUNCATED, detail))
    return verdict, witnessed


async def _witnessed(witness: Witness, episode_id: str) -> tuple[Covered | None, Witnessed]:
    if not witness.checks:
        return None, Witnessed(0, unchecked=NO_KEY)
    try:
        covered = await witness.covered(episode_id)
    except CheckpointError as error:
        return None, Witnessed(0, problem=str(error))
    return covered, Witnessed(covered.sequence if covered else 0)


async def _rows(queries: Queries, episode_id: str, count: int) -> list[TrailRow]:
    rows: list[TrailRow] = []
    for after in range(0, count, MOST):
        rows += await queries.trail_rows(episode_id, after, min(MOST, count - after))
    return rows


async def _pinned(shelf: Shelf, first: TrailRow) -> ProtocolSpec:
    if first.payload is None:
        raise HistoryError(f"episode {first.episode_id} can't be read any more: the client's key was destroyed")
    try:
        return await shelf.protocol(first.payload["event"].get("protocol_hash", ""))
    except ShelfError as error:
        raise HistoryError(f"episode {first.episode_id}: {error}") from None


async def _tried(shelf: Shelf, rows: Sequence[TrailRow]) -> list[ProtocolSpec]:
    """Versions to which somebody wanted to move the episode, as far as they were kept: to decide that anew too."""
    found: list[ProtocolSpec] = []
    for row in rows:
        command = (row.payload or {}).get("command", {})
        if command.get("kind") == "Migrate":
            with suppress(ShelfError):
                found.append(await shelf.protocol(command["protocol_hash"]))
    return found


async def _exceptions(database: Database, versions: Sequence[ProtocolSpec]) -> tuple[str, ...]:
    """What the publications say; that they were changed is one more thing to be said."""
    try:
        record = (await Publications(database).read()).record
    except PublicationError as error:
        return (str(error),)
    told = ((one.version, exception_of(publication_of(record, one.content_hash))) for one in versions)
    return tuple(f"version {version} was published by exception, {said}" for version, said in told if said)
