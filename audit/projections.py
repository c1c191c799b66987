"""What lists read: made from the trail rows and the summary that came with them, in their transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, update

from audit.dialects import insert_or_skip, insert_or_update
from audit.tables import episodes, obligations, pages
from protocol.summary import EpisodeSummary
from protocol.trail import TrailRow

_FORGET = delete(obligations).where(obligations.c.episode_id == bindparam("of_episode"))
_OWE = insert(obligations)


def project(connection: Connection, rows: Sequence[TrailRow], summary: EpisodeSummary) -> None:
    """Bring the projections of one episode up to these rows. An older summary changes nothing."""
    values = asdict(summary)
    owed = values.pop("obligations")
    upsert = insert_or_update(connection.dialect.name, episodes, newer="revision")
    if (connection.execute(upsert, values)).first() is not None:
        _replace_obligations(connection, summary.episode_id, owed)
    for row in rows:
        _note_page(connection, row)


def _replace_obligations(connection: Connection, episode_id: str, owed: Sequence[dict[str, Any]]) -> None:
    connection.execute(_FORGET, {"of_episode": episode_id})
    if owed:
        connection.execute(_OWE, [{"episode_id": episode_id, **one} for one in owed])


def _note_page(connection: Connection, row: TrailRow) -> None:
    if row.kind == "PageRequested":
        event = _event(row)
        values = {name: event[name] for name in ("page_id", "obligation_id", "rung", "role", "channels")}
        request: dict[str, Any] = {
            "episode_id": row.episode_id,
            "requested_at": row.recorded_at,
            "recipients": [],
            "detail": "",
        }
        connection.execute(insert_or_skip(connection.dialect.name, pages), {**values, **request})
    elif row.kind == "PageReported":
        event = _event(row)
        page = (pages.c.episode_id == row.episode_id) & (pages.c.page_id == event["page_id"])
        report = {name: event[name] for name in ("delivered", "recipients", "detail")}
        connection.execute(update(pages).where(page).values(reported_at=row.recorded_at, **report))


def _event(row: TrailRow) -> dict[str, Any]:
    return {} if row.payload is None else row.payload["event"]
