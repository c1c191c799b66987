"""Random traffic for an episode: commands, repeats, rubbish, bursts, deadlines, while the records come and go."""

from __future__ import annotations

import asyncio
import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from protocol import commands as c
from protocol.engine import Receipt
from protocol.spec import ProtocolSpec
from tests.workflows.stack import Stack
from workflows import ports
from workflows.client import workflow_id
from workflows.messages import Submission


@dataclass
class Traffic:
    """Drives one episode; remembers every command that was acknowledged and its receipt."""

    shell: Stack
    spec: ProtocolSpec
    chance: random.Random
    episode_id: str = ""
    acknowledged: dict[str, Receipt] = field(default_factory=dict[str, Receipt])
    sent: list[Any] = field(default_factory=list[Any])

    async def open(self) -> None:
        self.episode_id = self._uuid()
        opened = self._command(
            c.OpenEpisode, episode_id=self.episode_id, client_ref=f"client-{self._uuid()}", owner="maya"
        )
        self._acknowledge(opened, await self.shell.episodes.open(self.spec, opened))

    async def step(self) -> None:
        """One act: mostly a command; sometimes a repeat, a burst or rubbish."""
        await self.chance.choice((self._one, self._one, self._one, self._again, self._burst, self._rubbish))()
        if self.chance.random() < 0.4:
            await asyncio.sleep(self.chance.random() * 0.6)

    async def _one(self) -> None:
        await self._submit(self._any_command())

    async def _burst(self) -> None:
        await asyncio.gather(*(self._submit(self._any_command()) for _ in range(3)))

    async def _again(self) -> None:
        """The same command once more, as a new update: the receipt must be the same."""
        command = self.chance.choice(self.sent)
        assert await self._update(Submission(command)) == self.acknowledged[command.command_id]

    async def _rubbish(self) -> None:
        try:
            await self._update({"command": {"kind": "Nonsense"}})
        except WorkflowUpdateFailedError:
            return
        raise AssertionError("rubbish was accepted")

    async def _update(self, told: Any) -> Receipt:
        """An update under an id of its own; sent again when a run ended under it."""
        handle = self.shell.client.get_workflow_handle(workflow_id(self.episode_id))
        while True:
            try:
                return await handle.execute_update(ports.SUBMIT, told, id=self._uuid(), result_type=Receipt)
            except RPCError:
                await asyncio.sleep(0.2)

    async def _submit(self, command: Any) -> None:
        self._acknowledge(command, await self.shell.episodes.submit(self.episode_id, command))

    def _acknowledge(self, command: Any, receipt: Receipt) -> None:
        assert receipt.command_id == command.command_id
        self.acknowledged[command.command_id] = receipt
        self.sent.append(command)

    def _any_command(self) -> Any:
        chance = self.chance
        kind, told = chance.choice(
            (
                (c.RecordFacts, {"facts": {"distress_1": chance.randint(0, 5)}}),
                (c.CompleteStep, {"step": "listen", "facts": CALM}),
                (c.DeclareEmergency, {"reason": "pills in hand"}),
                (c.CompleteStep, {"step": "send_help", "facts": {"help_sent": "yes"}}),
                (c.Advance, {}),
                (c.Acknowledge, {"obligation_id": f"emergency_help-{chance.randint(1, 9)}"}),
                (c.RecordContact, {"party": "client", "channel": "phone", "outcome": "no_answer"}),
                (c.CloseEpisode, {"outcome": "forgotten", "reason": "no such outcome"}),
            )
        )
        return self._command(kind, **told)

    def _command(self, kind: Any, **told: Any) -> Any:
        return kind(command_id=self._uuid(), actor="maya", role="therapist", occurred_at=datetime.now(UTC), **told)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))


CALM = {"wish_to_die": "no", "distress_1": 1}
