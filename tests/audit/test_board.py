from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from time import process_time
from typing import Any

import pytest
from sqlalchemy import insert

from audit.board import Board, Watch
from audit.database import Database
from audit.projections import project
from audit.tables import rises
from protocol.spec import LEVELS
from protocol.summary import EpisodeSummary
from tests.audit.records import START, owed, summary

NOW = START + timedelta(days=10)
WHOLE = Watch()


async def known(records: Database, *summaries: EpisodeSummary) -> Board:
    await records.write(lambda connection: [project(connection, [], one) for one in summaries])
    return Board(records)


def episode(name: str, risk: str = "low", hours: float | None = 5, **changes: Any) -> EpisodeSummary:
    """An open episode whose one obligation is due so many hours from now."""
    due = () if hours is None else (owed(due_at=NOW + timedelta(hours=hours)),)
    return summary(1, name, risk=risk, **{"peak_risk": risk, "obligations": due, **changes})


async def ids(board: Board, which: Watch = WHOLE) -> Sequence[str]:
    return [one.episode_id for one in (await board.page(which, NOW))[0]]


async def test_the_worst_stand_first_and_then_the_latest(records: Database):
    board = await known(
        records,
        episode("calm", "low", 1),
        episode("later", "high", 3),
        episode("late", "high", -2),
        episode("nothing-owed", "high", None),
        episode("now", "imminent", 9),
        episode("exercise", "imminent", -9, drill=True),
        episode("over", "imminent", closed_at=NOW),
    )
    assert await ids(board) == ["now", "late", "later", "nothing-owed", "calm", "exercise"]
    rows, total = await board.page(Watch(), NOW, page=2, size=2)
    assert ([one.episode_id for one in rows], total) == (["later", "nothing-owed"], 6)


async def test_filters_leave_only_what_fits(records: Database):
    board = await known(
        records, episode("a", "high", -1, owner="maya"), episode("b", "low", -1), episode("c", drill=True)
    )
    assert await ids(board, Watch(owner="maya")) == ["a"]
    assert await ids(board, Watch(level="high")) == ["a"]
    assert await ids(board, Watch(late=True)) == ["a", "b"]
    assert await ids(board, Watch(drills=False)) == ["a", "b"]
    with pytest.raises(ValueError, match="no risk level 'dire'"):
        await board.page(Watch(level="dire"), NOW)


async def test_a_ladder_climbs_until_somebody_is_on_it(records: Database):
    paged = owed("paged", rung=0, next_page_at=NOW + timedelta(minutes=5))
    taken = owed("taken", rung=1, lease_until=NOW + timedelta(minutes=5))
    lapsed = owed("lapsed", rung=1, lease_until=NOW - timedelta(minutes=5), next_page_at=NOW)
    rehearsed = owed("rehearsed", rung=2, next_page_at=NOW - timedelta(minutes=5))
    board = await known(
        records,
        episode("a", obligations=(paged, taken, lapsed, owed("fresh"))),
        episode("exercise", drill=True, obligations=(rehearsed,)),
    )
    assert [one.obligation_id for one in await board.climbing(NOW)] == ["lapsed", "paged", "rehearsed"]
    assert [one.obligation_id for one in await board.climbing(NOW, limit=2)] == ["lapsed", "paged"]
    assert [one.obligation_id for one in await board.owed_of(["follow_up"])][-1] == "rehearsed"
    assert (await board.totals(NOW)).climbing == 2
    assert (await board.page(Watch(), NOW))[0][0].climbing


async def rose(records: Database, name: str, days: float, owner: str, level: str = "high") -> None:
    """The risk of an episode rose so many days ago, while somebody led it."""
    at = NOW - timedelta(days=days)
    row = {"episode_id": name, "sequence": int(days * 100), "at": at, "level": level, "owner": owner}
    await records.write(lambda connection: connection.execute(insert(rises), row))


async def test_a_load_counts_what_is_open_now(records: Database):
    board = await known(
        records,
        episode("a", "high", -1, owner="maya"),
        episode("b", "high", owner="maya"),
        episode("c", "imminent", owner="maya", closed_at=NOW),
        episode("d", "imminent", owner="maya", drill=True),
        episode("e", "low", owner="sam"),
    )
    first, second = await board.loads(NOW)
    assert (first.owner, first.episodes, first.severe, first.severe_clients, first.late) == ("maya", 2, 2, 1, 1)
    assert (second.owner, second.episodes, second.severe, second.late) == ("sam", 1, 0, 0)


async def test_what_was_severe_of_late_is_counted_for_whoever_led_it(records: Database):
    """An old episode that became imminent yesterday counts; one that was handed over counts for who led it then."""
    board = await known(
        records,
        episode("old", "imminent", owner="maya", opened_at=NOW - timedelta(days=10)),
        episode("handed-over", "low", owner="sam", closed_at=NOW),
        episode("long-ago", "high", owner="maya"),
        episode("exercise", "imminent", owner="maya", drill=True),
    )
    await rose(records, "old", 1, "maya", "imminent")
    await rose(records, "old", 2, "maya")
    await rose(records, "handed-over", 6, "maya")
    await rose(records, "long-ago", 7, "maya")
    await rose(records, "exercise", 1, "maya", "imminent")
    (maya,) = [one for one in await board.loads(NOW) if one.owner == "maya"]
    assert (maya.recent_severe, maya.recent_imminent) == (2, 1)
    assert maya.last_imminent == NOW - timedelta(days=1)
    assert [one.owner for one in await board.loads(NOW)] == ["maya"]


async def test_totals_leave_drills_out(records: Database):
    board = await known(records, episode("a", "high", -1), episode("b"), episode("c", "high", -1, drill=True))
    totals = await board.totals(NOW)
    assert (totals.episodes, totals.late_episodes) == (2, 1)
    assert totals.by_level == {"imminent": 0, "high": 1, "moderate": 0, "low": 1, "none": 0}


async def test_what_is_owed_of_a_kind(records: Database):
    board = await known(records, episode("a", obligations=(owed("one", kind="second_signature"), owed("two"))))
    assert [one.obligation_id for one in await board.owed_of(["second_signature"])] == ["one"]
    assert await board.owed_of([]) == ()


@pytest.mark.full
async def test_five_thousand_open_episodes_are_read_in_time(records: Database):
    """The page may take 120 ms on the server; reading is the larger part of it. Measured as our processor time."""
    made = [
        episode(
            f"ep-{number:05}",
            LEVELS[number % 5],
            owner=f"therapist-{number % 200}",
            obligations=tuple(owed(f"ob-{each}", due_at=NOW + timedelta(minutes=number - 900)) for each in range(4)),
        )
        for number in range(5_000)
    ]
    board = await known(records, *made)
    spans: list[float] = []
    for _ in range(10):
        began = process_time()
        await board.page(Watch(), NOW, page=40)
        await board.totals(NOW)
        await board.loads(NOW)
        await board.climbing(NOW)
        spans.append(process_time() - began)
    assert min(spans) < 0.12
