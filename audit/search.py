"""Finding episodes: by client, therapist, protocol, breach and period; and filters that people keep for themselves.

One implementation for the command line, the pages and the API. One damaged row hides no other episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints
from sqlalchemy import ColumnElement, Connection, FromClause, Row, delete, exists, func, literal_column, or_, select

from audit.broken_text import is_text, reading_anything, shown
from audit.database import Database
from audit.dialects import insert_or_update
from audit.keys import wrapped_keys
from audit.sealing import ClientKey, Keyring, Place, SealingError
from audit.tables import episodes, saved_searches, trail
from audit.verify import as_hashed

MOST = 1_000
"""The longest answer."""
MOST_SAVED = 100
ANY = "any"
MISSED = "DeadlineMissed"

Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Wanted(BaseModel):
    """Which episodes; a field that is left out lets every episode through."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    episode: Word | None = None
    """The beginning of the episode's id."""
    client_ref: Word | None = None
    therapist: Word | None = None
    """Owns the episode now, or wrote something in it."""
    protocol: Word | None = None
    version: Word | None = None
    breach: Word | None = None
    """A missed deadline: the obligation's name in the protocol, or `any`."""
    begins: AwareDatetime | None = None
    """Opened at this moment or later."""
    ends: AwareDatetime | None = None
    """Opened before this moment."""
    open: bool | None = None
    drill: bool | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An episode that fits. Times are aware UTC."""

    episode_id: str
    client_ref: str
    protocol: str
    version: str
    owner: str
    risk: str
    peak_risk: str
    opened_at: datetime
    closed_at: datetime | None
    drill: bool
    missed: int
    """How many deadlines were missed in it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Some of the episodes that fit, the latest first."""

    found: tuple[Found, ...]
    total: int
    """How many fit."""
    unreadable: tuple[str, ...] = ()
    """Episodes that missed a deadline of which it can't be read which one: damaged, or the key was destroyed."""


async def search(database: Database, ring: Keyring, wanted: Wanted, limit: int = 100, skip: int = 0) -> Answer:
    """The episodes that fit, from the one after `skip` on."""
    query = select(episodes, _missed().label("missed")).where(*_conditions(wanted))
    query = query.order_by(episodes.c.opened_at.desc(), episodes.c.episode_id)
    size = min(limit, MOST)

    def work(connection: Connection) -> Answer:
        if wanted.breach in (None, ANY):
            counted = select(func.count()).select_from(episodes).where(*_conditions(wanted))
            rows = connection.execute(query.limit(size).offset(skip)).all()
            return Answer(tuple(map(_found, rows)), connection.execute(counted).scalar_one())
        named, unreadable = _that_missed(connection, ring, wanted)
        rows = [row for row in connection.execute(query).all() if row.episode_id in named]
        return Answer(tuple(map(_found, rows[skip : skip + size])), len(rows), tuple(sorted(unreadable)))

    return await database.read(work)


async def save(database: Database, who: str, name: str, wanted: Wanted, now: datetime) -> None:
    """Keep a filter under a name, in the place of an older one of that person."""
    values = {"who": who, "name": name, "wanted": wanted.model_dump_json(exclude_none=True), "saved_at": now}

    def work(connection: Connection) -> None:
        upsert = insert_or_update(connection.dialect.name, saved_searches, newer="saved_at")
        connection.execute(upsert, values)

    await database.write(work)


async def saved(database: Database, who: str) -> dict[str, Wanted]:
    """The filters that a person keeps, by name."""
    query = select(saved_searches).where(saved_searches.c.who == who).order_by(saved_searches.c.name).limit(MOST_SAVED)
    rows = await database.read(lambda connection: connection.execute(query).all())
    return {row.name: Wanted.model_validate_json(row.wanted) for row in rows}


async def forget(database: Database, who: str, name: str) -> bool:
    """Drop a filter; whether there was one."""
    statement = delete(saved_searches).where(saved_searches.c.who == who, saved_searches.c.name == name)
    return await database.write(lambda connection: connection.execute(statement).rowcount) == 1


def _found(row: Row[Any]) -> Found:
    return Found(
        *(row.episode_id, row.client_ref, row.protocol, row.protocol_version, row.owner, row.risk, row.peak_risk),
        *(row.opened_at, row.closed_at, row.drill, row.missed),
    )


def _is_missed(rows: FromClause = trail) -> ColumnElement[bool]:
    """Written out, so that both databases take the index over these rows alone."""
    return rows.c.kind == literal_column(f"'{MISSED}'")


def _missed() -> ColumnElement[int]:
    counted = select(func.count()).where(trail.c.episode_id == episodes.c.episode_id, _is_missed())
    return counted.correlate(episodes).scalar_subquery()


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    rows = trail.alias("theirs")
    if wanted.episode is not None:
        found.append(episodes.c.episode_id.startswith(wanted.episode, autoescape=True))
    for column, value in (
        (episodes.c.client_ref, wanted.client_ref),
        (episodes.c.protocol, wanted.protocol),
        (episodes.c.protocol_version, wanted.version),
        (episodes.c.drill, wanted.drill),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.therapist is not None:
        wrote = exists().where(rows.c.episode_id == episodes.c.episode_id, rows.c.actor == wanted.therapist)
        found.append(or_(episodes.c.owner == wanted.therapist, wrote))
    if wanted.breach is not None:
        found.append(episodes.c.episode_id.in_(select(rows.c.episode_id).where(_is_missed(rows))))
    if wanted.begins is not None:
        found.append(episodes.c.opened_at >= wanted.begins)
    if wanted.ends is not None:
        found.append(episodes.c.opened_at < wanted.ends)
    if wanted.open is not None:
        found.append(episodes.c.closed_at.is_(None) if wanted.open else episodes.c.closed_at.is_not(None))
    return found


def _that_missed(connection: Connection, ring: Keyring, wanted: Wanted) -> tuple[set[str], set[str]]:
    """Episodes that missed what is wanted, and those of which that can't be read. Each row is opened by itself."""
    names = ("episode_id", "sequence", "hash", "key_id", "written_at", "sealed")
    columns = [as_hashed(trail.c[name], name, connection.dialect.name) for name in names]
    both = trail.join(episodes, episodes.c.episode_id == trail.c.episode_id)
    query = select(*columns).select_from(both).where(_is_missed(), *_conditions(wanted))
    rows = reading_anything(connection, lambda: connection.execute(query).all())
    keys = _keys(connection, ring, rows)
    named, unreadable = set[str](), set[str]()
    for row in rows:
        obligation = _obligation(row, keys.get(row.key_id))
        if obligation is None:
            unreadable.add(shown(row.episode_id))
        elif obligation == wanted.breach:
            named.add(row.episode_id)
    return named, unreadable - named


def _keys(connection: Connection, ring: Keyring, rows: Sequence[Row[Any]]) -> dict[str, ClientKey]:
    """The keys that can be had."""
    ids = {row.key_id for row in rows if is_text(row.key_id)}
    found: dict[str, ClientKey] = {}
    for name, key in reading_anything(connection, partial(wrapped_keys, connection, ids)).items():
        try:
            found[name] = key.unwrap(ring)
        except SealingError:  # destroyed, changed, or wrapped with a key that this process lacks
            continue
    return found


def _obligation(row: Row[Any], key: ClientKey | None) -> str | None:
    """The name of what was missed; None where it can't be read."""
    if key is None:
        return None
    place = Place(row.episode_id, row.sequence, row.hash, row.key_id, row.written_at)
    try:
        payload, _ = key.open(row.sealed, place)
        return str(payload["event"]["obligation"])
    except (SealingError, ValueError, KeyError, TypeError):
        return None
