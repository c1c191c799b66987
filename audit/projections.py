"""What lists read: made from the trail rows and the summary that came with them, in their transaction."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from audit.dialects import insert_or_skip, insert_or_update
from audit.tables import Moment, episodes, obligations, pages, tallies
from audit.tables import rises as _rises
from protocol.summary import EpisodeSummary
from protocol.tallies import counted, event_in, rises
from protocol.trail import TrailRow

_FORGET = delete(obligations).where(obligations.c.episode_id == bindparam("of_episode"))
_OWE = insert(obligations)
_BEFORE = select(episodes.c.owner, episodes.c.risk).where(episodes.c.episode_id == bindparam("of_episode"))
_FIRST_PAGE = select(func.min(pages.c.requested_at, type_=Moment())).where(
    pages.c.episode_id == bindparam("of_episode"), pages.c.obligation_id == bindparam("of_obligation")
)


def project(connection: Connection, rows: Sequence[TrailRow], summary: EpisodeSummary) -> None:
    """Bring the projections of one episode up to these rows. An older summary changes nothing."""
    values = asdict(summary)
    owed = values.pop("obligations")
    before = connection.execute(_BEFORE, {"of_episode": summary.episode_id}).first() if rows else None
    upsert = insert_or_update(connection.dialect.name, episodes, newer="revision")
    if (connection.execute(upsert, values)).first() is not None:
        _replace_obligations(connection, summary.episode_id, owed)
    for row in rows:
        _note_page(connection, row)
    owner, risk = (before.owner, before.risk) if before is not None else (summary.owner, "none")
    risen = [asdict(one) for one in rises(rows, owner, risk)]
    if risen:
        connection.execute(insert_or_skip(connection.dialect.name, _rises), risen)
    tallied = [] if summary.drill else [one for row in rows for one in _tallied(connection, row, summary)]
    if tallied:
        connection.execute(insert(tallies), tallied)


def _tallied(connection: Connection, row: TrailRow, summary: EpisodeSummary) -> Iterator[dict[str, Any]]:
    """What a row adds to the counts: a month and names from the protocol, nothing that leads back to the episode."""
    event = event_in(row)
    found: list[tuple[str, str, int | None]] = [(kind, name, None) for kind, name in counted(event)]
    if row.kind == "Acknowledged" and (minutes := _waited(connection, row, event)) is not None:
        found.append(("acknowledged", str(event["obligation"]), minutes))
    for kind, name, minutes in found:
        yield {
            "tally_id": secrets.token_hex(8),
            "month": f"{row.occurred_at:%Y-%m}",
            "protocol": summary.protocol,
            "protocol_version": summary.protocol_version,
            "kind": kind,
            "name": name,
            "minutes": minutes,
        }


def _waited(connection: Connection, row: TrailRow, event: Mapping[str, Any]) -> int | None:
    """Whole minutes from the first page about something to somebody being on it; None where nobody was paged."""
    asked = {"of_episode": row.episode_id, "of_obligation": event.get("obligation_id", "")}
    first = connection.execute(_FIRST_PAGE, asked).scalar_one_or_none()
    return None if first is None else max(0, int((row.recorded_at - first).total_seconds() // 60))


def _replace_obligations(connection: Connection, episode_id: str, owed: Sequence[dict[str, Any]]) -> None:
    connection.execute(_FORGET, {"of_episode": episode_id})
    if owed:
        connection.execute(_OWE, [{"episode_id": episode_id, **one} for one in owed])


def _note_page(connection: Connection, row: TrailRow) -> None:
    if row.kind == "PageRequested":
        event = event_in(row)
        values = {name: event[name] for name in ("page_id", "obligation_id", "rung", "role", "channels")}
        request: dict[str, Any] = {
            "episode_id": row.episode_id,
            "requested_at": row.recorded_at,
            "recipients": [],
            "detail": "",
        }
        connection.execute(insert_or_skip(connection.dialect.name, pages), {**values, **request})
    elif row.kind == "PageReported":
        event = event_in(row)
        page = (pages.c.episode_id == row.episode_id) & (pages.c.page_id == event["page_id"])
        report = {name: event[name] for name in ("delivered", "recipients", "detail")}
        connection.execute(update(pages).where(page).values(reported_at=row.recorded_at, **report))
