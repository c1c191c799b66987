from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any

import pytest
from sqlalchemy import insert

from audit.database import Database
from audit.projections import project
from audit.store import Store
from audit.tables import tallies
from audit.trends import Wait, trends, withheld, within
from audit.versions import versions
from protocol.trail import Head, TrailRow, genesis
from tests.audit.records import START, event_row, summary

NOW = START + timedelta(days=1)
VERSION = "virtual_iop_crisis 1"


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"a": 0, "b": 9}, {"a": 0, "b": 9}),
        ({"a": 4, "b": 9, "c": 20}, {"a": None, "b": None, "c": 20}),
        ({"a": 4, "b": 4, "c": 20}, {"a": None, "b": None, "c": 20}),
        ({"a": 1, "b": 1, "c": 7, "d": 20}, {"a": None, "b": None, "c": None, "d": 20}),
        ({"a": 3}, {"a": None}),
    ],
)
def test_small_numbers_are_withheld_and_what_would_tell_them_by_subtraction(
    counts: Mapping[str, int], expected: Mapping[str, int | None]
):
    assert withheld(counts) == expected


def test_what_another_list_would_give_away_is_withheld_too():
    assert withheld({"a": 9, "b": 30}, {"a"}) == {"a": None, "b": 30} | {"b": None}


@pytest.mark.parametrize(("share", "minutes"), [(0.5, 2), (0.9, 9), (1.0, 30)])
def test_shares_are_counted_by_hand(share: float, minutes: int):
    """Ten pages: 1 1 1 2 2 2 3 4 9 30 minutes."""
    assert within({1: 3, 2: 3, 3: 1, 4: 1, 9: 1, 30: 1}, share) == minutes


def told(episode_id: str, *events: Mapping[str, Any]) -> list[TrailRow]:
    """Rows of an episode, one for each event."""
    head: Head = genesis(episode_id)
    rows: list[TrailRow] = []
    for event in events:
        rows.append(event_row(head, str(event["kind"]), dict(event), episode_id))
        head = rows[-1].head
    return rows


PAGE: dict[str, Any] = {
    "kind": "PageRequested",
    "page_id": "p1",
    "obligation_id": "call-1",
    "obligation": "call",
    "rung": 0,
    "role": "owner",
    "channels": [],
}
ON_IT: dict[str, Any] = {"kind": "Acknowledged", "obligation_id": "call-1", "obligation": "call"}


async def test_a_year_is_counted_by_hand_without_drills(store: Store, records: Database):
    """Seven episodes, one of them an exercise: each relapses, misses a call, overrules the advice and ends."""
    decided = {"kind": "DecisionRecorded", "decision": "step_up", "option": "stay", "advised": "php"}
    for number in range(7):
        rows = told(
            f"ep-{number}",
            {"kind": "CrisisTypeRecorded", "crisis_type": "relapse"},
            PAGE,
            {"kind": "DeadlineMissed", "obligation": "call"},
            ON_IT,
            decided,
            {"kind": "EpisodeClosed", "outcome": "stabilised"},
        )
        await store.append(rows, summary(6, f"ep-{number}", drill=number == 6, opened_at=START))
        await store.append(rows, summary(6, f"ep-{number}", drill=number == 6, opened_at=START))  # comes twice
    old = summary(1, "old", opened_at=START - timedelta(days=400))
    await records.write(lambda connection: project(connection, [], old))
    found = await trends(records, NOW)
    assert found.by_level["high"] == 6
    assert found.by_month["2026-11"] == 6
    assert found.by_month["2026-10"] == 0
    assert found.missed_by_month["2026-11"] == 6
    assert found.named["crisis"] == {"relapse": 6}
    assert found.named["missed"] == {"call": 6}
    assert found.named["decided"] == {"step_up/stay": 6}
    assert found.named["overruled"] == {"step_up/php/stay": 6}
    assert found.named["closed"] == {"stabilised": 6}
    assert found.waits["2026-11"] == Wait(6, 0, 0)
    assert found.versions == (VERSION,)
    assert (await trends(records, NOW, VERSION)).named["crisis"] == {"relapse": 6}
    assert (await trends(records, NOW, "another 2")).named["crisis"] == {}


async def test_a_month_begins_at_midnight_in_utc(records: Database):
    begins = datetime(2026, 11, 1, tzinfo=UTC)
    opened = [begins - timedelta(microseconds=1)] * 5 + [begins] * 6
    made = [summary(1, f"ep-{number}", opened_at=at) for number, at in enumerate(opened)]
    await records.write(lambda connection: [project(connection, [], one) for one in made])
    by_month = (await trends(records, NOW)).by_month
    assert (by_month["2026-10"], by_month["2026-11"]) == (5, 6)


async def test_one_version_gives_nothing_away_about_the_rest(records: Database):
    rows = [("1", 9), ("2", 3)]
    await records.write(
        lambda connection: connection.execute(
            insert(tallies), [tally(f"{version}-{n}", version) for version, count in rows for n in range(count)]
        )
    )
    assert (await trends(records, NOW)).named["crisis"] == {"relapse": 12}
    assert (await trends(records, NOW, "p 1")).named["crisis"] == {"relapse": None}


def tally(tally_id: str, version: str, kind: str = "crisis", minutes: int | None = None) -> dict[str, object]:
    """One thing that was counted in this month."""
    names = {"protocol": "p", "protocol_version": version, "kind": kind, "name": "relapse"}
    return {"tally_id": tally_id, "month": f"{NOW:%Y-%m}", **names, "minutes": minutes}


@pytest.mark.full
async def test_a_year_of_five_thousand_episodes_is_told_in_a_second(records: Database):
    """Fifteen things counted for each; measured as our processor time."""
    made = [
        tally(f"{number}", "1", ("crisis", "missed", "acknowledged")[number % 3], number % 90)
        for number in range(75_000)
    ]
    await records.write(lambda connection: connection.execute(insert(tallies), made))
    began = process_time()
    await trends(records, NOW)
    assert process_time() - began < 1


async def test_versions_say_where_they_run(store: Store, records: Database):
    content_hash = hashlib.sha256(b"{}").hexdigest()
    await store.save_protocol(content_hash, "virtual_iop_crisis", "1.0.0", "{}")
    known = [summary(1, "a", protocol_hash=content_hash), summary(1, "b", protocol_hash=content_hash, closed_at=NOW)]
    await records.write(lambda connection: [project(connection, [], one) for one in known])
    (found,) = await versions(records)
    assert (found.running, found.ended) == (1, 1)
