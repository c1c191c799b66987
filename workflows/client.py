"""The way to an episode for everybody outside the worker: open it, send commands, look."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import Priority, QueryRejectCondition, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from protocol.commands import HumanCommand, Migrate, OpenEpisode, SentCommand, fingerprint
from protocol.engine import REUSED, Receipt
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow
from workflows import ports
from workflows.conversion import SealError
from workflows.episode_workflow import EpisodeWorkflow
from workflows.messages import EpisodeInput, EpisodeView, Submission

T = TypeVar("T")

PATIENCE = timedelta(seconds=30)
ATTEMPT = timedelta(seconds=10)
PAUSE_SECONDS = 0.2

PASSING = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.FAILED_PRECONDITION,
    }
)
"""Answers after which the same call may succeed. All of ours may be repeated: a command has its own id."""


class EpisodeError(Exception):
    """An episode could not be reached or did not take a command. The message says what to do."""


class EpisodeUnknownError(EpisodeError):
    """There is no such episode."""


class EpisodeOverError(EpisodeError):
    """The episode was closed long ago and takes nothing more, not even an addendum."""


class EpisodeStoppedError(EpisodeError):
    """Somebody ended the episode's workflow in Temporal before its time: nothing is taken or paged until it goes on."""


class EngineUnavailableError(EpisodeError):
    """No answer in time. The command may have been taken: send it again with the same command id."""


class HeldUpError(EpisodeError):
    """The records are away for too long; only what nobody may be refused is taken. The command left no trace."""


class MalformedCommandError(EpisodeError):
    """The command was refused for its form and left no trace."""


class CommandIdReusedError(MalformedCommandError):
    """The command's id was used for something else before. Nothing was recorded."""


class EngineFaultError(EpisodeError):
    """The engine failed on the command. The command was not taken, the episode lives on; somebody must look."""


STOPPED = frozenset(
    {WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT, WorkflowExecutionStatus.CANCELED}
)
"""How no workflow of ours ends by itself."""
ENDED_HOW = ("Terminated", "TimedOut", "Canceled")
"""The same in the words of Temporal's listing."""
MOST_STOPPED = 200
"""Of so many ended workflows it is asked whether their episode went on."""


def workflow_id(episode_id: str) -> str:
    """The id of an episode's workflow."""
    return f"episode-{episode_id}"


class EpisodeClient:
    """Speaks to episodes; repeats a call that got no answer, with the same id, for as long as its patience."""

    def __init__(self, client: Client, task_queue: str, patience: timedelta = PATIENCE) -> None:
        self._client = client
        self._task_queue = task_queue
        self._patience = patience
        self._documents: dict[str, str] = {}

    async def open(self, spec: ProtocolSpec, command: OpenEpisode) -> Receipt:
        """Begin an episode under this protocol. Repeated with the same command, it answers the same.

        Raises EpisodeOverError when an episode of this id existed and is over, EpisodeStoppedError when its workflow
        was ended in Temporal, which would begin it again from nothing; else like `submit`.
        """
        told = EpisodeInput(command.episode_id, self._document(spec), secrets.token_hex(32))

        async def call() -> Receipt:
            await self._refuse_stopped(command.episode_id)
            start = WithStartWorkflowOperation(
                EpisodeWorkflow.run,
                told,
                id=workflow_id(command.episode_id),
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                priority=Priority(priority_key=ports.DRILL_URGENCY if command.drill else ports.EPISODE_URGENCY),
            )
            return await self._client.execute_update_with_start_workflow(  # pyright: ignore[reportUnknownMemberType]
                EpisodeWorkflow.submit,
                Submission(command),
                id=command.command_id,
                start_workflow_operation=start,
            )

        return _answer_to(command, await self._patiently(command.episode_id, call))

    async def submit(self, episode_id: str, command: HumanCommand) -> Receipt:
        """Send a command. The receipt says what it brought about, or why it was refused.

        Raises EpisodeUnknownError, EpisodeOverError, EpisodeStoppedError, MalformedCommandError,
        CommandIdReusedError, HeldUpError, EngineFaultError, EngineUnavailableError.
        """
        return await self._send(episode_id, Submission(command))

    async def _send(self, episode_id: str, submission: Submission) -> Receipt:
        handle = self._client.get_workflow_handle_for(EpisodeWorkflow.run, workflow_id(episode_id))

        async def call() -> Receipt:
            return await handle.execute_update(  # pyright: ignore[reportUnknownMemberType]
                EpisodeWorkflow.submit, submission, id=submission.command.command_id
            )

        return _answer_to(submission.command, await self._patiently(episode_id, call))

    async def migrate(self, episode_id: str, command: Migrate, spec: ProtocolSpec) -> Receipt:
        """Move an episode to this newer version of its protocol. Raises like `submit`."""
        return await self._send(episode_id, Submission(command, self._document(spec)))

    async def view(self, episode_id: str) -> EpisodeView:
        """The episode as its workflow sees it now. Raises EpisodeUnknownError, EngineUnavailableError."""
        handle = self._client.get_workflow_handle_for(EpisodeWorkflow.run, workflow_id(episode_id))

        async def call() -> EpisodeView:
            return await handle.query(EpisodeWorkflow.view)

        return await self._patiently(episode_id, call)

    async def living(self, episode_id: str) -> EpisodeView:
        """The same of an episode that goes on, or has ended by itself. Raises EpisodeStoppedError besides."""
        handle = self._client.get_workflow_handle_for(EpisodeWorkflow.run, workflow_id(episode_id))

        async def call() -> EpisodeView:
            condition = QueryRejectCondition.NOT_COMPLETED_CLEANLY
            return await handle.query(EpisodeWorkflow.view, reject_condition=condition)

        try:
            return await self._patiently(episode_id, call)
        except WorkflowQueryRejectedError as error:
            if error.status in STOPPED:
                raise _stopped(episode_id) from None
            return await self.view(episode_id)  # its opening was refused

    async def waiting(self, episode_id: str, run_id: str | None = None) -> Sequence[TrailRow]:
        """The rows that its workflow, or one run of it, has and the records do not. Raises like `view`."""
        handle = self._client.get_workflow_handle_for(EpisodeWorkflow.run, workflow_id(episode_id), run_id=run_id)

        async def call() -> tuple[TrailRow, ...]:
            return await handle.query(EpisodeWorkflow.waiting)

        return await self._patiently(episode_id, call)

    async def stopped(self, episode_id: str) -> bool:
        """Whether its workflow was ended in Temporal before its time. Raises like `view`."""
        handle = self._client.get_workflow_handle(workflow_id(episode_id))
        return (await self._patiently(episode_id, handle.describe)).status in STOPPED

    async def all_stopped(self, most: int = MOST_STOPPED) -> frozenset[str]:
        """Episodes whose workflow was ended before its time and that did not go on since; one listing tells of all.

        Raises EngineUnavailableError.
        """
        ended = " OR ".join(f'ExecutionStatus="{how}"' for how in ENDED_HOW)
        found = set[str]()
        async for episode_id in self._listed(f"({ended})", most):
            with suppress(EpisodeUnknownError, EpisodeOverError):
                if await self.stopped(episode_id):
                    found.add(episode_id)
        return frozenset(found)

    async def reopen(self, told: EpisodeInput) -> str | None:
        """Begin an episode from what is told, in place of the workflow that there is; the run that was given up."""
        handle = self._client.get_workflow_handle(workflow_id(told.episode_id))
        try:
            given_up = (await handle.describe()).run_id
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise EngineUnavailableError(f"Temporal does not answer: {error.status.name}") from error
            given_up = None
        drill = told.carried is not None and told.carried.episode is not None and told.carried.episode.drill
        await self._client.start_workflow(
            EpisodeWorkflow.run,
            told,
            id=workflow_id(told.episode_id),
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            priority=Priority(priority_key=ports.DRILL_URGENCY if drill else ports.EPISODE_URGENCY),
        )
        return given_up

    async def known(self) -> AsyncIterator[str]:
        """The ids of the episodes that Temporal still has, open or closed. Raises EngineUnavailableError."""
        async for episode_id in self._listed():
            yield episode_id

    async def _listed(self, which: str = "", most: int | None = None) -> AsyncIterator[str]:
        query = f'WorkflowType="{ports.EPISODE_WORKFLOW}" AND TaskQueue="{self._task_queue}"'
        told = set[str]()  # an episode that went on in a new run is listed once for each
        try:
            async for run in self._client.list_workflows(f"{query} AND {which}" if which else query, limit=most):
                if run.id not in told:
                    told.add(run.id)
                    yield run.id.removeprefix(workflow_id(""))
        except RPCError as error:
            raise EngineUnavailableError(f"Temporal does not list its workflows: {error.status.name}") from error

    def _document(self, spec: ProtocolSpec) -> str:
        """The canonical document, written once for each protocol."""
        if spec.content_hash not in self._documents:
            self._documents[spec.content_hash] = spec.canonical()
        return self._documents[spec.content_hash]

    async def _patiently(self, episode_id: str, call: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience.total_seconds()
        while True:
            try:
                async with asyncio.timeout(min(ATTEMPT.total_seconds(), max(until - loop.time(), 0.1))):
                    return await call()
            except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
                last: BaseException = error
            except RPCError as error:
                if error.status == RPCStatusCode.NOT_FOUND:
                    raise await self._lost(episode_id) from None
                if error.status not in PASSING:
                    raise EpisodeError(f"Temporal refuses the call: {error.status.name}") from error
                last = error
            except WorkflowUpdateFailedError as error:
                if not _was_shut(error):
                    raise _rejection(error) from None
                last = error  # this worker does not have our key yet; another one may
            except WorkflowQueryFailedError as error:
                last = error  # a query that raced with a result; see workflows/runner.py
            except WorkflowAlreadyStartedError:
                raise EpisodeOverError(f"episode {episode_id} is over; open a new one") from None
            if loop.time() >= until:
                raise EngineUnavailableError(
                    "no answer from the engine; send the same command again with the same id"
                ) from last
            await asyncio.sleep(PAUSE_SECONDS)

    async def _refuse_stopped(self, episode_id: str) -> None:
        try:
            there = await self._client.get_workflow_handle(workflow_id(episode_id)).describe()
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return
            raise
        if there.status in STOPPED:
            raise _stopped(episode_id)

    async def _lost(self, episode_id: str) -> EpisodeError:
        try:
            there = await self._client.get_workflow_handle(workflow_id(episode_id)).describe()
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                return EngineUnavailableError(f"Temporal does not answer: {error.status.name}")
            return EpisodeUnknownError(f"there is no episode {episode_id}")
        if there.status == WorkflowExecutionStatus.RUNNING:
            return EngineUnavailableError("the episode was just changing hands; send the same command again")
        if there.status in STOPPED:
            return _stopped(episode_id)
        return EpisodeOverError(f"episode {episode_id} is over; open a new one")


def _stopped(episode_id: str) -> EpisodeStoppedError:
    return EpisodeStoppedError(
        f"the workflow of episode {episode_id} was ended in Temporal: nothing is taken or paged until "
        f"`holdfast audit reconcile {episode_id}` lets it go on. Call, and tell the supervisor now"
    )


def _answer_to(command: SentCommand, receipt: Receipt) -> Receipt:
    """The receipt, if it answers this command: Temporal itself gives an id that it knows its first answer."""
    if receipt.fingerprint != fingerprint(command):
        raise CommandIdReusedError(f"{REUSED.message} {REUSED.remedy}")
    return receipt


def _was_shut(error: WorkflowUpdateFailedError) -> bool:
    """Whether the worker could not open the command. It left no trace and may be sent again."""
    why = error.cause.__cause__
    return isinstance(why, ApplicationError) and why.type == SealError.__name__


def _rejection(error: WorkflowUpdateFailedError) -> EpisodeError:
    cause = error.cause
    kind = cause.type if isinstance(cause, ApplicationError) else ""
    if kind == ports.ENGINE_FAULT:
        return EngineFaultError("the engine failed on this command and did not take it; see the worker's log")
    if kind == ports.HELD_UP:
        return HeldUpError(str(cause))
    if kind == ports.REUSED_ID:
        return CommandIdReusedError(str(cause))
    return MalformedCommandError(str(cause))
