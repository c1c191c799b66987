"""What lists read: made from the trail rows and the summary that came with them, in their transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.dialects import insert_or_skip, insert_or_update
from audit.tables import episodes, obligations, pages
from protocol.summary import EpisodeSummary
from protocol.trail import TrailRow


async def project(connection: AsyncConnection, rows: Sequence[TrailRow], summary: EpisodeSummary) -> None:
    """Bring the projections of one episode up to these rows. An older summary changes nothing."""
    values = asdict(summary)
    owed = values.pop("obligations")
    upsert = insert_or_update(connection, episodes, newer="revision").returning(episodes.c.revision)
    if (await connection.execute(upsert, values)).first() is not None:
        await _replace_obligations(connection, summary.episode_id, owed)
    for row in rows:
        await _note_page(connection, row)


async def _replace_obligations(connection: AsyncConnection, episode_id: str, owed: Sequence[dict[str, Any]]) -> None:
    await connection.execute(delete(obligations).where(obligations.c.episode_id == episode_id))
    if owed:
        await connection.execute(insert(obligations), [{"episode_id": episode_id, **one} for one in owed])


async def _note_page(connection: AsyncConnection, row: TrailRow) -> None:
    if row.kind == "PageRequested":
        event = _event(row)
        values = {name: event[name] for name in ("page_id", "obligation_id", "rung", "role", "channels")}
        request: dict[str, Any] = {
            "episode_id": row.episode_id,
            "requested_at": row.recorded_at,
            "recipients": [],
            "detail": "",
        }
        await connection.execute(insert_or_skip(connection, pages), {**values, **request})
    elif row.kind == "PageReported":
        event = _event(row)
        page = (pages.c.episode_id == row.episode_id) & (pages.c.page_id == event["page_id"])
        report = {name: event[name] for name in ("delivered", "recipients", "detail")}
        await connection.execute(update(pages).where(page).values(reported_at=row.recorded_at, **report))


def _event(row: TrailRow) -> dict[str, Any]:
    return {} if row.payload is None else row.payload["event"]
