"""The measure to hold ours against: a Temporal workflow whose Update counts and answers, nothing else.

Plain JSON, no encryption, no activity, no timer but one; its worker has the settings of ours.
Run as `python -m benchmarks.bare ADDRESS QUEUE`.
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.service import GrpcCompression
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from benchmarks.embedded import run_async
from worker import LEAST_POLLERS, MOST_TASKS, STICKY, WORKFLOW_THREADS

BARE_QUEUE = "bare"


@dataclass
class Step:
    """What goes in: as much as a small command of ours."""

    command_id: str
    actor: str
    kind: str


@dataclass
class Answer:
    """What comes out."""

    command_id: str
    revision: int


@workflow.defn(name="Bare")
class Bare:
    """Lives until it is told to end; begins a new run when the server suggests it."""

    @workflow.init
    def __init__(self, revision: int) -> None:
        self._revision = revision

    @workflow.run
    async def run(self, revision: int) -> None:
        """Wait for the suggestion."""
        await workflow.wait_condition(lambda: workflow.info().is_continue_as_new_suggested())
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self._revision)

    @workflow.update
    def step(self, step: Step) -> Answer:
        """Count and answer."""
        self._revision += 1
        return Answer(step.command_id, self._revision)


@workflow.defn(name="BareTimer")
class BareTimer:
    """Ends at a moment; says how late the server let it."""

    @workflow.run
    async def run(self, due: float) -> float:
        """Seconds late, by the server's own clock."""
        await workflow.sleep(max(due - workflow.now().timestamp(), 0.001))
        return workflow.now().timestamp() - due


async def main(address: str, queue: str) -> None:
    """Serve until the process is ended."""
    worker = Worker(
        await Client.connect(address, grpc_compression=GrpcCompression.NONE),
        task_queue=queue,
        workflows=[Bare, BareTimer],
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
    run_async(main(*sys.argv[1:3]))
