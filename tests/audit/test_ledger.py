"""Who looked, legal holds, publications and releases: whoever changes one behind our back is found, at that one."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import select, text

from activities.ends import Ends
from audit.access import Access, as_row, record, record_rows
from audit.checkpoints import Checkpointer, check_pinned, vouched
from audit.database import Database, connect, connect_sync, for_writing
from audit.holds import hold, lift
from audit.ledger import BOOKS, LEDGER, NOTHING_BEFORE, check_ledger, enter_all
from audit.ledger import _hash as hash_of  # pyright: ignore[reportPrivateUsage]
from audit.migrate import _config, upgrade  # pyright: ignore[reportPrivateUsage]
from audit.publications import Publications
from audit.releases import Release, note_in
from audit.signatures import CheckpointError, SigningKeys
from audit.spool import Spool
from audit.store import Store
from audit.tables import ledger
from audit.verification import Wanted, verification
from protocol.canonical import canonical
from protocol.publishing import Publication
from tests.audit.records import RING, START, fill, sqlite_url, tampering
from tests.protocol.specs import compact
from workflows.client import EngineUnavailableError, EpisodeClient

KEYS = SigningKeys([("s1", b"s" * 32)])
LOOKS = 8
ENTRIES = LOOKS + 4
"""And two holds, a publication, a release."""
MARKED = (5, ENTRIES)
MUTATIONS = 600


def looks(count: int, after: int = 0) -> list[Access]:
    return [
        Access(START + timedelta(minutes=n), f"p-{n}", "auditor", "read", "review", client_ref=f"client-{n}")
        for n in range(after + 1, after + count + 1)
    ]


async def written(records: Database) -> None:
    """Twelve rows in the four books, of which the first checkpoint has five."""
    checkpointer = Checkpointer(records, KEYS, lambda: START)
    await record(records, *looks(3))
    await hold(records, "client-1", "ada", "subpoena", START)
    submitted = Publication("submitted", START, "compact", "1.0.0", compact().content_hash, "finn", "peer")
    await Publications(records, KEYS).add(compact(), lambda _: submitted)
    await checkpointer.make()
    await record(records, *looks(LOOKS - 3, after=3))
    await lift(records, "client-1", "ada", "over", START + timedelta(hours=1))
    await records.write(lambda connection: note_in(connection, Release("1", "ab" * 32), START))
    await checkpointer.make()


async def nobody() -> EpisodeClient:
    raise EngineUnavailableError("Temporal is gone")


async def problem_of(records: Database) -> str | None:
    return (await check_ledger(records, (await vouched(records, KEYS)).ledger)).problem


async def test_what_was_written_is_chained_and_covered(records: Database) -> None:
    await written(records)
    marks = (await vouched(records, KEYS)).ledger
    assert tuple(marks) == MARKED
    found = await check_ledger(records, marks)
    assert (found.entries, found.waiting, found.problem) == (ENTRIES, 0, None)
    await record(records, *looks(1, after=50))
    found = await check_ledger(records, marks)
    assert (found.entries, found.waiting, found.problem) == (ENTRIES, 1, None)
    assert found.said.endswith("all good; 1 more wait for the next checkpoint.")


async def test_the_ledger_is_no_episode_and_its_entries_are_no_rows_of_the_trail(
    records: Database, store: Store
) -> None:
    await fill(store, 3)
    await written(records)
    found = await verification(records, RING, KEYS, Ends(nobody), Wanted())
    assert not found.bad
    assert [one.episode_id for one in found.verdicts] == ["ep-1"]
    assert found.checkpoints.found.rows == 3
    assert LEDGER not in found.checkpoints.found.marks
    said = [line for line in found.said if line.startswith("Ledger:")]
    assert said == [f"Ledger: {ENTRIES + 1} looks, holds, publications and releases: all good."]


async def test_many_writers_and_two_signers_make_one_chain(url: str) -> None:
    several = [connect(url) for _ in range(3)]
    signers = [Checkpointer(one, KEYS, lambda: START) for one in several[:2]]

    async def write(number: int) -> None:
        await record(several[number % 3], *looks(7, after=number * 7))

    await asyncio.gather(*(write(number) for number in range(12)), *(one.make() for one in signers))
    await signers[0].make()
    found = await check_ledger(several[0], (await vouched(several[0], KEYS)).ledger)
    assert (found.entries, found.waiting, found.problem) == (84, 0, None)
    for one in several:
        await one.dispose()


async def test_a_look_that_was_spooled_and_written_twice_is_entered_once(records: Database, tmp_path: Path) -> None:
    spool, rows = Spool(tmp_path / "accesses", RING), [*map(as_row, looks(3))]
    spool.keep(rows)
    await record_rows(records, rows)
    assert await spool.write_into(records) == 3
    await Checkpointer(records, KEYS, lambda: START).make()
    found = await check_ledger(records, {})
    assert (found.entries, found.problem) == (3, None)


async def test_rows_from_before_the_ledger_are_entered(tmp_path: Path) -> None:
    engine = connect_sync(sqlite_url(tmp_path))
    with for_writing(engine).begin() as connection:
        command.upgrade(_config(connection), "0017")
        old = "INSERT INTO holds VALUES ('h-1', '2026-11-01T09:00:00.000000Z', 'c', 'placed', 'ada', 'old')"
        connection.execute(text(old))
    engine.dispose()
    upgrade(sqlite_url(tmp_path))
    records = connect(sqlite_url(tmp_path))
    assert await enter_all(records) == 1
    found = await check_ledger(records, {})
    assert (found.entries, found.problem) == (1, None)
    await records.dispose()


@pytest.mark.parametrize("book", BOOKS)
async def test_an_edit_of_any_column_is_found_at_its_row(records: Database, url: str, book: str) -> None:
    await written(records)
    key = BOOKS[book]
    first = select(ledger.c.number, ledger.c.entry).where(ledger.c.book == book).order_by(ledger.c.number).limit(1)
    number, entry = await records.read(lambda connection: connection.execute(first).one())
    mine = key == (int(entry) if entry.isdecimal() else entry)
    for column in key.table.columns:
        if column.primary_key or column.foreign_keys:
            continue
        with tampering(url) as connection:
            value = connection.scalar(select(column).where(mine))
            other = value + timedelta(days=1) if column.name == "at" else "lifted" if value == "placed" else f"{value}x"
            connection.execute(key.table.update().where(mine).values({column.name: other}))
        assert await problem_of(records) == f"ledger entry {number} ({book} {entry}): the row was changed"
        with tampering(url) as connection:
            connection.execute(key.table.update().where(mine).values({column.name: value}))
        assert await problem_of(records) is None


async def test_an_old_backup_is_found_by_a_checkpoint_that_was_kept(tmp_path: Path) -> None:
    upgrade(sqlite_url(tmp_path))
    records = connect(sqlite_url(tmp_path))
    await written(records)
    await records.dispose()
    shutil.copy(tmp_path / "records.db", tmp_path / "backup.db")
    records = connect(sqlite_url(tmp_path))
    await record(records, *looks(1, after=90))
    await Checkpointer(records, KEYS, lambda: START).make()
    kept = (await vouched(records, KEYS)).last
    assert kept is not None
    await records.dispose()
    shutil.copy(tmp_path / "backup.db", tmp_path / "records.db")
    records = connect(sqlite_url(tmp_path))
    assert await problem_of(records) is None, "it is whole in itself"
    with pytest.raises(CheckpointError, match="an old backup restored"):
        check_pinned(kept, KEYS, await vouched(records, KEYS))
    await records.dispose()


async def test_a_row_that_is_gone_before_it_was_entered_is_found(records: Database, url: str) -> None:
    await record(records, *looks(2))
    with tampering(url) as connection:
        connection.execute(text("DELETE FROM accesses WHERE who = 'p-1'"))
    await Checkpointer(records, KEYS, lambda: START).make()
    assert (await problem_of(records) or "").endswith("the row was deleted, or is no text any more")


async def test_waiting_again_changes_nothing(records: Database) -> None:
    """The application may write there: it stops neither the ledger nor the checkpoints."""
    await written(records)
    again = text("INSERT INTO ledger_waiting (book, entry) SELECT book, entry FROM ledger WHERE number < 4")
    await records.write(lambda connection: connection.execute(again))
    assert await enter_all(records) == 3
    assert await problem_of(records) is None


Mutation = Callable[[sqlite3.Connection, random.Random], int]
"""Changes the books or the ledger; the number of the entry that must be named."""


def place(raw: sqlite3.Connection, number: int) -> tuple[str, str, str]:
    book, entry = raw.execute("SELECT book, entry FROM ledger WHERE number = ?", (number,)).fetchone()
    return book, BOOKS[book].name, entry


def edit_a_row(raw: sqlite3.Connection, chance: random.Random) -> int:
    number = chance.randint(1, ENTRIES)
    book, key, entry = place(raw, number)
    names = [one.name for one in BOOKS[book].table.columns if one.name not in (key, "act", "protocol_hash")]
    raw.execute(f"UPDATE {book} SET {chance.choice(names)} = 'x' WHERE {key} = ?", (entry,))
    return number


def delete_a_row(raw: sqlite3.Connection, chance: random.Random) -> int:
    number = chance.randint(1, ENTRIES)
    book, key, entry = place(raw, number)
    raw.execute(f"DELETE FROM {book} WHERE {key} = ?", (entry,))
    return number


def edit_an_entry(raw: sqlite3.Connection, chance: random.Random) -> int:
    number = chance.randint(1, ENTRIES)
    column = chance.choice(["book", "entry", "content", "previous_hash", "hash"])
    raw.execute(f"UPDATE ledger SET {column} = ? WHERE number = ?", (f"{chance.random()}", number))
    return number


def delete_an_entry(raw: sqlite3.Connection, chance: random.Random) -> int:
    number = chance.randint(1, ENTRIES)
    raw.execute("DELETE FROM ledger WHERE number = ?", (number,))
    return number


def cut_the_end(raw: sqlite3.Connection, chance: random.Random) -> int:
    """With the rows: nothing else tells of them."""
    number = chance.randint(1, ENTRIES)
    for one in range(number, ENTRIES + 1):
        book, key, entry = place(raw, one)
        raw.execute(f"DELETE FROM {book} WHERE {key} = ?", (entry,))
    raw.execute("DELETE FROM ledger WHERE number >= ?", (number,))
    return number


def swap_two_entries(raw: sqlite3.Connection, chance: random.Random) -> int:
    first, second = sorted(chance.sample(range(1, ENTRIES + 1), 2))
    for here, there in ((first, 99), (second, first), (99, second)):
        raw.execute("UPDATE ledger SET number = ? WHERE number = ?", (there, here))
    return first


def hash_an_edit_anew(raw: sqlite3.Connection, chance: random.Random) -> int:
    """The entry after it, or the mark on the last one, knows better."""
    number = chance.randint(1, ENTRIES)
    forge(raw, number, number)
    return number


def rewrite_to_the_end(raw: sqlite3.Connection, chance: random.Random) -> int:
    """All that follows is made to fit: the first mark of a checkpoint from there on knows better."""
    number = chance.randint(1, ENTRIES)
    forge(raw, number, ENTRIES)
    return min(one for one in MARKED if one >= number)


def take_one_out_and_close_up(raw: sqlite3.Connection, chance: random.Random) -> int:
    """A look never was; every entry behind it moves up."""
    number = chance.randint(1, ENTRIES)
    book, key, entry = place(raw, number)
    raw.execute(f"DELETE FROM {book} WHERE {key} = ?", (entry,))
    raw.execute("DELETE FROM ledger WHERE number = ?", (number,))
    raw.execute("UPDATE ledger SET number = number + 100 WHERE number > ?", (number,))
    raw.execute("UPDATE ledger SET number = number - 101 WHERE number > 100")
    forge(raw, number, ENTRIES - 1, edit=False)
    return min(one for one in MARKED if one >= number)


def put_a_row_in(raw: sqlite3.Connection, chance: random.Random) -> int:
    """Past the guards: it stands in no ledger."""
    values = (f"forged-{chance.random()}", START.isoformat(), "eve", "auditor", "read", "", "client-1", "", "{}")
    raw.execute("INSERT INTO accesses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    return 0


def forge(raw: sqlite3.Connection, first: int, last: int, edit: bool = True) -> None:
    """Make entries fit again, after an edit of the first row or not, as somebody does who knows the format."""
    before = NOTHING_BEFORE
    if first > 1:
        (before,) = raw.execute("SELECT hash FROM ledger WHERE number = ?", (first - 1,)).fetchone()
    for number in range(first, last + 1):
        row = raw.execute("SELECT book, entry, content FROM ledger WHERE number = ?", (number,)).fetchone()
        if row is None:
            return
        book, entry, content = row
        if number == first and edit:
            table = BOOKS[book].table
            name = "said" if book == "publications" else "version" if book == "releases" else "who"
            raw.execute(f"UPDATE {table.name} SET {name} = 'eve' WHERE {BOOKS[book].name} = ?", (entry,))
            content = content_of(raw, book, entry)
        hashed = hash_of(before, number, book, entry, content)
        raw.execute(
            "UPDATE ledger SET content = ?, previous_hash = ?, hash = ? WHERE number = ?",
            (content, before, hashed, number),
        )
        before = str(hashed)


def content_of(raw: sqlite3.Connection, book: str, entry: str) -> str:
    names = [str(one.name) for one in BOOKS[book].table.columns]
    row = raw.execute(f"SELECT {', '.join(names)} FROM {book} WHERE {BOOKS[book].name} = ?", (entry,)).fetchone()
    return sha256(canonical(dict(zip(names, row, strict=True)))).hexdigest()


MUTATORS: Sequence[Mutation] = (
    *(edit_a_row, delete_a_row, edit_an_entry, delete_an_entry, cut_the_end, swap_two_entries, hash_an_edit_anew),
    *(rewrite_to_the_end, take_one_out_and_close_up, put_a_row_in),
)


@pytest.fixture
async def whole(tmp_path: Path) -> Path:
    """Untouched records whose triggers somebody took away."""
    upgrade(sqlite_url(tmp_path))
    records = connect(sqlite_url(tmp_path))
    await written(records)
    await records.dispose()
    with sqlite3.connect(tmp_path / "records.db") as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
    raw.close()
    return tmp_path / "records.db"


async def named(whole: Path, mutate: Mutation, seed: int) -> None:
    shutil.copy(whole, path := whole.with_name("changed.db"))
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        expected = mutate(raw, random.Random(seed))
    raw.close()
    records = connect(f"sqlite:///{path}", pool_size=1)
    problem = await problem_of(records)
    await records.dispose()
    assert problem is not None, f"{mutate.__name__} {seed} was not found"
    if expected == 0:
        assert "never entered" in problem, f"{mutate.__name__} {seed}: {problem}"
    else:
        assert f"ledger entry {expected} " in problem, f"{mutate.__name__} {seed}, expected {expected}: {problem}"


@pytest.mark.parametrize("mutate", MUTATORS, ids=lambda one: one.__name__)
async def test_every_kind_of_change_is_found_at_its_entry(whole: Path, mutate: Mutation) -> None:
    for seed in range(5):
        await named(whole, mutate, seed)


@pytest.mark.full
async def test_many_random_changes_are_all_found_at_their_entry(whole: Path) -> None:
    chance, kinds = random.Random(7), Counter[str]()
    for seed in range(MUTATIONS):
        mutate = chance.choice(MUTATORS)
        await named(whole, mutate, seed)
        kinds[mutate.__name__] += 1
    assert len(kinds) == len(MUTATORS)
