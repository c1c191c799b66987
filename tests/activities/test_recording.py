"""Recording: what it does when the records are away, refuse, or the worker stops."""

import asyncio
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import recording
from activities.recording import Recording
from audit.store import ConflictError
from protocol.summary import EpisodeSummary
from protocol.trail import Entry, Head, TrailRow, append, genesis
from worker import MOST_ACTIVITIES
from workflows.outbox import Outbox
from workflows.ports import LARGEST_BATCH, LONGEST_LINGER, MOST_ROWS, SHORTEST_LINGER, Batch, batch_length, linger_after

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def rows(count: int, payload: str = "") -> list[TrailRow]:
    made: list[TrailRow] = []
    head = genesis("e1")
    for number in range(1, count + 1):
        entry = Entry("e1", number, NOW, NOW, "maya", "therapist", f"c{number}", "Noted", {"event": payload})
        made.append(append(head, entry, bytes(32)))
        head = made[-1].head
    return made


class Records:
    def __init__(self, *trouble: Exception) -> None:
        self.trouble = list(trouble)
        self.written: list[TrailRow] = []
        self.protocols: list[str] = ["ab" * 32]

    async def append(self, rows: Sequence[TrailRow], summary: EpisodeSummary) -> Head:
        if self.trouble:
            raise self.trouble.pop(0)
        self.written += rows
        return rows[-1].head

    async def knows_protocol(self, content_hash: str) -> bool:
        return content_hash in self.protocols

    async def save_protocol(self, content_hash: str, name: str, version: str, document: str) -> None:
        self.protocols.append(content_hash)


def batch(**more: Any) -> Batch:
    summary: Any = EpisodeSummary(
        *("e1", "client-1", "minimal", "1.0.0", "ab" * 32, 2, "talk", "low", "low", "maya", NOW),
        closed_at=None,
        next_deadline=None,
        obligations=(),
    )
    return Batch(**{"rows": tuple(rows(2)), "summary": summary, "linger": timedelta(0), **more})


async def test_a_protocol_that_the_records_know_is_not_asked_for():
    records = Records()
    assert not await ActivityEnvironment().run(Recording(records, 1).append_rows, batch())
    assert [row.sequence for row in records.written] == [1, 2]


async def test_a_new_protocol_is_asked_for_at_once_and_kept_when_it_comes():
    records = Records()
    records.protocols.clear()
    begun = time.monotonic()
    recording_it = Recording(records, 1).append_rows
    assert await ActivityEnvironment().run(recording_it, batch(linger=timedelta(seconds=30)))
    assert time.monotonic() - begun < 5
    document = '{"protocol":"minimal","version":"1.0.0"}'
    assert not await ActivityEnvironment().run(recording_it, batch(rows=(), protocol=document))
    assert records.protocols == [hashlib.sha256(document.encode()).hexdigest()], "a document says itself what it is"
    assert len(records.written) == 2


async def test_records_that_are_away_are_tried_again_and_nothing_of_the_error_gets_out():
    records = Records(ConnectionError("client Dana in the parameters"))
    with pytest.raises(ApplicationError) as failed:
        await ActivityEnvironment().run(Recording(records, 1).append_rows, batch())
    assert (failed.value.type, failed.value.non_retryable) == ("RecordsAway", False)
    assert "Dana" not in str(failed.value)
    assert failed.value.__cause__ is None


async def test_a_refused_batch_is_named_and_stays_in_the_outbox():
    records = Records(ConflictError("e1", 2))
    with pytest.raises(ApplicationError) as failed:
        await ActivityEnvironment().run(Recording(records, 1).append_rows, batch())
    assert (failed.value.type, failed.value.non_retryable) == ("ConflictError", False)


async def test_it_lingers_but_not_when_the_worker_stops():
    told = batch(linger=timedelta(seconds=0.2))
    environment = ActivityEnvironment()
    begun = time.monotonic()
    await environment.run(Recording(Records(), 1).append_rows, told)
    assert time.monotonic() - begun >= 0.2
    environment.worker_shutdown()
    begun = time.monotonic()
    await environment.run(Recording(Records(), 1).append_rows, batch(linger=timedelta(seconds=30)))
    assert time.monotonic() - begun < 5


async def stays(here: Recording, linger: timedelta) -> float:
    begun = time.monotonic()
    await ActivityEnvironment().run(here.append_rows, batch(linger=linger))
    return time.monotonic() - begun


async def test_with_many_episodes_busy_each_batch_stays_longer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "MOST_A_SECOND", 10)
    here, short = Recording(Records(), 10), timedelta(milliseconds=1)
    stayed = await asyncio.gather(*(stays(here, short) for _ in range(5)))
    assert min(stayed) < max(stayed)
    assert max(stayed) >= 0.5
    *_, at_once = await asyncio.gather(*(stays(here, short) for _ in range(5)), stays(here, timedelta(0)))
    assert at_once < 0.5


async def test_batches_that_stay_leave_places_for_pages(monkeypatch: pytest.MonkeyPatch):
    assert 2 * recording.MOST_STAYING <= MOST_ACTIVITIES
    monkeypatch.setattr(recording, "MOST_STAYING", 2)
    here, half = Recording(Records(), 10), timedelta(seconds=0.5)
    first, second, third = await asyncio.gather(*(stays(here, half) for _ in range(3)))
    assert min(first, second) >= 0.5
    assert third < 0.5


def test_a_batch_is_bounded_in_rows_and_size_and_never_empty():
    assert batch_length(rows(3)) == 3
    assert batch_length(rows(MOST_ROWS + 1)) == MOST_ROWS
    large = rows(3, "x" * (LARGEST_BATCH // 2 + 1))
    assert batch_length(large) == 1
    assert batch_length(rows(1, "x" * LARGEST_BATCH * 2)) == 1


def told(*texts: str) -> Iterator[TrailRow]:
    """Rows with these payloads, unchained."""
    return (replace(row, payload={"event": text}) for row, text in zip(rows(len(texts)), texts, strict=True))


@pytest.mark.parametrize("letter", ["x", "\x7f", "\n", "é", "語", "🙂", '"'])
@pytest.mark.parametrize("length", [LARGEST_BATCH // 12, LARGEST_BATCH // 24, LARGEST_BATCH // 40, 100])
def test_what_is_not_measured_would_have_fitted(letter: str, length: int):
    """A replay must find the same batches, whatever the version that made them looked at."""
    outbox = Outbox(told(*[letter * length] * 3))
    assert len(outbox.batch()) == batch_length(outbox.all())


def test_few_and_small_rows_are_not_measured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("workflows.outbox.batch_length", lambda _: pytest.fail("measured"))
    assert len(Outbox(told("a", "b")).batch()) == 2


def test_more_rows_than_travel_together_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("workflows.outbox.WIDEST", 0)  # however small they are
    outbox = Outbox(rows(MOST_ROWS + 1))
    assert len(outbox.batch()) == MOST_ROWS


def test_a_batch_stays_longer_the_more_steps_it_brings():
    def linger(*steps: str) -> timedelta:
        brought = [replace(row, command_id=step) for row, step in zip(rows(len(steps)), steps, strict=True)]
        return linger_after(brought, len(steps))

    assert linger("c1", "c1", "c1") == SHORTEST_LINGER == timedelta(seconds=0.5)
    assert linger("c1", "c1", "c2") == timedelta(seconds=1.5)
    assert linger(*map(str, range(MOST_ROWS))) == LONGEST_LINGER
    assert linger() == SHORTEST_LINGER


def test_a_batch_that_leaves_rows_behind_does_not_stay():
    assert linger_after(rows(3), 4) == timedelta(0)
