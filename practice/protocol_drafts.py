"""Drafts of protocols that clinical operations work on: every save is kept, and nobody writes over another's.

A draft is text, also while it is no protocol yet. Times are aware UTC.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from audit.database import Database
from practice.tables import protocol_draft_saves as saves
from practice.tables import protocol_draft_scenarios as scenarios
from practice.tables import protocol_drafts as drafts

LONGEST = 400_000
"""Bytes that a draft may have."""
LONGEST_SCENARIO = 100_000
MOST_SCENARIOS = 300
MOST_SAVES = 200
"""Kept for each draft; the oldest go first."""
MOST_DRAFTS = 200
"""Drafts under work at the same time."""
TOGETHER = timedelta(minutes=5)
"""What one person types within this time is one save in the history."""
TYPED = "typed"


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft as it was saved last."""

    draft_id: str
    protocol: str
    """Its name; empty while none can be read."""
    title: str
    text: str
    content_hash: str
    """Of the protocol that it is; empty while it is none."""
    based_on: str
    """The content hash of the version it was begun from; empty without one."""
    revision: int
    started_by: str
    started_at: datetime
    saved_by: str
    saved_at: datetime
    put_away_at: datetime | None


@dataclass(frozen=True, slots=True)
class About:
    """What could be read of a draft's text."""

    protocol: str
    title: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Save:
    """One save in the history of a draft."""

    revision: int
    what: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """A scenario of a draft."""

    name: str
    text: str
    by: str
    at: datetime


class DraftError(Exception):
    """The draft can't be kept like this; the message says why and what to do."""


class ConflictError(DraftError):
    """Somebody else saved meanwhile. `there` is what they saved; nothing of ours was."""

    def __init__(self, there: Draft) -> None:
        super().__init__(f"{there.saved_by} saved this draft meanwhile")
        self.there = there


class ProtocolDrafts:
    """The drafts of all protocols."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(
        self,
        text: str,
        about: About,
        by: str,
        now: datetime,
        based_on: str = "",
        given: Mapping[str, str] | None = None,
    ) -> Draft:
        """Begin a draft with this text and these scenarios by name. Raises DraftError when it is too large."""
        _fits(text)
        made = Draft(
            *(secrets.token_hex(6), about.protocol, about.title, text, about.content_hash, based_on, 1),
            *(by, now, by, now, None),
        )
        about_each = {"draft_id": made.draft_id, "by": by, "at": now}
        listed = [{**about_each, "name": name, "text": one} for name, one in _few(given)]

        def work(connection: Connection) -> None:
            under_work = select(drafts.c.draft_id).where(drafts.c.put_away_at.is_(None)).limit(MOST_DRAFTS)
            if len(connection.execute(under_work).all()) >= MOST_DRAFTS:
                raise DraftError(f"there are {MOST_DRAFTS} drafts already; put some away first")
            connection.execute(insert(drafts), {name: getattr(made, name) for name in Draft.__slots__})
            connection.execute(insert(saves), _save(made, "begun"))
            if listed:
                connection.execute(insert(scenarios), listed)

        await self._database.write(work)
        return made

    async def get(self, draft_id: str) -> Draft | None:
        """One draft; None when there is none of this id."""
        return await self._database.read(lambda connection: _read(connection, draft_id))

    async def listed(self) -> tuple[Draft, ...]:
        """Every draft under work, the one saved last first."""
        query = select(drafts).where(drafts.c.put_away_at.is_(None)).order_by(drafts.c.saved_at.desc())
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(map(_draft, rows))

    async def of_version(self, content_hash: str) -> Draft | None:
        """The draft that is this version, word by word in what it says; the latest of several."""
        query = select(drafts).where(drafts.c.content_hash == content_hash).order_by(drafts.c.saved_at.desc()).limit(1)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _draft(row)

    async def save(
        self, draft_id: str, text: str, about: About, seen: int, by: str, now: datetime, what: str = TYPED
    ) -> Draft:
        """Keep a text over the revision that its author saw. Raises ConflictError, DraftError, LookupError."""
        _fits(text)

        def work(connection: Connection) -> Draft:
            there = _read(connection, draft_id)
            if there is None:
                raise LookupError(draft_id)
            if there.text == text:
                return there
            if there.revision != seen:
                raise ConflictError(there)
            return _write(connection, there, text, about, by, now, what)

        return await self._database.write(work)

    async def history(self, draft_id: str) -> tuple[Save, ...]:
        """Every save that is kept, the latest first."""
        columns = (saves.c.revision, saves.c.what, saves.c.by, saves.c.at)
        query = select(*columns).where(saves.c.draft_id == draft_id).order_by(saves.c.revision.desc())
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(Save(row.revision, row.what, row.by, row.at) for row in rows)

    async def text_of(self, draft_id: str, revision: int) -> str | None:
        """What was saved as this revision; None when that is not kept."""
        query = select(saves.c.text).where(saves.c.draft_id == draft_id, saves.c.revision == revision)
        return await self._database.read(lambda connection: connection.scalar(query))

    async def put_away(self, draft_id: str, now: datetime | None) -> None:
        """Take a draft from the list; None as the time brings it back. Nothing of it is lost."""
        change = update(drafts).where(drafts.c.draft_id == draft_id).values(put_away_at=now)
        await self._database.write(lambda connection: connection.execute(change))

    async def scenarios(self, draft_id: str) -> tuple[Kept, ...]:
        """The scenarios of a draft, by name."""
        query = select(scenarios).where(scenarios.c.draft_id == draft_id).order_by(scenarios.c.name)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(Kept(row.name, row.text, row.by, row.at) for row in rows)

    async def keep_scenarios(self, draft_id: str, given: Mapping[str, str], by: str, now: datetime) -> None:
        """Keep scenarios by name, in place of those of the same name. Raises DraftError for too many or too long."""
        rows = [{"draft_id": draft_id, "name": name, "text": text, "by": by, "at": now} for name, text in _few(given)]

        def work(connection: Connection) -> None:
            mine = scenarios.c.draft_id == draft_id
            connection.execute(delete(scenarios).where(mine, scenarios.c.name.in_([row["name"] for row in rows])))
            connection.execute(insert(scenarios), rows)
            if len(connection.execute(select(scenarios.c.name).where(mine)).all()) > MOST_SCENARIOS:
                raise DraftError(f"a draft has at most {MOST_SCENARIOS} scenarios; remove some first")

        await self._database.write(work)

    async def drop_scenario(self, draft_id: str, name: str) -> None:
        """Remove a scenario."""
        gone = delete(scenarios).where(scenarios.c.draft_id == draft_id, scenarios.c.name == name)
        await self._database.write(lambda connection: connection.execute(gone))


def _fits(text: str) -> None:
    if len(text.encode(errors="replace")) > LONGEST:
        raise DraftError(f"a protocol has at most {LONGEST // 1000} kB; shorten the draft")


def _few(given: Mapping[str, str] | None) -> list[tuple[str, str]]:
    found = list((given or {}).items())
    if len(found) > MOST_SCENARIOS:
        raise DraftError(f"a draft has at most {MOST_SCENARIOS} scenarios")
    if long := next((name for name, text in found if len(text.encode(errors="replace")) > LONGEST_SCENARIO), None):
        raise DraftError(f"the scenario {long} has more than {LONGEST_SCENARIO // 1000} kB; shorten it")
    return found


def _read(connection: Connection, draft_id: str) -> Draft | None:
    row = connection.execute(select(drafts).where(drafts.c.draft_id == draft_id)).first()
    return None if row is None else _draft(row)


def _draft(row: Any) -> Draft:
    return Draft(**{name: getattr(row, name) for name in Draft.__slots__})


def _save(draft: Draft, what: str) -> dict[str, Any]:
    return {
        "draft_id": draft.draft_id,
        "revision": draft.revision,
        "text": draft.text,
        "what": what,
        "by": draft.saved_by,
        "began_at": draft.saved_at,
        "at": draft.saved_at,
    }


def _write(connection: Connection, there: Draft, text: str, about: About, by: str, now: datetime, what: str) -> Draft:
    changed = {
        "protocol": about.protocol,
        "title": about.title,
        "text": text,
        "content_hash": about.content_hash,
        "revision": there.revision + 1,
        "saved_by": by,
        "saved_at": now,
    }
    mine = (drafts.c.draft_id == there.draft_id, drafts.c.revision == there.revision)
    if connection.execute(update(drafts).where(*mine).values(**changed)).rowcount != 1:
        latest = _read(connection, there.draft_id)
        assert latest is not None
        raise ConflictError(latest)
    made = _read(connection, there.draft_id)
    assert made is not None
    _note(connection, made, what)
    return made


def _note(connection: Connection, draft: Draft, what: str) -> None:
    """Write the save into the history, in place of the last one where the same person goes on typing."""
    row, mine = _save(draft, what), saves.c.draft_id == draft.draft_id
    last = connection.execute(select(saves).where(mine).order_by(saves.c.revision.desc()).limit(1)).first()
    goes_on = last is not None and (last.what, last.by, what) == (TYPED, draft.saved_by, TYPED)
    if last is not None and goes_on and draft.saved_at - last.began_at < TOGETHER:
        row["began_at"] = last.began_at
        connection.execute(delete(saves).where(mine, saves.c.revision == last.revision))
    connection.execute(insert(saves), row)
    kept = connection.scalars(select(saves.c.revision).where(mine).order_by(saves.c.revision.desc())).all()
    if len(kept) > MOST_SAVES:
        connection.execute(delete(saves).where(mine, saves.c.revision <= kept[MOST_SAVES]))
