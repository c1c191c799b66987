"""The list of episodes: what needs somebody first stands first, and whether the data are fresh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rich.text import Text

from audit.queries import Filter
from cli.desk import Desk
from cli.output import say
from cli.tables import table
from protocol.local_time import show_span, show_time
from protocol.summary import EpisodeSummary
from protocol.words import person, plain

LATE = timedelta(seconds=30)
"""A deadline that passed longer ago and is not in the records yet means that they are behind."""
SHORT_ID = 8


@dataclass(frozen=True)
class Board:
    """The episodes as the records have them."""

    at: datetime
    engine: str
    """up or down."""
    stale_since: datetime | None
    """The earliest deadline that passed without a trace in the records."""
    episodes: tuple[EpisodeSummary, ...]


async def board_of(desk: Desk, which: Filter, limit: int, now: datetime) -> Board:
    """The board at `now` (aware UTC)."""
    episodes = await desk.queries.list_episodes(which, limit)
    passed = [one.next_deadline for one in episodes if one.next_deadline and one.next_deadline < now - LATE]
    engine = "up" if await desk.engine_answers() else "down"
    return Board(now, engine, min(passed, default=None), episodes)


def warnings(board: Board, zone: ZoneInfo) -> list[str]:
    """What the reader must know about the data."""
    found: list[str] = []
    if board.engine == "down":
        found.append("ENGINE DOWN: nothing is sent or paged now. Start it with `holdfast up`.")
    if board.stale_since is not None:
        found.append(
            f"STALE: the deadline of {show_time(board.stale_since, zone, board.at)} is not in the records yet."
        )
    return found


def show(board: Board, zone: ZoneInfo) -> None:
    """The board as a table."""
    for warning in warnings(board, zone):
        say(warning)
    columns = ("Episode", "Client", "Protocol", "Stage", "Risk", "Owner", "Due", "Owed")
    ids = short_ids([one.episode_id for one in board.episodes])
    rows = [_row(one, ids[one.episode_id], zone, board.at) for one in board.episodes]
    table("", columns, rows, "No episode.")


def _row(one: EpisodeSummary, short: str, zone: ZoneInfo, now: datetime) -> Sequence[str | Text]:
    overdue = sum(owed.due_at <= now for owed in one.obligations)
    risk = one.risk.upper() if one.risk in ("high", "imminent") else one.risk
    owed = f"{len(one.obligations)}\n{overdue} OVERDUE" if overdue else str(len(one.obligations))
    name = f"{short}\nDRILL" if one.drill else short
    protocol = f"{one.protocol}\n{one.protocol_version}"
    return name, one.client_ref, protocol, plain(one.stage), risk, person(one.owner), _due(one, zone, now), owed


def _due(one: EpisodeSummary, zone: ZoneInfo, now: datetime) -> str:
    if one.closed_at is not None:
        return f"closed\n{show_time(one.closed_at, zone, now)}"
    if one.next_deadline is None:
        return "none"
    left = one.next_deadline - now
    ago = "" if left > timedelta(0) else " ago"
    return f"{show_span(left)}{ago}\n{show_time(one.next_deadline, zone, now)}"


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """For each id its shortest beginning, of at least eight characters, that means no other one."""
    short: dict[str, str] = {}
    for one in ids:
        length = SHORT_ID
        while length < len(one) and sum(other.startswith(one[:length]) for other in ids) > 1:
            length += 1
        short[one] = one[:length]
    return short
