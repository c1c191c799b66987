"""Asks the workflows of episodes for the ends of their chains, for whoever verifies the records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from audit.heads import End, NoAnswerError
from workflows.client import EngineUnavailableError, EpisodeClient, EpisodeError

Connect = Callable[[], Awaitable[EpisodeClient]]
"""Gives the way to the episodes. Raises EngineUnavailableError, whose message says who does not answer."""


class Ends:
    """Connects when first asked."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._client: EpisodeClient | None = None

    async def known(self) -> AsyncIterator[str]:
        """Every episode whose workflow Temporal still has, open or closed. Raises NoAnswerError."""
        client = await self._connected()
        try:
            async for episode_id in client.known():
                yield episode_id
        except EngineUnavailableError as error:
            raise NoAnswerError(str(error)) from None

    async def end(self, episode_id: str) -> End | None:
        """The end of an episode's chain; None when Temporal has forgotten it. Raises NoAnswerError."""
        client = await self._connected()
        try:
            view = await client.view(episode_id)
            stopped = await client.stopped(episode_id)
        except EngineUnavailableError:
            raise NoAnswerError("no worker answers") from None
        except EpisodeError:  # over, and forgotten by Temporal
            return None
        over = view.episode is not None and view.episode.closed_at is not None
        return End(view.head, view.unrecorded, stopped and not over)

    async def _connected(self) -> EpisodeClient:
        if self._client is None:
            try:
                self._client = await self._connect()
            except EngineUnavailableError as error:
                raise NoAnswerError(str(error)) from None
        return self._client
