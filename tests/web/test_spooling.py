"""Looks that wait in a file while the records are away: taken in later by the task that runs beside, exactly once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from audit.access import Access, Sought, as_row, looked
from tests.web.desk import Desk
from web import spooling

pytestmark = pytest.mark.full

FULL = "CREATE TRIGGER full BEFORE INSERT ON accesses BEGIN SELECT RAISE(ABORT, 'full'); END"


async def takes_nothing(web: Desk) -> None:
    await web.parts.database.write(lambda connection: connection.execute(text(FULL)))


async def takes_again(web: Desk) -> None:
    await web.parts.database.write(lambda connection: connection.execute(text("DROP TRIGGER full")))


def keep(web: Desk, episode_id: str) -> None:
    web.parts.spool.keep([as_row(Access(web.clock(), "maya", "therapist", "read", "care", episode_id, "client-7"))])


class Rounds:
    """Stands in for the sleep between two rounds: the test says when the next one begins."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ended: asyncio.Queue[None] = asyncio.Queue()
        self._go: asyncio.Queue[None] = asyncio.Queue()
        monkeypatch.setattr(spooling, "asyncio", self)

    async def sleep(self, _seconds: float) -> None:
        self._ended.put_nowait(None)
        await self._go.get()

    async def ended(self) -> None:
        await self._ended.get()

    async def next(self) -> None:
        self._go.put_nowait(None)
        await self.ended()


@pytest.fixture
async def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    async def tell(_parts: object, now: object) -> None:
        calls.append(now)

    monkeypatch.setattr(spooling, "tell", tell)
    return calls


async def test_what_waits_is_taken_in_once_the_records_are_back_and_exactly_once(
    web: Desk, monkeypatch: pytest.MonkeyPatch, told: list[Any]
):
    await takes_nothing(web)
    keep(web, "e-1")
    keep(web, "e-2")
    rounds = Rounds(monkeypatch)
    running = asyncio.create_task(spooling.run(web.parts))
    try:
        await rounds.ended()
        assert len(web.parts.spool.waiting()) == 2, "nothing is lost while the trail takes nothing"
        assert len(told) == 1, "and people are told"
        await rounds.next()
        assert len(told) == 1, "not every few seconds"
        web.clock.goes_on(spooling.TELL_AGAIN + timedelta(seconds=1))
        await rounds.next()
        assert len(told) == 2, "but again, as long as it does not end"
        await takes_again(web)
        await rounds.next()
        await rounds.next()
    finally:
        running.cancel()
    assert web.parts.spool.waiting() == []
    looks = await looked(web.parts.database, Sought(who="maya"))
    assert sorted(one.episode_id for one in looks) == ["e-1", "e-2"]


async def test_a_file_left_behind_by_a_process_that_died_is_no_second_look(web: Desk, monkeypatch: pytest.MonkeyPatch):
    keep(web, "e-1")
    (path,) = web.parts.spool.waiting()
    content = path.read_bytes()
    rounds = Rounds(monkeypatch)
    running = asyncio.create_task(spooling.run(web.parts))
    try:
        await rounds.ended()
        path.write_bytes(content)  # written, and the process died before the file was gone
        await rounds.next()
    finally:
        running.cancel()
    assert web.parts.spool.waiting() == []
    assert len(await looked(web.parts.database, Sought(who="maya"))) == 1


async def test_a_database_that_is_away_ends_nothing(web: Desk, monkeypatch: pytest.MonkeyPatch, told: list[Any]):
    keep(web, "e-1")
    real = web.parts.database.write

    async def away(_work: object) -> None:
        raise OperationalError("insert", {}, OSError("away"))

    monkeypatch.setattr(web.parts.database, "write", away)
    rounds = Rounds(monkeypatch)
    running = asyncio.create_task(spooling.run(web.parts))
    try:
        await rounds.ended()
        assert (len(web.parts.spool.waiting()), len(told)) == (1, 1)
        monkeypatch.setattr(web.parts.database, "write", real)
        await rounds.next()
    finally:
        running.cancel()
    assert web.parts.spool.waiting() == []
    assert len(await looked(web.parts.database, Sought(who="maya"))) == 1
