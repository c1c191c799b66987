"""Who looked, legal holds, publications and releases: whoever changes one behind our back is found, at that one."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import select, text

from activities.ends import Ends
from audit.access import Access, as_row, record, record_rows
from audit.checkpoints import Checkpointer, check_pinned, vouched
from audit.database import Database, connect, connect_sync, for_writing
from audit.holds import hold, lift
from audit.ledger import BOOKS, LEDGER, check_ledger, enter_all
from audit.migrate import _config, upgrade  # pyright: ignore[reportPrivateUsage]
from audit.publications import Publications
from audit.releases import Release, note_in
from audit.signatures import CheckpointError, SigningKeys
from audit.spool import Spool
from audit.store import Store
from audit.tables import ledger
from audit.verification import Wanted, verification
from protocol.publishing import Publication
from tests.audit.records import RING, START, fill, sqlite_url, tampering
from tests.protocol.specs import compact
from workflows.client import EngineUnavailableError, EpisodeClient

KEYS = SigningKeys([("s1", b"s" * 32)])
LOOKS = 8
ENTRIES = LOOKS + 4
"""And two holds, a publication, a release."""
MARKED = (5, ENTRIES)


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
            value: Any = connection.scalar(select(column).where(mine))
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
