"""The way to the episodes, which may be away: pages then show the records and say since when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from protocol.commands import DeclareEmergency, HumanCommand
from protocol.engine import Receipt
from settings import Settings
from workflows.client import EngineUnavailableError, EpisodeClient, EpisodeError
from workflows.connection import connect
from workflows.messages import EpisodeView

log = structlog.get_logger()

GLANCE = timedelta(seconds=1.5)
"""How long a page waits for the engine before it shows the records instead."""
PATIENCE = timedelta(seconds=20)
"""How long a command is repeated before the person is told to send it again."""
EMERGENCY_PATIENCE = timedelta(seconds=4)
"""Whoever declares an emergency is told soon that nothing was taken, and to call: the number stands on the page."""
CONNECT_SECONDS = 3.0
LISTEN_SECONDS = 3.0
BEATS = 5
"""How often the engine is listened to before it is asked again which episodes were stopped."""
PAUSE_SECONDS = 1.0
"""Between two tries to reach an engine that is away."""


class Engine:
    """Connects when first needed, and again after an outage."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Client | None = None
        self._patient: EpisodeClient | None = None
        self._hasty: EpisodeClient | None = None
        self._urgent: EpisodeClient | None = None
        self._connecting = asyncio.Lock()
        self._tried_at = 0.0
        self._vain_at: float | None = None
        self.silent_since: datetime | None = None
        """Since when the engine has not answered (aware UTC); None while it does."""
        self.stopped: frozenset[str] = frozenset()
        """Episodes whose workflow was ended in Temporal before its time, as it was heard last."""

    async def commands(self) -> EpisodeClient:
        """Takes commands. Raises EngineUnavailableError."""
        await self._connected()
        assert self._patient is not None
        return self._patient

    async def submit(self, episode_id: str, command: HumanCommand) -> Receipt:
        """Send a command. Raises what `EpisodeClient.submit` raises; an emergency is not waited for long."""
        patient = await self.commands()
        assert self._urgent is not None
        client = self._urgent if isinstance(command, DeclareEmergency) else patient
        return await client.submit(episode_id, command)

    async def view(self, episode_id: str) -> EpisodeView:
        """The episode as its workflow sees it, or saw it last. Raises EpisodeUnknownError, EngineUnavailableError."""
        return await self._asked(lambda engine: engine.view(episode_id))

    async def living(self, episode_id: str) -> EpisodeView:
        """The same of an episode that goes on, or has ended by itself. Raises EpisodeStoppedError besides."""
        return await self._asked(lambda engine: engine.living(episode_id))

    async def _asked(self, ask: Callable[[EpisodeClient], Awaitable[EpisodeView]]) -> EpisodeView:
        if self._asked_in_vain():
            raise EngineUnavailableError("the engine does not answer")
        try:
            await self._connected()
            assert self._hasty is not None
            seen = await ask(self._hasty)
        except EngineUnavailableError:
            self.silent_since = self.silent_since or datetime.now(UTC)
            self._vain_at = asyncio.get_running_loop().time()
            raise
        self._vain_at = None
        return seen

    def _asked_in_vain(self) -> bool:
        """A view got no answer a moment ago: pages don't wait for the next one."""
        return self._vain_at is not None and asyncio.get_running_loop().time() - self._vain_at < LISTEN_SECONDS

    async def listen(self) -> None:
        """Ask again and again whether the engine is there and which episodes it lost, so that every page knows."""
        for beat in count():
            try:
                await self._connected()
                assert self._client is not None
                await self._client.service_client.check_health(timeout=GLANCE)
                self.silent_since = None
                if beat % BEATS == 0:
                    await self._ask_for_stopped()
            except (EngineUnavailableError, RPCError):
                self.silent_since = self.silent_since or datetime.now(UTC)
            await asyncio.sleep(LISTEN_SECONDS)

    async def _ask_for_stopped(self) -> None:
        assert self._urgent is not None
        try:
            async with asyncio.timeout(LISTEN_SECONDS):
                self.stopped = await self._urgent.all_stopped()
        except (EpisodeError, TimeoutError) as error:  # the list is a help; that the engine is there was heard already
            log.warning("which episodes were stopped is not known", error_type=type(error).__name__)

    async def _connected(self) -> None:
        if self._patient is not None:
            return
        async with self._connecting:
            if self._patient is None:
                await self._connect()

    async def _connect(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._tried_at and now - self._tried_at < PAUSE_SECONDS:
            raise EngineUnavailableError("the engine does not answer; what you typed is kept, send it again")
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                client = await connect(self._settings)
        except (RuntimeError, TimeoutError):
            self._tried_at = asyncio.get_running_loop().time()
            self.silent_since = self.silent_since or datetime.now(UTC)
            raise EngineUnavailableError("the engine does not answer; what you typed is kept, send it again") from None
        self._client = client
        self._patient = EpisodeClient(client, self._settings.temporal_task_queue, PATIENCE)
        self._hasty = EpisodeClient(client, self._settings.temporal_task_queue, GLANCE)
        self._urgent = EpisodeClient(client, self._settings.temporal_task_queue, EMERGENCY_PATIENCE)
        self.silent_since = None
