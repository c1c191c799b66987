"""What an auditor waits for: verifying, replaying, one page of a timeline, exporting.

CPU seconds are those of this process: "per core" on a machine that is busy with other work.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection, text

from audit.bundle import Keys, Made, Request, write_bundle
from audit.checkpoints import Checkpointer, Witness
from audit.database import Database, connect
from audit.history import all_episodes, history
from audit.lists import Lists
from audit.migrate import upgrade
from audit.offline_verifier import main as verify_offline
from audit.queries import Queries
from audit.releases import present
from audit.sealing import Keyring
from audit.signatures import SigningKeys
from audit.store import Store
from audit.verify import Verdict, Verifier
from heap import settle
from protocol import commands as c
from protocol.engine import Engine
from protocol.spec import ProtocolSpec
from protocol.summary import summarise
from protocol_specs.loader import load_protocol

RING = Keyring([("bench", b"1" * 32)])
KEYS = SigningKeys([("bench", b"s" * 32)])
AT = datetime(2026, 11, 2, 17, 0, tzinfo=UTC)
SPEC = Path(__file__).parents[1] / "protocol_specs" / "caring_contacts.yaml"
EPISODES, EVENTS = 200, 200
"""Real episodes with so many events each, through the real rules."""
FILLER = 1_000_000
"""Rows in the trail when the timeline is read."""
PAGE = 100


def run() -> list[dict[str, Any]]:
    """One row for each measurement."""
    return asyncio.run(_run())


async def _run() -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        upgrade(url := f"sqlite:///{folder}/bench.db")
        records = connect(url)
        await fill(records)
        await Checkpointer(records, KEYS, lambda: AT).make()
        table += await _verifying(records)
        settle()  # as the process does that answers the page
        table.append(await _replaying(records))
        table += await exported(records, Path(folder), (EPISODES // 4, EPISODES))
        table.append(await _timeline(records))
        await records.dispose()
    return table


async def fill(records: Database, episodes: int = EPISODES, events: int = EVENTS) -> None:
    """Put so many episodes into the records, each of at least so many events."""
    spec, store = load_protocol(SPEC), Store(records, RING)
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    for number in range(episodes):
        engine = _episode(spec, f"ep-{number:05}", events)
        assert engine.episode is not None
        rows = engine.take_rows()
        for start in range(0, len(rows), 200):
            await store.append(rows[start : start + 200], summarise(spec, engine.episode))


def _episode(spec: ProtocolSpec, episode_id: str, events: int) -> Engine:
    """An episode that was led for a while: contacts that did not reach, answers, what fell due."""
    engine, now, number = Engine(spec, episode_id, b"k" * 32), AT, 0
    opening = {"episode_id": episode_id, "client_ref": f"client-{episode_id}", "owner": "maya"}
    who = {"actor": "maya", "role": "therapist"}
    engine.submit(c.OpenEpisode(command_id="c-0", occurred_at=now, **who, **opening), now)  # pyright: ignore[reportArgumentType]
    while engine.episode is not None and engine.episode.revision < events:
        number, now = number + 1, now + timedelta(hours=2)
        said = {"command_id": f"c-{number}", "occurred_at": now, **who}
        if number % 2:
            engine.submit(c.RecordContact(party="client", channel="phone", outcome="voicemail", **said), now)  # pyright: ignore[reportArgumentType]
        else:
            facts = {"present_address": f"{number} Elm Street", "callback_number": "555-0100"}
            engine.submit(c.RecordFacts(facts=facts, **said), now)  # pyright: ignore[reportArgumentType]
    return engine


async def _verifying(records: Database) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = []
    verdicts: list[Verdict] = []
    for what, contents in (("chains and seals (--quick)", False), ("chains, seals and contents", True)):
        begun, used = time.perf_counter(), time.process_time()
        verdicts = [one async for one in Verifier(records, RING, contents).all()]
        assert all(one.fault is None for one in verdicts)
        table.append(_speed(f"verify {what}", sum(one.rows for one in verdicts), begun, used))
    begun, used = time.perf_counter(), time.process_time()
    assert all([one.disagreement is None async for one in Lists(records, RING).compare(verdicts)])
    table.append(_speed("hold the lists against the rows", sum(one.rows for one in verdicts), begun, used))
    return table


def _speed(what: str, rows: int, begun: float, used: float) -> dict[str, Any]:
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    return {
        "what": what,
        "rows": rows,
        "µs of CPU a row": round(cpu / rows * 1e6, 1),
        "s of CPU for 1 000 000": round(cpu / rows * 1e6, 1),
        "s elapsed": round(seconds, 2),
    }


async def _replaying(records: Database) -> dict[str, Any]:
    ids, witness = (await all_episodes(records))[:21], Witness(records, KEYS)
    await history(records, RING, ids[0], witness)  # the protocol is compiled once in a process
    times = [await _timed(lambda one=one: history(records, RING, one, witness)) for one in ids[1:]]
    return {"what": f"replay an episode of {EVENTS} events", **_spread(times)}


async def _timeline(records: Database) -> dict[str, Any]:
    """One page of an episode, opened, while the trail is large."""
    count = await records.write(_grow)
    queries, ids = Queries(records, RING), (await all_episodes(records))[:EPISODES]
    times = [await _timed(lambda one=one: queries.trail_rows(one, 0, PAGE)) for one in ids]
    return {"what": f"the first {PAGE} rows of an episode, {count} in the trail", **_spread(times)}


def _grow(connection: Connection) -> int:
    """The same rows again and again under other ids: only an index must cope with them."""
    columns = "sequence, occurred_at, recorded_at, actor, role, command_id, kind, sealed, key_id, commitment"
    number = 0
    while (count := connection.scalar(text("SELECT count(*) FROM trail")) or 0) < FILLER:
        number += 1
        other = f"'x{number}-' || episode_id, {columns}, previous_hash, hash, written_at"
        into = f"INSERT INTO trail (episode_id, {columns}, previous_hash, hash, written_at)"
        connection.execute(text(f"{into} SELECT {other} FROM trail LIMIT {FILLER - count}"))
    return count


async def exported(records: Database, folder: Path, counts: tuple[int, ...]) -> list[dict[str, Any]]:
    """Exports of so many episodes, how much more memory each took, and the largest checked offline."""
    ids = await all_episodes(records)
    table: list[dict[str, Any]] = []
    for count in counts:
        path = folder / f"{count}.zip"
        request = Request(ids[:count], AT, "bench", "nobody", "bench", False, present(), [])
        before, begun, used = _peak(), time.perf_counter(), time.process_time()
        made: Made = await write_bundle(records, RING, Keys(KEYS, KEYS), path, request)
        line = _speed(f"export {count} episodes", made.rows, begun, used)
        table.append(
            {**line, "more memory, MB": round(_peak() - before, 1), "file, MB": round(path.stat().st_size / 1e6, 1)}
        )
    path, begun, used = folder / f"{counts[-1]}.zip", time.perf_counter(), time.process_time()
    with redirect_stdout(StringIO()):
        assert verify_offline([str(path), "--key", KEYS.public()["bench"]]) == 0
    line = _speed(f"check that export of {counts[-1]} episodes offline", made.rows, begun, used)
    return [*table, {**line, "more memory, MB": "", "file, MB": round(path.stat().st_size / 1e6, 1)}]


def _peak() -> float:
    """Megabytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _timed(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Milliseconds elapsed, and of CPU."""
    begun, used = time.perf_counter(), time.process_time()
    await work()
    return (time.perf_counter() - begun) * 1e3, (time.process_time() - used) * 1e3


def _spread(times: list[tuple[float, float]]) -> dict[str, Any]:
    elapsed, cpu = (sorted(column) for column in zip(*times, strict=True))
    at = int(len(times) * 0.95)
    return {
        "p50 ms": round(median(elapsed), 1),
        "p95 ms": round(elapsed[at], 1),
        "p50 ms of CPU": round(median(cpu), 1),
        "p95 ms of CPU": round(cpu[at], 1),
    }
