"""What a command about episodes works with: the engine, the records, the rota, the directory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client

from audit.database import Database
from audit.database import connect as connect_records
from audit.queries import Filter, Queries
from audit.sealing import Keyring
from audit.shelf import ShelfError, genuine
from cli.configuration import settings
from cli.output import FOUND, UNREACHABLE, USAGE, Trouble
from cli.shelf import protocol_files
from protocol.episode import Episode
from protocol.program import Program, program
from protocol_specs.loader import load_protocol
from protocol_specs.located import SpecErrors
from settings import Settings, variable
from workflows.client import (
    EngineUnavailableError,
    EpisodeClient,
    EpisodeError,
    EpisodeStoppedError,
    EpisodeUnknownError,
)
from workflows.connection import connect as connect_engine

T = TypeVar("T")

PATIENCE = timedelta(seconds=10)
ANSWER_SECONDS = 2.0
"""How long a list waits to learn whether the engine is there."""
MOST_LISTED = 1_000


@dataclass(frozen=True)
class Desk:
    """The connections of one command."""

    settings: Settings
    records: Database
    ring: Keyring

    @property
    def queries(self) -> Queries:
        """The reading side of the records."""
        return Queries(self.records, self.ring)

    async def engine(self) -> EpisodeClient:
        """The way to the episodes themselves. Raises Trouble when Temporal is away."""
        return EpisodeClient(await self._temporal(), self.settings.temporal_task_queue, PATIENCE)

    async def engine_answers(self) -> bool:
        """True when Temporal answers at once."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._temporal()
        except (Trouble, TimeoutError):
            return False
        return True

    async def _temporal(self) -> Client:
        try:
            return await connect_engine(self.settings)
        except RuntimeError:
            raise Trouble(
                f"Temporal does not answer at {self.settings.temporal_address}",
                f"start Holdfast with `holdfast up`, or set {variable('temporal_address')}",
                UNREACHABLE,
            ) from None

    async def find(self, reference: str) -> str:
        """The id of the one episode that a reference or its beginning means. Raises Trouble when several fit.

        What the records do not know is taken as a whole id: they may be behind, or away.
        """
        try:
            known = await self.queries.list_episodes(Filter(), MOST_LISTED)
        except SQLAlchemyError:
            return reference
        ids = [episode.episode_id for episode in known]
        fitting = [one for one in ids if one.startswith(reference)]
        if reference in ids or not fitting:
            return reference
        if len(fitting) > 1:
            some = ", ".join(fitting[:5])
            raise Trouble(f"{reference} means {len(fitting)} episodes: {some} …", "write more of the id", USAGE)
        return fitting[0]

    async def program_of(self, episode: Episode) -> Program:
        """The protocol under which an episode was opened: from the files, else from the records. Raises Trouble."""
        for path in protocol_files(self.settings.protocols):
            try:
                spec = load_protocol(path)
            except SpecErrors:
                continue  # a protocol somebody is working on must not hide an episode
            if spec.content_hash == episode.protocol_hash:
                return program(spec)
        stored = await self.queries.get_protocol(episode.protocol_hash)
        if stored is None:
            version = f"{episode.protocol} {episode.protocol_version}"
            raise Trouble(f"the protocol {version} of this episode is not at hand", "try again in a moment", FOUND)
        try:
            return program(genuine(stored.document, episode.protocol_hash))
        except ShelfError as error:
            raise Trouble(str(error), "`holdfast audit verify` says more", FOUND) from None


@asynccontextmanager
async def _desk() -> AsyncGenerator[Desk]:
    told = settings()
    engine = connect_records(told.database_url.get_secret_value(), pool_size=1)
    try:
        yield Desk(told, engine, Keyring((key.id, key.secret) for key in told.record_keys))
    finally:
        await engine.dispose()


def at_desk(work: Callable[[Desk], Coroutine[Any, Any, T]]) -> T:
    """Do something with a desk and clear it up. Raises Trouble for whatever does not answer."""

    async def do() -> T:
        async with _desk() as desk:
            return await work(desk)

    try:
        return asyncio.run(do())
    except EngineUnavailableError as error:
        raise Trouble(str(error), "see that Holdfast runs: `holdfast up`, or the worker", UNREACHABLE) from None
    except EpisodeUnknownError as error:
        raise Trouble(str(error), "`holdfast episode list --all` shows the episodes", USAGE) from None
    except EpisodeStoppedError as error:
        raise Trouble(str(error), "let it go on from its trail, then send it again", FOUND) from None
    except EpisodeError as error:
        raise Trouble(str(error), "change that and send it again", FOUND) from None
    except SQLAlchemyError as error:
        raise Trouble(
            f"the records do not answer ({type(error).__name__})",
            f"see that the database of {variable('database_url')} runs and `holdfast migrate` was done",
            UNREACHABLE,
        ) from None


def utc_now() -> datetime:
    """The present moment; the one clock of the command line."""
    return datetime.now(UTC)
