"""Conformance of one episode or of those of a period, one at a time from the records; and the files made of it."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from audit.database import Database
from audit.queries import opened_rows
from audit.redaction import RedactionError, Redactor, redactor
from audit.sealing import Keyring, SealingError
from audit.shelf import Shelf, ShelfError, protocols_of
from audit.tables import trail
from audit.veil import Veil
from protocol.conformance import BYS, By, Conformance, Sums, groups_of, judge
from protocol.replay import ReplayError
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow


@dataclass(frozen=True, slots=True)
class Judged:
    """One episode with its rows, or why it can't be judged."""

    episode_id: str
    rows: tuple[TrailRow, ...] = ()
    conformance: Conformance | None = None
    why_not: str = ""
    specs: tuple[ProtocolSpec, ...] = ()
    """The versions that it ran under."""


@dataclass
class Told:
    """What a run over several episodes found; drills are in no sum."""

    groups: dict[By, dict[str, Sums]] = field(default_factory=lambda: {by: defaultdict(Sums) for by in BYS})
    episodes: list[str] = field(default_factory=list[str])
    drills: int = 0
    not_judged: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Episode, and why."""

    def take(self, one: Judged, seen: Conformance | None) -> None:
        """Count one more; `seen`: as the reader may see it."""
        self.episodes.append(one.episode_id)
        if seen is None:
            self.not_judged.append((one.episode_id, one.why_not))
        elif seen.drill:
            self.drills += 1
        else:
            for by, groups in self.groups.items():
                for group, part in groups_of(seen, by).items():
                    groups[group].add(part)


Take = Callable[[Judged, Conformance, Veil], None]


async def opened_between(
    database: Database, begins: datetime | None = None, ends: datetime | None = None
) -> Sequence[str]:
    """Ids of the episodes that were opened from `begins` on and before `ends`, in order of their opening.

    The trail says when, not the lists.
    """
    opened = select(trail.c.episode_id).where(trail.c.sequence == 1).order_by(trail.c.recorded_at, trail.c.episode_id)
    if begins is not None:
        opened = opened.where(trail.c.recorded_at >= begins)
    if ends is not None:
        opened = opened.where(trail.c.recorded_at < ends)
    return await database.read(lambda connection: connection.scalars(opened).all())


async def judged(database: Database, ring: Keyring, episodes: Sequence[str]) -> AsyncIterator[Judged]:
    """Each of these episodes. Chains are not verified here: `audit.verify` does that."""
    shelf = Shelf(database)
    for episode_id in episodes:
        yield await judge_one(database, ring, shelf, episode_id)


async def judge_one(database: Database, ring: Keyring, shelf: Shelf, episode_id: str) -> Judged:
    """One episode."""
    query = select(trail).where(trail.c.episode_id == episode_id).order_by(trail.c.sequence)
    try:
        rows = await database.read(lambda connection: opened_rows(connection, ring, query))
        if not rows:
            return Judged(episode_id, why_not="the records have no such episode")
        if rows[0].payload is None:
            return Judged(episode_id, why_not="the client's key was destroyed")
        specs = tuple([await shelf.protocol(one) for one in protocols_of(rows)])
        later = {spec.content_hash: spec for spec in specs[1:]}
        return Judged(episode_id, rows, judge(specs[0], rows, later), specs=specs)
    except (SealingError, ShelfError, ReplayError) as error:
        return Judged(episode_id, why_not=str(error))


async def tell(
    database: Database,
    ring: Keyring,
    episodes: Sequence[str],
    takes: Sequence[Take] = (),
    *,
    redact: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Told:
    """Judge these episodes and hand each to whoever takes them; `redact`: as a reader may see them who has no right
    to substance-use records."""
    told, known = Told(), dict[str, Redactor]()
    async for found in judged(database, ring, episodes):
        one, redactors = _shielded(found, known) if redact else (found, ())
        if one.conformance is None:
            told.take(one, None)
        else:
            veil = Veil(one.conformance, redactors)
            seen = veil.over(one.conformance)
            told.take(one, seen)
            for take in takes:
                take(one, seen, veil)
        if progress is not None:
            progress(len(told.episodes))
    return told


def _shielded(one: Judged, known: dict[str, Redactor]) -> tuple[Judged, Sequence[Redactor]]:
    """An episode with those who withhold, one for each version; not judged when nothing of it may be seen."""
    try:
        for spec in one.specs:
            if spec.content_hash not in known:
                known[spec.content_hash] = redactor(spec)
    except RedactionError as error:
        return Judged(one.episode_id, why_not=str(error)), ()
    return one, [known[spec.content_hash] for spec in one.specs]


def sha256_of(path: Path) -> str:
    """The hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def draft_of(path: Path) -> Path:
    """Where a file is written before it may be seen."""
    return path.with_name(f".{path.name}.{os.getpid()}.draft")
