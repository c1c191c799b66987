"""Whoever changes what the watchdog and the boards read is found, at the first wrong column."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, text, update

from audit.database import Database, connect
from audit.keys import destroy
from audit.lists import Comparison, Lists
from audit.migrate import upgrade
from audit.store import Store
from audit.tables import episodes, obligations, pages, protocols, trail
from audit.verify import Verdict, Verifier
from protocol import commands as c
from protocol.summary import summarise
from tests.audit.records import RING, START, fill, sqlite_url, tampering
from tests.protocol.specs import compact
from tests.protocol.story import Story

TABLES = (episodes, obligations, pages)


async def recorded(store: Store) -> Story:
    """An episode with a missed deadline, open obligations, reported pages and one that is not, in the records."""
    story = Story.begun().in_follow_up()
    story.later("73h").contact(ago="2h")
    requested = [row.payload["event"]["page_id"] for row in story.engine.rows if row.payload and _asks(row.kind)]
    for page_id in requested[:-1]:
        told = {"page_id": page_id, "delivered": True, "recipients": ("mara", "ruth"), "detail": "sent"}
        story.do(c.ReportPage, by="system", role="system", **told)
    spec = compact()
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    for rows in (story.engine.rows[:7], story.engine.rows):
        await store.append(rows, summarise(spec, story.episode))
    return story


def _asks(kind: str) -> bool:
    return kind == "PageRequested"


async def compared(records: Database, verdict: Verdict | None = None) -> Comparison:
    verdict = verdict or await Verifier(records, RING).episode("ep-1")
    (found,) = [one async for one in Lists(records, RING).compare([verdict])]
    return found


def changed(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case datetime():
            return value + timedelta(microseconds=1)
        case list():
            return [*value, "x"]
        case None:
            return None
        case _:
            return f"{value}x"


async def test_untouched_lists_say_what_the_trail_says(store: Store, records: Database):
    story = await recorded(store)
    assert story.episode.obligations
    assert await compared(records) == Comparison("ep-1")
    await fill(store, 3, "ep-2")
    (other,) = [one async for one in Lists(records, RING).compare([await Verifier(records, RING).episode("ep-2")])]
    assert other.skipped == "its rows are no steps of an episode"


async def test_every_edited_column_is_named(store: Store, records: Database, url: str):
    await recorded(store)
    verdict = await Verifier(records, RING).episode("ep-1")
    for table in TABLES:
        keys = [table.c[key.name] for key in table.primary_key.columns]
        query = select(table).order_by(*keys).limit(1)
        (line,) = await records.read(lambda at, query=query: at.execute(query).mappings().all())
        here = [key == line[key.name] for key in keys]
        for column in [one.name for one in table.columns]:
            value = START if line[column] is None else changed(line[column])
            value = True if column == "delivered" and line[column] is None else value
            with tampering(url) as connection:
                connection.execute(update(table).where(*here).values({column: value}))
            found = await compared(records, verdict)
            expect_named(found, table, column)
            with tampering(url) as connection:
                moved = [(key == (value if key.name == column else line[key.name])) for key in keys]
                connection.execute(update(table).where(*moved).values(dict(line)))
        assert await compared(records) == Comparison("ep-1"), table.name


def expect_named(found: Comparison, table: Table, column: str) -> None:
    if (table.name, column) == ("episodes", "revision"):
        assert found.ahead is not None
        return
    assert found.disagreement is not None, column
    assert found.disagreement.table == table.name
    key = any(column == one.name for one in table.primary_key.columns)
    assert found.disagreement.column == ("" if key else column)


async def test_a_row_too_few_or_too_many_is_named(store: Store, records: Database, url: str):
    await recorded(store)
    for table in (obligations, pages):
        line = dict(
            (await records.read(lambda at, table=table: at.execute(select(table).limit(1)).mappings().all()))[0]
        )
        key = next(one.name for one in table.primary_key.columns if one.name != "episode_id")
        with tampering(url) as connection:
            connection.execute(insert(table), {**line, key: "zzz"})
        found = (await compared(records)).disagreement
        assert str(found) == (
            f"list {table.name}, episode ep-1, row zzz: the list says that there is one, the trail says nothing"
        )
        with tampering(url) as connection:
            connection.execute(delete(table).where(table.c[key].in_(["zzz", line[key]])))
        found = (await compared(records)).disagreement
        assert found is not None
        assert (found.table, found.key, found.column, found.listed) == (table.name, line[key], "", "nothing")
        with tampering(url) as connection:
            connection.execute(insert(table), line)
    with tampering(url) as connection:
        connection.execute(delete(episodes))
    found = (await compared(records)).disagreement
    assert found is not None
    assert (found.table, found.listed) == ("episodes", "nothing")


async def test_a_cut_off_tail_is_found_without_a_checkpoint(store: Store, records: Database, url: str):
    story = await recorded(store)
    last = story.episode.revision
    with tampering(url) as connection:
        connection.execute(delete(trail).where(trail.c.sequence > last - 3))
    found = await compared(records)
    assert str(found.ahead) == f"episode ep-1, row {last - 2}: truncated: the list of episodes knows row {last}"


async def test_a_list_that_stayed_behind_is_named(store: Store, records: Database, url: str):
    """A stale list leaves the watchdog blind, and whoever cut the trail could have lowered the number too."""
    story = await recorded(store)
    with tampering(url) as connection:
        connection.execute(update(episodes).values(revision=story.episode.revision - 1))
    found = (await compared(records)).disagreement
    assert found is not None
    assert (found.column, found.listed) == ("revision", str(story.episode.revision - 1))


async def test_what_cannot_be_compared_is_said(store: Store, records: Database, url: str):
    await recorded(store)
    with tampering(url) as connection:
        connection.execute(update(protocols).values(document="{}"))
    found = (await compared(records)).disagreement
    assert found is not None
    assert (found.table, found.column) == ("protocols", "document")
    await destroy(records, "client-1", START)
    assert (await compared(records)).skipped == "the client's key was destroyed"
    with tampering(url) as connection:
        connection.execute(update(trail).where(trail.c.sequence == 2).values(actor="somebody"))
    assert (await compared(records)).skipped == "its chain is damaged"


@pytest.mark.parametrize("value", ["X'ff'", "'soon'", "17", "''"])
async def test_what_sqlite_lets_into_a_column_is_named_and_shown_harmlessly(tmp_path: Path, value: str):
    url = sqlite_url(tmp_path)
    upgrade(url)
    records = connect(url)
    await recorded(Store(records, RING))
    for table, column in (("episodes", "next_deadline"), ("obligations", "due_at"), ("pages", "recipients")):
        with tampering(url) as connection:
            kept = connection.execute(text(f"SELECT rowid, {column} FROM {table} ORDER BY rowid LIMIT 1")).one()
            edit = f"UPDATE {table} SET {column} = CAST({value} AS TEXT) WHERE rowid = :rowid"
            connection.execute(text(edit), {"rowid": kept.rowid})
        found = (await compared(records)).disagreement
        assert found is not None
        assert (found.table, found.column) == (table, column)
        assert str(found).isprintable()
        with tampering(url) as connection:
            back = text(f"UPDATE {table} SET {column} = :value WHERE rowid = :rowid")
            connection.execute(back, {"value": kept[1], "rowid": kept.rowid})
    await records.dispose()
