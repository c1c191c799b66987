"""The trail's rows go to the records; retried by Temporal for as long as the records are away."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from audit.store import AppendError, ConflictError
from protocol.summary import EpisodeSummary
from protocol.trail import Head, TrailRow
from workflows.ports import APPEND_ROWS, LONGEST_LINGER, Batch

MIGRATED = "Migrated"
"""The event after which an episode runs under another version of its protocol."""

log = structlog.get_logger()

MOST_A_SECOND = 16
"""Batches that one worker writes, about: with so many episodes busy that there would be more, each stays longer."""
MOST_STAYING = 500
"""Batches that stay at once. The worker has twice as many places, and pages must find one free."""


class Records(Protocol):
    """Where rows are kept: each once, in order, with the projections in the same transaction."""

    async def append(self, rows: Sequence[TrailRow], summary: EpisodeSummary) -> Head:
        """Append what is new of a batch; the head of the trail then."""
        ...

    async def knows_protocol(self, content_hash: str) -> bool:
        """True when the protocol's document is there."""
        ...

    async def save_protocol(self, content_hash: str, name: str, version: str, document: str) -> None:
        """Keep a protocol's canonical document; known ones are left as they are."""
        ...


class Recording:
    """The activity `append_rows` with what it needs."""

    def __init__(self, records: Records, at_once: int) -> None:
        self._records = records
        self._turn = asyncio.Semaphore(at_once)
        """No more writers than the records have connections: waiting here costs no time limit of theirs."""
        self._staying = 0

    @activity.defn(name=APPEND_ROWS)
    async def append_rows(self, batch: Batch) -> bool:
        """Write the batch, then stay a moment: what comes meanwhile travels in the next one.

        True when the records want the protocol's document, which then comes at once.
        """
        try:
            wanted = await self._write(batch)
        except ConflictError as error:
            log.error(
                "the trail says otherwise than the workflow: `holdfast audit reconcile` mends that",
                episode_id=batch.summary.episode_id,
                exc_info=error,
            )
            raise ApplicationError("the trail refuses the batch", type=type(error).__name__) from None
        except AppendError as error:
            log.error(
                "the trail refuses a batch: it needs a person", episode_id=batch.summary.episode_id, exc_info=error
            )
            raise ApplicationError("the trail refuses the batch", type=type(error).__name__) from None
        except Exception as error:
            log.warning("records not written", error_type=type(error).__name__, attempt=activity.info().attempt)
            raise ApplicationError("the records can't be written now", type="RecordsAway") from None
        if not wanted:
            await self._linger(batch.linger)
        return wanted

    async def _write(self, batch: Batch) -> bool:
        told = batch.summary
        async with self._turn:
            if batch.protocol is not None:
                await self._save(batch.protocol)
            if not batch.rows:
                return False
            await self._records.append(batch.rows, told)
            begins = any(row.sequence == 1 or row.kind == MIGRATED for row in batch.rows)
            return begins and not await self._records.knows_protocol(told.protocol_hash)

    async def _save(self, document: str) -> None:
        """A document says itself what it is; the one that travels may be of the version before a migration."""
        about = json.loads(document)
        content_hash = hashlib.sha256(document.encode()).hexdigest()
        await self._records.save_protocol(content_hash, about["protocol"], about["version"], document)

    async def _linger(self, time: timedelta) -> None:
        """Stay so long, longer in company, and no longer when the worker is to stop."""
        if not time or self._staying >= MOST_STAYING:
            return
        self._staying += 1
        busy = min(timedelta(seconds=self._staying / MOST_A_SECOND), LONGEST_LINGER)
        try:
            async with asyncio.timeout(max(time, busy).total_seconds()):
                await activity.wait_for_worker_shutdown()
        except TimeoutError:
            return
        finally:
            self._staying -= 1
