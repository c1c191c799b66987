"""Whether a step costs the same late in a long episode as early, across the runs that its workflow is cut into.

One episode goes past step 1 000. Each figure is of the steps around the one named, because one step alone is noise;
the machine's own drift shows in the bare Update that is measured between the steps.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from statistics import median

from temporalio.client import Client, WorkflowHandle

from benchmarks.bare import Bare, Step
from benchmarks.bare_worker import TUNED
from benchmarks.embedded import Process, embedded, run_async
from benchmarks.led import LEAD_IN, back_and_forth, flagship, led
from benchmarks.tables import Row
from workflows.client import workflow_id

WINDOW = 40
STEPS = 1_040
SHOWN = {10, 210, 410, 610, 810, 1_010}


def run() -> list[Row]:
    """One row for each place in the episode."""
    return run_async(measured())


async def measured() -> list[Row]:
    """The table."""
    async with embedded() as stack:
        worker = stack.start_worker()
        stack.start_module("benchmarks.bare_worker", TUNED, stack.settings.temporal_address)
        client = await Client.connect(stack.settings.temporal_address)
        await client.start_workflow(Bare.run, 0, id="bare", task_queue=TUNED)
        bare = client.get_workflow_handle_for(Bare.run, "bare")
        episode_id = await led(stack.episodes, flagship(stack.settings))
        ours = client.get_workflow_handle(workflow_id(episode_id))
        commands = back_and_forth()

        async def step() -> None:
            await stack.episodes.submit(episode_id, next(commands))

        async def bare_step() -> None:
            await bare.execute_update(Bare.step, Step(str(uuid.uuid4()), "maya", "Advance"))

        rows: list[Row] = []
        runs = {(await ours.describe()).run_id}
        for first in range(len(LEAD_IN) + 1, STEPS, WINDOW):
            found = await _window(step, bare_step, worker, ours)
            runs.add((await ours.describe()).run_id)
            if any(first <= place < first + WINDOW for place in SHOWN) or first == len(LEAD_IN) + 1:
                rows.append({"steps": f"{first} to {first + WINDOW - 1}", "run of the workflow": len(runs), **found})
        return rows


async def _window(
    step: Callable[[], Awaitable[None]],
    bare_step: Callable[[], Awaitable[None]],
    worker: Process,
    handle: WorkflowHandle[None, None],
) -> Row:
    ours: list[float] = []
    bare: list[float] = []
    run_id, size = await _history(handle)
    cpu = worker.cpu_seconds
    for _ in range(WINDOW):
        begun = time.perf_counter()
        await step()
        ended = time.perf_counter()
        await bare_step()
        bare.append((time.perf_counter() - ended) * 1e3)
        ours.append((ended - begun) * 1e3)
    cpu = worker.cpu_seconds - cpu
    run_after, size_after = await _history(handle)
    return {
        "p50 ms": round(median(ours), 1),
        "bare p50 ms": round(median(bare), 1),
        "to bare": round(median(ours) / median(bare), 2),
        "worker cpu ms": round(cpu / WINDOW * 1e3, 1),
        "history, bytes a step": round((size_after - size) / WINDOW) if run_after == run_id else "a new run began",
    }


async def _history(handle: WorkflowHandle[None, None]) -> tuple[str, int]:
    told = (await handle.describe()).raw_description.workflow_execution_info
    return told.execution.run_id, told.history_size_bytes


if __name__ == "__main__":
    for line in run():
        print(line)
