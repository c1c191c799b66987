"""From one version of a protocol to the next: a dry run over open episodes, and a draft over recorded ones."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from audit.counterfactual import over_records
from audit.database import Database, connect
from audit.migrate import upgrade
from audit.moving import foresee_all
from audit.sealing import Keyring
from audit.store import Store
from audit.trails import episode_ids
from benchmarks.led import opening
from benchmarks.tables import Row
from protocol import commands as c
from protocol.engine import Engine
from protocol.spec import ProtocolSpec
from protocol.summary import summarise
from protocol_specs.loader import load_protocol

SPEC = Path(__file__).parents[1] / "protocol_specs" / "virtual_iop_crisis.yaml"
EPISODES = 1_000
RING = Keyring([("bench", b"1" * 32)])
AT = datetime(2026, 11, 2, 17, 0, tzinfo=UTC)
LATER = timedelta(hours=3)


def run() -> list[Row]:
    """One row for each."""
    return asyncio.run(_run())


async def _run() -> list[Row]:
    spec = load_protocol(SPEC)
    new = newer(spec)
    with tempfile.TemporaryDirectory() as folder:
        upgrade(url := f"sqlite:///{folder}/bench.db")
        records = connect(url)
        rows = await _fill(records, spec)
        ids = await episode_ids(records, spec.protocol, open_only=True)

        async def dry_run() -> int:
            return len([one async for one in foresee_all(records, RING, new, ids, AT + LATER)])

        async def whatif() -> int:
            return len([one async for one in over_records(records, RING, new, ids)])

        measured = [await _timed(name, work, rows) for name, work in (("dry run", dry_run), ("what if", whatif))]
        await records.dispose()
    return measured


async def _timed(name: str, work: Callable[[], Awaitable[int]], rows: int) -> Row:
    begun, cpu = time.perf_counter(), time.process_time()
    episodes = await work()
    return {
        "measured": name,
        "episodes": episodes,
        "rows": rows,
        "seconds": round(time.perf_counter() - begun, 2),
        "CPU seconds": round(time.process_time() - cpu, 2),
    }


def newer(spec: ProtocolSpec) -> ProtocolSpec:
    """A version whose every deadline may be shortened."""
    document: dict[str, Any] = json.loads(spec.canonical())
    ways = {name: {"deadline": "shorten"} for name in document["obligations"]}
    document |= {"version": "99.0.0", "migrates_from": {spec.version: {"obligations": ways}}}
    return ProtocolSpec.model_validate_json(json.dumps(document))


async def _fill(records: Database, spec: ProtocolSpec) -> int:
    """Open episodes after a session's start and a few answers; how many rows they have."""
    store, count = Store(records, RING, lambda: AT), 0
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    for _ in range(EPISODES):
        told = opening()
        engine = Engine(spec, told.episode_id, b"s" * 32)
        engine.submit(replace(told, occurred_at=AT), AT)
        for number in range(6):
            said = c.RecordFacts(
                command_id=f"c{number}",
                actor=told.actor,
                role=told.role,
                occurred_at=AT + timedelta(minutes=number),
                facts={"age": 30 + number},
            )
            engine.submit(said, said.occurred_at)
        assert engine.episode is not None
        count += len(engine.rows)
        await store.append(engine.take_rows(), summarise(spec, engine.episode))
    return count
