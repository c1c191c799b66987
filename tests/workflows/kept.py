"""Histories kept from each release, and how to hold what today's code would do against them.

Temporal's own replay compares the kinds of commands, not their content: a changed timer goes unnoticed.
So the commands of the replay are caught and compared with the history: durations, limits, inputs.
Write new ones with: python -m tests.workflows.kept [what …]
"""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter, WorkflowSerializationContext
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

from settings import Key
from workflows.client import workflow_id
from workflows.episode_workflow import EpisodeWorkflow
from workflows.sealing import Keyring, sealing_data_converter

FOLDER = Path(__file__).with_name("histories")
KEY = Key(id="kept", secret=b"a key for kept histories only!!!")
VERSION = "0.1.0"
"""Of the release that is next; the histories of every release before it stay as they were written."""
KINDS = ("emergency", "crisis", "migration", "outage")
"""What is kept of each release: an emergency over two runs; the flagship protocol from the report to the follow-up,
with a ladder, a page that fails and a lease; a move to a newer version; an outage of the records."""
LARGEST_PLAIN = 200 * 1024
"""Bytes of JSON; what is larger is compressed."""

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
    for file in sorted(FOLDER.glob("*.json*")):
        text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        found = json.loads(text)
        yield file.name.partition(".json")[0], WorkflowHistory.from_json(found["workflow_id"], found["history"])


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


def missing(changelog: str, names: Iterable[str]) -> set[str]:
    """What is not kept of the releases that a changelog names, each as `<version>_<what>`."""
    released = re.findall(r"^## \[?v?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    there = {name.removesuffix("_run_1") for name in names}
    return {f"{version}_{what}" for version in released for what in KINDS} - there


async def keep(client: Client, episode_id: str, what: str) -> None:
    """Write down every run of an episode, in place of what was kept of this kind for this version."""
    histories, run_id = list[WorkflowHistory](), None
    while run_id != "":  # from the latest run back to the first
        history = await client.get_workflow_handle(workflow_id(episode_id), run_id=run_id).fetch_history()
        histories.insert(0, history)
        run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    for old in FOLDER.glob(f"{VERSION}_{what}_run_*"):
        old.unlink()
    for number, history in enumerate(histories, start=1):
        document = {"workflow_id": history.workflow_id, "history": history.to_json_dict()}
        text = json.dumps(document, separators=(",", ":")).encode()
        file = FOLDER / f"{VERSION}_{what}_run_{number}.json"
        if len(text) <= LARGEST_PLAIN:
            file.write_bytes(text + b"\n")
        else:
            file.with_suffix(".json.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    from tests.workflows import keeping  # it needs this module

    sys.exit(asyncio.run(keeping.main(sys.argv[1:])))
