from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from audit.database import Database
from audit.projections import project
from audit.store import Store
from audit.trends import SMALLEST, shown, trends
from audit.versions import versions
from protocol.trail import genesis
from tests.audit.records import START, event_row, summary

NOW = START + timedelta(days=1)


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, None), (SMALLEST - 1, None), (SMALLEST, SMALLEST)])
def test_small_numbers_are_withheld(count: int, expected: int | None):
    assert shown(count) == expected


async def test_a_year_is_counted_without_drills(store: Store, records: Database):
    for number in range(7):
        episode_id = f"ep-{number}"
        missed = event_row(genesis(episode_id), "DeadlineMissed", {"kind": "DeadlineMissed"}, episode_id)
        drill = number == 6
        await store.append([missed], summary(1, episode_id, drill=drill, opened_at=START))
    old = summary(1, "old", opened_at=START - timedelta(days=400))
    await records.write(lambda connection: project(connection, [], old))
    found = await trends(records, NOW)
    assert found.by_level["high"] == 6
    assert found.happened["Deadlines missed"] == 6
    assert found.missed_by_month["2026-11"] == 6
    assert found.by_month["2026-10"] == 0


async def test_versions_say_where_they_run(store: Store, records: Database):
    content_hash = hashlib.sha256(b"{}").hexdigest()
    await store.save_protocol(content_hash, "virtual_iop_crisis", "1.0.0", "{}")
    known = [summary(1, "a", protocol_hash=content_hash), summary(1, "b", protocol_hash=content_hash, closed_at=NOW)]
    await records.write(lambda connection: [project(connection, [], one) for one in known])
    (found,) = await versions(records)
    assert (found.running, found.ended) == (1, 1)
