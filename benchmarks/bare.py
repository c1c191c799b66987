"""The measure to hold ours against: a Temporal workflow whose Update counts and answers, nothing else.

Plain JSON, no encryption, no activity, no timer but one. The worker in `bare_worker` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import workflow


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
