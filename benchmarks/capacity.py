"""What an open episode with a pending deadline costs while nothing happens, and what a step on it costs then.

One server on SQLite, one worker whose cache holds a part of the episodes; the rest is replayed when needed.
`python -m benchmarks.capacity --full` opens 30 000, which takes some minutes.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any

from benchmarks.embedded import Embedded, Process, at_once, embedded, run_async
from benchmarks.keeping import show
from benchmarks.led import flagship, opening
from benchmarks.tables import Row
from protocol.commands import RecordFacts

EPISODES, CACHE = 1_000, 250
FULL_EPISODES, FULL_CACHE = 30_000, 5_000
STEPS = 200
IDLE_SECONDS = 5.0


def run(episodes: int = EPISODES, cache: int = CACHE) -> list[Row]:
    """One row for each figure."""
    return run_async(measured(episodes, cache))


async def measured(episodes: int, cache: int) -> list[Row]:
    """Open, look at sizes, step on cached and on evicted episodes."""
    async with embedded() as stack:
        worker = stack.start_worker(worker_cache=cache)
        await _open(stack, 50)  # what is loaded once is no episode's cost
        before = await _sizes(stack, worker)
        begun = time.perf_counter()
        cached = await _open(stack, cache)
        full = await _sizes(stack, worker)
        others = await _open(stack, episodes - cache)
        seconds = time.perf_counter() - begun
        after = await _sizes(stack, worker)
        idle = await _idle_cpu(stack, worker)
        random.Random(1).shuffle(others)
        hot = others[:STEPS]
        await _step(stack, hot)
        figures: dict[str, Any] = {
            "episodes open": episodes,
            "episodes in the worker's cache": cache,
            "opened a second": round(episodes / seconds),
            "worker, KB a cached episode": _each(before, full, "worker", cache),
            "worker, MB with the cache full": round(after["worker"] / 1e6),
            "server, KB an episode": _each(before, after, "server", episodes),
            "Temporal's database, KB an episode": _each(before, after, "temporal", episodes),
            "records, KB an episode": _each(before, after, "records", episodes),
            "idle, CPU ms a second": round(idle * 1e3, 1),
            **_named("step on a cached episode", await _step(stack, hot)),
            **_named("step on an evicted episode", await _step(stack, cached[:STEPS])),
        }
        return [{"what": what, "figure": figure} for what, figure in figures.items()]


async def _open(stack: Embedded, count: int) -> list[str]:
    spec, episodes = flagship(stack.settings), stack.episodes
    commands = [opening() for _ in range(count)]
    await at_once(partial(episodes.open, spec, command) for command in commands)
    return [command.episode_id for command in commands]


async def _sizes(stack: Embedded, worker: Process) -> dict[str, int]:
    await asyncio.sleep(3.0)  # the last batches are written and the logs of SQLite settle
    return {
        "worker": worker.memory,
        "server": stack.server.memory,
        "temporal": stack.stored("temporal.db*"),
        "records": stack.stored("holdfast.db*"),
    }


def _each(before: dict[str, int], after: dict[str, int], what: str, count: int) -> float:
    return round((after[what] - before[what]) / count / 1e3, 1)


async def _idle_cpu(stack: Embedded, worker: Process) -> float:
    begun = worker.cpu_seconds + stack.server.cpu_seconds
    await asyncio.sleep(IDLE_SECONDS)
    return (worker.cpu_seconds + stack.server.cpu_seconds - begun) / IDLE_SECONDS


async def _step(stack: Embedded, ids: Sequence[str]) -> list[float]:
    """Milliseconds of one small step on each, one after the other."""
    taken: list[float] = []
    for episode_id in ids:
        command = RecordFacts(
            command_id=str(uuid.uuid4()),
            actor="maya",
            role="therapist",
            occurred_at=datetime.now(UTC),
            facts={"callback_number": "209-555-0100"},
        )
        begun = time.perf_counter()
        receipt = await stack.episodes.submit(episode_id, command)
        taken.append((time.perf_counter() - begun) * 1e3)
        assert receipt.refusal is None, receipt.refusal
    return sorted(taken)


def _named(what: str, milliseconds: list[float]) -> dict[str, float]:
    return {
        f"{what}, p50 ms": round(median(milliseconds), 1),
        f"{what}, p95 ms": round(milliseconds[int(len(milliseconds) * 0.95)], 1),
    }


if __name__ == "__main__":
    if "--full" in sys.argv[1:]:
        show("capacity_full", partial(run, FULL_EPISODES, FULL_CACHE))
    else:
        show("capacity", run)
