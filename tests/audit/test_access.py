"""Who looked at what, which client may not be destroyed, and which release decided when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from audit.access import Access, Sought, looked, record
from audit.database import Database
from audit.holds import hold, lift, standing
from audit.releases import Release, Seen, in_use, note_in, present, rules_of
from audit.store import Store
from tests.audit.records import RING, START, fill, rows, summary

HOUR = timedelta(hours=1)


async def test_who_looked_is_told_by_client_by_episode_and_by_person(store: Store, records: Database):
    await fill(store, 2)
    look = Access(START, "lee", "auditor", "read", "yearly review", episode_id="ep-1", detail={"page": "timeline"})
    later = Access(START + HOUR, "ada", "auditor", "exported", client_ref="client-2")
    await record(records, look, later)
    await record(records)
    (found,) = await looked(records, Sought(client_ref="client-1"))
    assert (found.who, found.what, found.episode_id, found.detail) == ("lee", "read", "ep-1", {"page": "timeline"})
    assert await looked(records, Sought(episode_id="ep-1")) == (found,)
    assert await looked(records, Sought(who="ada")) == (later,)
    assert await looked(records, Sought()) == (later, found), "latest first"
    assert await looked(records, Sought(), limit=1) == (later,)
    assert await looked(records, Sought(client_ref="client-1", who="ada")) == ()


async def test_a_hold_stands_until_it_is_lifted(records: Database):
    assert await standing(records) == {}
    await hold(records, "client-1", "lee", "subpoena 4", START)
    await hold(records, "client-2", "lee", "subpoena 5", START)
    await lift(records, "client-1", "ada", "case closed", START + HOUR)
    assert {name: one.reason for name, one in (await standing(records)).items()} == {"client-2": "subpoena 5"}
    await hold(records, "client-1", "lee", "reopened", START + 2 * HOUR)
    assert set(await standing(records)) == {"client-1", "client-2"}


async def test_a_release_is_noted_when_it_first_records(store: Store, records: Database):
    made = await fill(store, 1)
    (seen,) = await in_use(records, START, seen_until := START + timedelta(days=3650))
    assert seen.release == present()
    await store.append(rows(1, head=made[-1].head), summary(2))
    await Store(records, RING).append(rows(1, "ep-2"), summary(1, "ep-2"))
    assert await in_use(records, START, seen_until) == (seen,), "the same release is noted once"
    later = Seen(seen.at + HOUR, Release("9", "ab" * 32))
    await records.write(lambda connection: note_in(connection, later.release, later.at))
    assert await in_use(records, START, seen_until) == (seen, later)
    assert await in_use(records, later.at, later.at) == (later,), "the one before it decides no more"
    assert await in_use(records, later.at - HOUR / 2, later.at - HOUR / 2) == (seen,)


def test_the_rules_have_another_hash_when_a_file_of_them_has(tmp_path: Path):
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "notes.txt").write_text("not code")
    before = rules_of(tmp_path)
    (tmp_path / "notes.txt").write_text("still not code")
    assert rules_of(tmp_path) == before
    (tmp_path / "a.py").write_text("x = 2\n")
    assert rules_of(tmp_path) != before
    assert len(present().rules) == 64
