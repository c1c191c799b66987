"""What a cached episode keeps of the message that began it: nothing."""

from typing import Any

import pytest
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails

from tests.workflows.stack import Stack, brisk, opening
from workflows import lean

pytestmark = pytest.mark.full


async def test_a_cached_episode_holds_no_field_of_the_message_that_began_it(
    shell: Stack, monkeypatch: pytest.MonkeyPatch
):
    instances: list[WorkflowInstance] = []
    really = lean.UnsandboxedWorkflowRunner.create_instance

    def caught(runner: Any, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instances.append(really(runner, det))
        return instances[-1]

    monkeypatch.setattr(lean.UnsandboxedWorkflowRunner, "create_instance", caught)
    async with shell.worker(worker_sandbox=False):
        await shell.episodes.open(brisk(), opening())
        kept = vars(instances[0])
    messages = {name for name, value in kept.items() if type(value).__module__.startswith("temporalio.api")}
    assert messages <= {"_last_completion_result"}
    assert kept["_last_completion_result"].ByteSize() == 0
    assert kept["_workflow_input"].headers == {}
