"""Runs workflows, one activation at a time, and refuses what would make them forget the time.

A query that races with a result makes the SDK hand the result to the cached workflow before the task it belongs
to, with the time of an earlier task. The entry would then carry another time, or another place, than every
replay gives it. Such an activation is refused: the query fails and is repeated, the workflow is dropped from the
cache, and the task itself comes with the right time to a fresh replay.

A task that takes longer than two seconds, as on a machine that is out of breath, is given up by the SDK, which then
evicts the workflow while the task still runs in another thread. The two would leave something behind that never ends,
and the worker could never be stopped. So an activation waits for the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workflows.lean import LeanRunner

PASSED_THROUGH = ("protocol", "workflows", "pydantic", "pydantic_core", "transitions", "annotated_types")
RESULTS = ("fire_timer", "resolve_activity")

Activate = Callable[[WorkflowActivation], WorkflowActivationCompletion]


class OutOfTimeError(RuntimeError):
    """A result came before the task that it belongs to."""


def workflow_runner(*, sandbox: bool) -> WorkflowRunner:
    """In the sandbox, forbidden calls of workflow code raise; the pure core is passed through."""
    if not sandbox:
        return GuardedRunner()
    return GuardedSandbox(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


class GuardedRunner(LeanRunner):
    """Workflow code as it is, guarded."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """An instance that refuses results out of time."""
        return _guard(super().create_instance(det))


class GuardedSandbox(SandboxedWorkflowRunner):
    """Workflow code in the sandbox, guarded."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """An instance that refuses results out of time."""
        return _guard(super().create_instance(det))


def _guard(instance: WorkflowInstance) -> WorkflowInstance:
    instance.activate = guarded(instance.activate)  # pyright: ignore[reportAttributeAccessIssue]
    return instance


def guarded(activate: Activate) -> Activate:
    """`activate`, one at a time; raises OutOfTimeError for new results with the time of an earlier task."""
    last, alone = 0, Lock()

    def checked(act: WorkflowActivation) -> WorkflowActivationCompletion:
        nonlocal last
        with alone:
            now = act.timestamp.ToNanoseconds()
            brings_results = any(job.HasField(kind) for job in act.jobs for kind in RESULTS)
            if brings_results and not act.is_replaying and now == last:
                raise OutOfTimeError("a result came before its task; the episode is read again from its history")
            last = now
            return activate(act)

    return checked
