"""Serves the bare workflow: as the SDK comes, or with the settings of our worker.

Run as `python -m benchmarks.bare_worker plain ADDRESS` or `… tuned ADDRESS`; each serves the queue of its name.
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import GrpcCompression
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from benchmarks.bare import Bare, BareTimer
from benchmarks.embedded import run_async
from worker import LEAST_POLLERS, MOST_TASKS, STICKY, WORKFLOW_THREADS

PLAIN, TUNED = "plain", "tuned"
WORKFLOWS = (Bare, BareTimer)


async def client(side: str, address: str) -> Client:
    """How that side reaches Temporal; ours sends uncompressed."""
    if side == PLAIN:
        return await Client.connect(address)
    return await Client.connect(address, grpc_compression=GrpcCompression.NONE)


async def serve(side: str, address: str) -> None:
    """Serve until the process is ended."""
    connected = await client(side, address)
    if side == PLAIN:
        worker = Worker(connected, task_queue=PLAIN, workflows=WORKFLOWS)
    else:
        worker = Worker(
            connected,
            task_queue=TUNED,
            workflows=WORKFLOWS,
            workflow_task_executor=ThreadPoolExecutor(WORKFLOW_THREADS),
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_cached_workflows=5_000,
            max_concurrent_workflow_tasks=MOST_TASKS,
            sticky_queue_schedule_to_start_timeout=STICKY,
            graceful_shutdown_timeout=timedelta(0),
            workflow_task_poller_behavior=PollerBehaviorAutoscaling(minimum=LEAST_POLLERS, initial=LEAST_POLLERS),
        )
    async with worker:
        await asyncio.Event().wait()


if __name__ == "__main__":
    side, address = sys.argv[1:3]
    if side == PLAIN:
        asyncio.run(serve(side, address))  # on the loop that Python comes with
    else:
        run_async(serve(side, address))
