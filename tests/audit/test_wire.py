"""The wire to PostgreSQL is slow, breaks in the middle of a transaction, or falls silent: each row is there once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from audit import database
from audit.database import Database, connect
from audit.store import Store
from audit.verify import Verifier
from protocol.trail import Head
from tests.audit.records import RING, rows, summary
from tests.workflows.wire import Wire, wire

pytestmark = [pytest.mark.full, pytest.mark.parametrize("url", ["postgresql"], indirect=True)]


@pytest.fixture
async def far(url: str) -> AsyncIterator[tuple[Database, Wire]]:
    """The records at the far end of a wire."""
    address = make_url(url)
    socket = Path(str(address.query["host"])) / ".s.PGSQL.5432"
    async with wire(socket) as (between, port):
        there = address.set(host="127.0.0.1", port=port, query={"sslmode": "disable", "gssencmode": "disable"})
        records = connect(there.render_as_string(hide_password=False), pool_size=2)
        yield records, between
        between.mend()
        await records.dispose()


async def tries(store: Store, after: Head, count: int = 3) -> tuple[Head, int]:
    """Append rows as the activity does: again until it is done. The new head, and how often it failed."""
    batch = rows(count, head=after if after.sequence else None)
    failed = 0
    while True:
        try:
            return await store.append(batch, summary(after.sequence + count)), failed
        except DBAPIError:
            failed += 1


async def test_a_reset_at_any_piece_of_a_transaction_leaves_all_of_it_or_nothing(far: tuple[Database, Wire]):
    records, between = far
    store = Store(records, RING)
    head, _ = await tries(store, Head(0, ""))
    broken = 0
    for pieces in range(200):
        between.break_after(pieces)
        head, failed = await tries(store, head)
        if between.has_yet_to_break:  # the whole transaction passed
            break
        broken += bool(failed)
    between.mend()
    assert broken > 10, "it broke at each piece: the first statement, the rows, the commit, its answer"
    assert head.sequence == 3 * (pieces + 2)
    assert (await Verifier(records, RING).episode("ep-1", head)).fault is None


async def test_a_slow_wire_only_takes_time(far: tuple[Database, Wire]):
    records, between = far
    between.seconds = 0.02
    store = Store(records, RING)
    head = Head(0, "")
    for _ in range(3):
        head, failed = await tries(store, head)
        assert not failed
    assert (await Verifier(records, RING).episode("ep-1", head)).fault is None


async def test_a_connection_that_falls_silent_is_given_up(far: tuple[Database, Wire], monkeypatch: pytest.MonkeyPatch):
    """Something between us takes every packet and hands none on: TCP itself sees nothing wrong."""
    monkeypatch.setattr(database, "SILENT_SECONDS", 0.5)
    records, between = far
    store = Store(records, RING)
    head, _ = await tries(store, Head(0, ""))
    broken = 0
    for pieces in (0, 3, 5, 8, 10):  # while it is tried, at the first statements, while the rows are written
        between.break_after(pieces, silently=True)
        async with asyncio.timeout(60):
            head, failed = await tries(store, head)
        assert not between.has_yet_to_break
        broken += failed
    assert broken >= 3
    assert (await Verifier(records, RING).episode("ep-1", head)).fault is None
