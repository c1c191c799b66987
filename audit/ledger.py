"""The ledger: one chain over what belongs to no episode: who looked, legal holds, publications, releases.

    content = SHA-256(the row's columns as one JSON object, times in RFC 3339)
    hash    = SHA-256(["holdfast-ledger-1", previous hash, number, book, entry, content])

Whoever writes such a row waits for nobody: a trigger notes that it waits, and who signs checkpoints enters what waits,
in one order. The end of the ledger is a mark of the checkpoint. The first entry continues 64 zeros. A row that is gone
before it could be entered is entered without content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Integer, Text, cast, delete, func, insert, select, tuple_

from audit.broken_text import is_text, reading_anything, shown
from audit.database import Database
from audit.dialects import lock_episode
from audit.tables import accesses, holds, ledger, ledger_waiting, publications, releases
from audit.verify import as_hashed
from protocol.canonical import NotCanonicalError, canonical
from protocol.checkpoint import Mark

FORMAT = "holdfast-ledger-1"
LEDGER = "@ledger"
"""What stands for an episode id in the marks of checkpoints; no episode can be called that."""
NOTHING_BEFORE = "0" * 64
BOOKS = {
    "accesses": accesses.c.access_id,
    "holds": holds.c.hold_id,
    "publications": publications.c.number,
    "releases": releases.c.release_id,
}
"""The tables that are chained, with their keys."""
TWICE = "two rows have this key"
"""The content of a row that somebody put beside another past the guards; no row was entered with it."""
AT_ONCE = 500
"""Rows in one transaction: on SQLite, writers wait no longer than that takes."""

_Place = tuple[str, str]
"""Book and entry."""


@dataclass(frozen=True, slots=True)
class LedgerFound:
    """What was found in the ledger."""

    entries: int
    """How many are good, up to the first bad one."""
    waiting: int
    """Rows that no checkpoint covers yet."""
    problem: str | None

    @property
    def said(self) -> str:
        """In words."""
        verdict = "BAD" if self.problem else "all good"
        rest = f"; {self.waiting} more wait for the next checkpoint" if self.waiting else ""
        return f"Ledger: {self.entries} looks, holds, publications and releases: {verdict}{rest}."


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    book: str
    entry: str
    content: str
    previous_hash: str
    hash: str

    @property
    def place(self) -> _Place:
        return self.book, self.entry

    def __str__(self) -> str:
        return f"ledger entry {self.number} ({shown(str(self.book))} {shown(str(self.entry))})"


async def enter_all(database: Database) -> int:
    """Enter every row that waits; how many that were."""
    count = 0
    waits = select(ledger_waiting.c.entry).limit(1)
    while await database.read(lambda connection: connection.execute(waits).first() is not None):
        count += await database.write(_enter)
    return count


def ledger_end(connection: Connection) -> Mark | None:
    """The last entry as a mark; None when there is none."""
    query = select(ledger.c.number, ledger.c.hash).order_by(ledger.c.number.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Mark(LEDGER, row.number, row.hash)


async def check_ledger(database: Database, marks: Mapping[int, str]) -> LedgerFound:
    """The first bad entry, held against `marks` of signed checkpoints, number → hash; and rows that have none."""
    last, before, read = 0, NOTHING_BEFORE, None
    while some := await database.read(partial(_read, after=read)):
        read = some[-1][0].number
        for entry, there in some:
            problem = _wrong(entry, there, last, before, marks)
            if problem is not None:
                return LedgerFound(last, 0, problem)
            last, before = entry.number, entry.hash
    reach = max(marks, default=0)
    if await database.read(partial(_count, last=last)) != last:
        return LedgerFound(last, 0, f"a ledger entry up to number {last} stands there twice")
    if reach > last:
        return LedgerFound(last, 0, f"ledger entry {last + 1} is missing: a signed checkpoint has entry {reach}")
    for book in BOOKS:
        forgotten = await database.read(partial(_never_entered, book=book))
        if forgotten is not None:
            detail = "was never entered in the ledger: somebody wrote it past the guards"
            return LedgerFound(last, 0, f"{book} {shown(forgotten)} {detail}")
    waiting = select(func.count()).select_from(ledger_waiting)
    return LedgerFound(last, await database.read(lambda connection: connection.scalar(waiting) or 0), None)


def _enter(connection: Connection) -> int:
    lock_episode(connection, LEDGER)
    query = select(ledger_waiting.c.book, ledger_waiting.c.entry).order_by(
        ledger_waiting.c.book, ledger_waiting.c.entry
    )
    waiting: list[_Place] = [(row.book, row.entry) for row in connection.execute(query.limit(AT_ONCE))]
    known = set(_pairs(connection.execute(select(ledger.c.book, ledger.c.entry).where(_among(ledger, waiting)))))
    contents = _contents(connection, waiting)
    end = ledger_end(connection)
    number, before = (end.sequence, end.hash) if end else (0, NOTHING_BEFORE)
    for book, entry in waiting:
        content = contents.get((book, entry), "")
        hashed = _hash(before, number + 1, book, entry, content)
        if (book, entry) in known or hashed is None:  # somebody made it wait again, or bytes that are no text
            continue
        number += 1
        values = {"number": number, "book": book, "entry": entry, "content": content}
        connection.execute(insert(ledger), {**values, "previous_hash": before, "hash": hashed})
        before = hashed
    connection.execute(delete(ledger_waiting).where(_among(ledger_waiting, waiting)))
    return len(waiting)


def _count(connection: Connection, last: int) -> int:
    return connection.scalar(select(func.count()).select_from(ledger).where(ledger.c.number <= last)) or 0


def _read(connection: Connection, after: int | None) -> list[tuple[_Entry, str | None]]:
    """Some entries, each with the content that its row has now; None where there is no such row."""
    query = select(*ledger.columns).order_by(ledger.c.number).limit(AT_ONCE)
    if after is not None:  # whoever takes the guards away can put an entry before the first
        query = query.where(ledger.c.number > after)
    rows = reading_anything(connection, lambda: connection.execute(query).all())
    entries = [_Entry(**row._mapping) for row in rows]  # pyright: ignore[reportPrivateUsage] (SQLAlchemy's own name)
    contents = _contents(connection, [one.place for one in entries])
    return [(one, contents.get(one.place)) for one in entries]


def _wrong(entry: _Entry, there: str | None, last: int, before: str, marks: Mapping[int, str]) -> str | None:
    if entry.number <= last:
        return f"{entry} stands where no entry may stand"
    if entry.number != last + 1:
        return f"ledger entry {last + 1} is missing"
    if entry.hash != _hash(entry.previous_hash, entry.number, entry.book, entry.entry, entry.content):
        return f"{entry} was changed"
    if entry.previous_hash != before:
        return f"ledger entry {max(last, 1)} was changed: the one after it continues another"
    if there is None:
        return f"{entry}: the row was deleted, or is no text any more"
    if there != entry.content:
        return f"{entry}: the row was changed"
    if marks.get(entry.number, entry.hash) != entry.hash:
        good = max((number for number in marks if number < entry.number), default=0)
        return f"{entry}: a signed checkpoint says otherwise: entry {good + 1} or one up to this was rewritten"
    return None


def _never_entered(connection: Connection, book: str) -> str | None:
    """A row that neither stands in the ledger nor waits, as of one moment."""
    key = BOOKS[book]
    entry = key if isinstance(key.type, Text) else cast(key, Text())
    there = select(ledger.c.number).where(ledger.c.book == book, ledger.c.entry == entry).exists()
    waits = select(ledger_waiting.c.entry).where(ledger_waiting.c.book == book, ledger_waiting.c.entry == entry)
    query = select(entry).where(~there, ~waits.exists()).order_by(key).limit(1)
    return reading_anything(connection, lambda: connection.scalar(query))


def _contents(connection: Connection, places: Iterable[_Place]) -> dict[_Place, str]:
    """The hash of each row that is there and is text."""
    found: dict[_Place, str] = {}
    wanted = [*places]
    for book, key in BOOKS.items():
        entries = [entry for name, entry in wanted if name == book and is_text(entry)]
        if not entries:
            continue
        whole = isinstance(key.type, Integer)
        keys = [int(one) for one in entries if one.isdecimal()] if whole else entries
        names = [str(column.name) for column in key.table.columns]
        columns = [as_hashed(key.table.c[name], name, connection.dialect.name) for name in names]
        query = select(*columns).where(key.in_(keys))
        for row in reading_anything(connection, lambda query=query: connection.execute(query).all()):
            columns_by_name = dict(zip(names, row, strict=True))
            place = (book, str(columns_by_name[key.name]))
            with suppress(NotCanonicalError):
                content = sha256(canonical(columns_by_name)).hexdigest()
                found[place] = TWICE if place in found else content
    return found


def _hash(before: str, number: int, book: str, entry: str, content: str) -> str | None:
    try:
        return sha256(canonical([FORMAT, before, number, book, entry, content])).hexdigest()
    except NotCanonicalError:
        return None


def _pairs(rows: Iterable[Sequence[Any]]) -> Iterable[_Place]:
    return ((row[0], row[1]) for row in rows)


def _among(table: Any, places: Sequence[_Place]) -> Any:
    return tuple_(table.c.book, table.c.entry).in_([*places])
