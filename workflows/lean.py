"""Lets a cached episode go of what it came with.

The SDK keeps two fields of the message that began a workflow, and a field keeps its whole message: the protocol once
sealed and once open, 300 KB for as long as the episode is cached. Neither field is used here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowInterceptorClassInput,
)


class LeanRunner(UnsandboxedWorkflowRunner):
    """Runs workflows as they are, without the result of a run before: ours have none."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """The workflow, about to begin."""
        return super().create_instance(replace(det, last_completion_result=Payloads()))


class _WithoutHeaders(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        input.headers = {}
        return await super().execute_workflow(input)


class LeanInterceptor(Interceptor):
    """Drops the headers of a workflow's start: ours have none."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,
    ) -> type[WorkflowInboundInterceptor]:
        """What every workflow is run through."""
        return _WithoutHeaders
