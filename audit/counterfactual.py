"""A draft over recorded episodes: from the records, or from an export. Temporal need not run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audit.database import Database
from audit.sealing import Keyring
from audit.shelf import Shelf, ShelfError, protocols_of
from audit.trails import trails
from audit.unpacked import protocol_in, unpacked
from protocol.rerun import NotComparableError
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow
from protocol.whatif import Comparison, compare


@dataclass(frozen=True)
class Tried:
    """An episode under the draft, or why it can't be compared."""

    episode_id: str
    comparison: Comparison | None
    why_not: str = ""


async def over_records(
    database: Database, ring: Keyring, draft: ProtocolSpec, ids: Sequence[str]
) -> AsyncIterator[Tried]:
    """Each of these episodes under the draft."""
    shelf = Shelf(database)
    async for trail in trails(database, ring, ids):
        if not trail.readable:
            yield Tried(trail.episode_id, None, "its trail can't be read any more")
            continue
        try:
            pinned = await shelf.protocol(next(protocols_of(trail.rows), ""))
        except ShelfError as error:
            yield Tried(trail.episode_id, None, str(error))
            continue
        yield _try(draft, pinned, trail.episode_id, trail.rows)


def over_export(draft: ProtocolSpec, file: Path) -> Iterator[Tried]:
    """Each episode of an export under the draft. Raises UnpackError."""
    for episode_id, rows in unpacked(file):
        yield _try(draft, protocol_in(file, next(protocols_of(rows), "")), episode_id, rows)


def _try(draft: ProtocolSpec, pinned: ProtocolSpec, episode_id: str, rows: Sequence[TrailRow]) -> Tried:
    try:
        return Tried(episode_id, replace(compare(pinned, draft, rows), episode_id=episode_id))
    except NotComparableError as error:
        return Tried(episode_id, None, str(error))
