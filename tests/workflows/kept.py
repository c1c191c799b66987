"""Histories kept from each release, and how to hold what today's code would do against them.

Temporal's own replay compares the kinds of commands, not their content: a changed timer goes unnoticed.
So the commands of the replay are caught and compared with the history: durations, limits, inputs.
Write new ones with: python -m tests.workflows.kept
"""

from __future__ import annotations

import asyncio
import copy
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter, WorkflowSerializationContext
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

from protocol.commands import DeclareEmergency, RecordFacts
from settings import Key
from tests.workflows.stack import Stack, brisk, command, free_port, opening, stack, temporal_server
from workflows.client import workflow_id
from workflows.episode_workflow import EpisodeWorkflow
from workflows.sealing import Keyring, sealing_data_converter

FOLDER = Path(__file__).with_name("histories")
KEY = Key(id="kept", secret=b"a key for kept histories only!!!")
VERSION = "0.1.0"

Told = tuple[str, Any]
"""A command in words: its kind and what it asks."""


def converter() -> DataConverter:
    return sealing_data_converter(Keyring([(KEY.id, KEY.secret)]))


class CatchingRunner(UnsandboxedWorkflowRunner):
    """Runs workflows as they are and catches the commands that they emit.

    A timer that is started and cancelled in one task never reaches Temporal and is left out.
    """

    def __init__(self) -> None:
        self.commands: list[WorkflowCommand] = []

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        activate = instance.activate

        def catching(act: Any) -> Any:
            completion = activate(act)
            emitted = copy.deepcopy(completion.successful.commands)  # they are sealed in place later
            at_once = {caught.cancel_timer.seq for caught in emitted if caught.HasField("cancel_timer")}
            self.commands += [caught for caught in emitted if caught.start_timer.seq not in at_once]
            return completion

        instance.activate = catching  # type: ignore[method-assign]
        return instance


async def replayed(history: WorkflowHistory) -> list[Told]:
    """What today's code asks of Temporal along this history. Raises when it is not deterministic."""
    runner = CatchingRunner()
    replayer = Replayer(workflows=[EpisodeWorkflow], workflow_runner=runner, data_converter=converter())
    await replayer.replay_workflow(history)
    return [told for caught in runner.commands if (told := _of_command(caught)) is not None]


async def recorded(history: WorkflowHistory) -> list[Told]:
    """What was asked when the history was written."""
    return [told for event in history.events if (told := await _of_event(history.workflow_id, event)) is not None]


def kept() -> Iterator[tuple[str, WorkflowHistory]]:
    """Every kept history with its name."""
    for file in sorted(FOLDER.glob("*.json")):
        found = json.loads(file.read_text())
        yield file.stem, WorkflowHistory.from_json(found["workflow_id"], found["history"])


def _of_command(caught: WorkflowCommand) -> Told | None:
    if caught.HasField("start_timer"):
        return "timer", caught.start_timer.start_to_fire_timeout.ToTimedelta()
    if caught.HasField("schedule_activity"):
        asked = caught.schedule_activity
        return asked.activity_type, (*_limits(asked), [_plain(payload) for payload in asked.arguments])
    return None


async def _of_event(workflow: str, event: HistoryEvent) -> Told | None:
    if event.HasField("timer_started_event_attributes"):
        return "timer", event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
    if event.HasField("activity_task_scheduled_event_attributes"):
        asked = event.activity_task_scheduled_event_attributes
        context = WorkflowSerializationContext(namespace="default", workflow_id=workflow)
        codec = converter().with_context(context).payload_codec
        assert codec is not None
        inputs = [_plain(payload) for payload in await codec.decode(asked.input.payloads)]
        return asked.activity_type.name, (*_limits(asked), inputs)
    return None


def _limits(asked: Any) -> tuple[Any, ...]:
    """The limits that the code states; what it leaves out is filled in by the server."""
    retry = asked.retry_policy
    return (
        asked.start_to_close_timeout.ToTimedelta(),
        retry.maximum_interval.ToTimedelta(),
        retry.maximum_attempts,
        asked.priority.priority_key,
    )


def _plain(payload: Payload) -> Any:
    return json.loads(payload.data)


async def _write(shell: Stack, name: str) -> None:
    """An episode with an emergency, over two runs."""
    async with shell.worker(worker_sandbox=False):
        told = opening()
        await shell.episodes.open(brisk(), told)
        await shell.episodes.submit(told.episode_id, command(DeclareEmergency))
        for number in range(12):
            await shell.episodes.submit(told.episode_id, command(RecordFacts, facts={"distress_1": number % 5}))
            await asyncio.sleep(0.5)
        await shell.recorded(told.episode_id)
    runs = shell.client.list_workflows(f"WorkflowId = '{workflow_id(told.episode_id)}'")
    found = [(run.start_time, run.run_id) async for run in runs]
    for old in FOLDER.glob(f"{name}_run_*.json"):
        old.unlink()
    for number, (_, run_id) in enumerate(sorted(found), start=1):
        handle = shell.client.get_workflow_handle(workflow_id(told.episode_id), run_id=run_id)
        history = await handle.fetch_history()
        document = {"workflow_id": history.workflow_id, "history": history.to_json_dict()}
        (FOLDER / f"{name}_run_{number}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")


async def main() -> None:
    port = free_port()
    FOLDER.mkdir(exist_ok=True)
    with (
        temporal_server(port, None, "limit.historyCount.suggestContinueAsNew=80"),
        tempfile.TemporaryDirectory() as folder,
    ):
        async with stack(Path(folder), port, payload_keys=(KEY,)) as shell:
            await _write(shell, f"{VERSION}_emergency")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
