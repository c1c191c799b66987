"""Each row exactly once, in order, whatever is delivered how often."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from audit.database import Database
from audit.queries import Filter, Queries
from audit.store import ConflictError, DamagedBatchError, GapError, Store
from audit.tables import client_keys, trail
from audit.verify import Verifier
from protocol.trail import Head, Wrong, genesis
from tests.audit.records import RING, START, event_row, fill, owed, rows, summary


async def count(records: Database) -> int:
    query = select(func.count()).select_from(trail)
    return await records.read(lambda connection: connection.execute(query).scalar_one())


async def test_a_batch_comes_back_as_it_went_in(store: Store, queries: Queries):
    made = rows(3, note="Zoë said “no” 🪨", score=7, seen=None, list=["a", 1.5])
    assert await store.append(made, summary(3)) == made[-1].head
    assert await queries.trail_rows("ep-1") == tuple(made)
    assert await queries.trail_rows("ep-1", after=1, limit=1) == (made[1],)
    assert await store.head("ep-1") == made[-1].head
    assert await store.head("ep-2") == genesis("ep-2")


async def test_a_batch_delivered_twice_changes_nothing(store: Store, queries: Queries, records: Database):
    made = rows(3)
    for _ in range(2):
        assert await store.append(made, summary(3)) == made[-1].head
    assert await count(records) == 3
    assert await queries.get_episode("ep-1") == summary(3)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cuts=st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1, max_size=8))
async def test_overlapping_late_and_repeated_batches_make_one_trail(
    store: Store, records: Database, cuts: list[tuple[int, int]]
):
    episode_id = f"ep-{uuid4()}"
    made = rows(8, episode_id)
    reached = 0
    for first, last in cuts:
        batch = made[first - 1 : last]
        if not batch:
            continue
        if first > reached + 1:
            with pytest.raises(GapError):
                await store.append(batch, summary(last, episode_id))
            continue
        reached = max(reached, last)
        assert await store.append(batch, summary(last, episode_id)) == made[reached - 1].head
    verdict = await Verifier(records, RING).episode(episode_id)
    assert (verdict.rows, verdict.fault) == (reached, None)


async def test_a_gap_is_refused_and_named(store: Store, records: Database):
    made = rows(5)
    await store.append(made[:2], summary(2))
    with pytest.raises(GapError, match="next row is 3, the batch brings 4") as refused:
        await store.append(made[3:], summary(5))
    assert (refused.value.expected, refused.value.got) == (3, 4)
    with pytest.raises(GapError, match="next row is 1, the batch brings 2"):
        await store.append(rows(2, "ep-2")[1:], summary(2, "ep-2"))
    with pytest.raises(DamagedBatchError) as damaged:
        await store.append([made[2], made[4]], summary(5))
    assert (damaged.value.fault.wrong, damaged.value.fault.sequence) == (Wrong.MISSING, 4)
    assert await count(records) == 2


async def test_a_conflicting_row_is_refused_and_named(store: Store, records: Database):
    made = rows(3)
    await store.append(made, summary(3))
    others = [*made[:1], *rows(3, head=made[0].head, note="another")]
    with pytest.raises(ConflictError, match="row 2") as refused:
        await store.append(others, summary(4))
    assert refused.value.sequence == 2
    with pytest.raises(ConflictError, match="row 4"):
        await store.append(others[3:], summary(4))
    assert await count(records) == 3


async def test_a_batch_damaged_on_its_way_is_refused(store: Store, records: Database):
    made = rows(3)
    for damaged, at in (
        ([made[0], replace(made[1], actor="kim"), made[2]], 2),
        ([made[0], made[1], replace(made[2], payload={"event": {}})], 3),
        ([*made[:2], *rows(3, "ep-2")[2:]], 3),
    ):
        with pytest.raises(DamagedBatchError) as refused:
            await store.append(damaged, summary(3))
        assert refused.value.fault.sequence == at
    with pytest.raises(ValueError, match="without rows"):
        await store.append([], summary(3))
    with pytest.raises(ValueError, match="without payload"):
        await store.append([replace(made[0], payload=None, salt=None)], summary(3))
    assert await count(records) == 0


async def test_writers_of_the_same_episode_do_not_disturb_each_other(store: Store, records: Database):
    made = rows(12)
    batches = [made[:4], made[:8], made[:12], made[4:8], made[6:12], made[:1]] * 3
    results = await asyncio.gather(
        *(store.append(batch, summary(batch[-1].sequence)) for batch in batches), return_exceptions=True
    )
    assert {type(result) for result in results} <= {Head, GapError}
    verdict = await Verifier(records, RING).episode("ep-1", made[-1].head)
    assert (verdict.rows, verdict.fault) == (12, None)


async def test_many_episodes_of_a_new_client_share_one_key(store: Store, records: Database):
    await asyncio.gather(*(fill(store, 2, f"ep-{number}") for number in range(12)))
    keys = select(func.count()).select_from(client_keys)
    assert await records.read(lambda connection: connection.scalar(keys)) == 1
    verdicts = [verdict async for verdict in Verifier(records, RING).all()]
    assert [(verdict.rows, verdict.fault) for verdict in verdicts] == [(2, None)] * 12


async def test_a_transaction_that_fails_halfway_leaves_nothing(store: Store, queries: Queries, records: Database):
    await fill(store, 2)
    later = rows(2, head=(await store.head("ep-1")))
    with pytest.raises(DBAPIError):  # two obligations under one id: the last statement fails
        await store.append(later, summary(4, obligations=(owed(), owed())))
    assert await count(records) == 2
    assert await queries.get_episode("ep-1") == summary(2)
    assert await store.append(later, summary(4)) == later[-1].head


async def test_an_older_summary_does_not_replace_a_newer_one(store: Store, queries: Queries):
    made = rows(4)
    await store.append(made[:2], summary(9, stage="coping", obligations=()))
    await store.append(made[2:], summary(4))
    assert await queries.get_episode("ep-1") == summary(9, stage="coping", obligations=())


async def test_pages_are_listed_from_their_rows(store: Store, queries: Queries):
    requested = {"page_id": "p-1", "obligation_id": "ob-1", "rung": 0, "role": "therapist", "channels": ["email"]}
    first = event_row(genesis("ep-1"), "PageRequested", requested)
    report = {"page_id": "p-1", "delivered": False, "recipients": ["lee"], "detail": "mailbox full"}
    second = event_row(first.head, "PageReported", report)
    await store.append([first], summary(1))
    (page,) = await queries.pages("ep-1")
    assert (page.delivered, page.reported_at, page.channels) == (None, None, ("email",))
    await store.append([first, second], summary(2))
    (page,) = await queries.pages()
    assert (page.delivered, page.recipients, page.detail) == (False, ("lee",), "mailbox full")
    assert page.reported_at == second.recorded_at
    assert await queries.pages("ep-2") == ()
    unheard = await queries.unheard(second.recorded_at + timedelta(seconds=1))
    assert (unheard.count, unheard.since) == (1, second.recorded_at)
    assert (await queries.unheard(second.recorded_at)).count == 0


async def test_a_protocol_is_kept_once_under_its_hash(store: Store, queries: Queries):
    document = '{"name":"virtual_iop_crisis"}'
    content_hash = hashlib.sha256(document.encode()).hexdigest()
    for _ in range(2):
        await store.save_protocol(content_hash, "virtual_iop_crisis", "1", document)
    kept = await queries.get_protocol(content_hash)
    assert kept is not None
    assert (kept.name, kept.version, kept.document) == ("virtual_iop_crisis", "1", document)
    assert await queries.get_protocol("00" * 32) is None
    with pytest.raises(ValueError, match="does not have the hash"):
        await store.save_protocol("00" * 32, "virtual_iop_crisis", "1", document)


async def test_lists_filter_and_sort(store: Store, queries: Queries):
    soon, later = START + timedelta(hours=1), START + timedelta(hours=9)
    late = owed(due_at=soon, missed=True)
    await fill(store, 1, "ep-later", next_deadline=later, risk="low", obligations=(owed(due_at=later),))
    await fill(store, 1, "ep-soon", next_deadline=soon, risk="imminent", owner="kim", obligations=(late,))
    await fill(store, 1, "ep-idle", next_deadline=None, client_ref="client-2", obligations=())
    await fill(store, 1, "ep-closed", next_deadline=None, closed_at=later, obligations=(), drill=True)

    async def ids(which: Filter) -> list[str]:
        return [episode.episode_id for episode in await queries.list_episodes(which)]

    assert await ids(Filter()) == ["ep-soon", "ep-later", "ep-closed", "ep-idle"]
    assert await ids(Filter(open=True)) == ["ep-soon", "ep-later", "ep-idle"]
    assert await ids(Filter(open=False)) == ["ep-closed"]
    assert await ids(Filter(owner="kim")) == ["ep-soon"]
    assert await ids(Filter(client_ref="client-2")) == ["ep-idle"]
    assert await ids(Filter(protocol="another")) == []
    assert len(await ids(Filter(protocol=summary(1).protocol, version=summary(1).protocol_version))) == 4
    assert len(await ids(Filter(version=summary(1).protocol_hash[:8]))) == 4
    assert await ids(Filter(version="%")) == await ids(Filter(version="0.0.7")) == []
    assert await ids(Filter(risk_at_least="high", open=True)) == ["ep-soon", "ep-idle"]
    assert await ids(Filter(overdue_at=soon)) == ["ep-soon"]
    assert await ids(Filter(overdue_at=later)) == ["ep-soon", "ep-later"]
    with pytest.raises(ValueError, match="no risk level 'huge'"):
        await ids(Filter(risk_at_least="huge"))
    assert len(await queries.list_episodes(Filter(), limit=2)) == 2

    due = await queries.open_obligations()
    assert [(one.episode_id, one.risk) for one in due] == [("ep-soon", "imminent"), ("ep-later", "low")]
    assert due[0].obligation == late
    assert await queries.open_obligations(owner="nobody") == ()
    assert len(await queries.open_obligations(due_by=soon)) == 1
    totals = await queries.counts(later)
    assert (totals.open_episodes, totals.closed_episodes) == (3, 1)
    assert (totals.open_obligations, totals.overdue_obligations, totals.unreported_pages) == (2, 2, 0)
