"""Holding the lists against the trail: the watchdog and the boards read them, so a wrong one is as bad as a wrong row.

The rows of an episode are folded into its state, and what that state puts into the lists `episodes`, `obligations`,
`pages` and `rises` is compared with what stands there, column by column, as of one moment.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cache, partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Table, select, type_coerce
from sqlalchemy.types import NullType

from audit.broken_text import is_text, reading_anything, shown
from audit.database import Database
from audit.queries import opened_rows
from audit.sealing import Keyring, SealingError
from audit.shelf import Shelf, ShelfError
from audit.tables import episodes, obligations, pages, rises, trail
from audit.verify import Verdict
from protocol.canonical import rfc3339
from protocol.chronicle import event_of
from protocol.episode import Episode
from protocol.events import Event, PageReported, PageRequested
from protocol.evolve import evolve
from protocol.spec import ProtocolSpec
from protocol.summary import EpisodeSummary, PageSummary, summarise
from protocol.tallies import rises as risen
from protocol.trail import Fault, TrailRow, Wrong

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROWS_AT_ONCE = 2_000
"""Rows of the trail that one transaction reads, whole episodes at a time."""
LONGEST_SHOWN = 80

Line = Mapping[str, Any]
Listed = dict[str, dict[Any, Line]]
"""Table → key within the episode → column → value, as stored."""

_TABLES: tuple[tuple[Table, str | None], ...] = (
    (episodes, None),
    (obligations, "obligation_id"),
    (pages, "page_id"),
    (rises, "sequence"),
)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The first place where a list is not what the trail says."""

    table: str
    episode_id: str
    key: str
    """The obligation or page; empty in `episodes`."""
    column: str
    """Empty when the whole row is wrong."""
    listed: str
    recorded: str

    def __str__(self) -> str:
        row = f"episode {shown(self.episode_id)}" + (f", row {shown(self.key)}" if self.key else "")
        column = f", column {self.column}" if self.column else ""
        return f"list {self.table}, {row}{column}: the list says {self.listed}, the trail says {self.recorded}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of holding the lists of one episode against its trail; good when all three are None."""

    episode_id: str
    disagreement: Disagreement | None = None
    ahead: Fault | None = None
    """The list knows later rows than the trail has: its end was cut off, or the trail is just catching up."""
    skipped: str | None = None
    """Why it could not be compared."""


class Lists:
    """Compares lists with trails whose chains were found good."""

    def __init__(self, database: Database, ring: Keyring) -> None:
        self._database = database
        self._ring = ring
        self._shelf = Shelf(database)

    async def compare(self, verdicts: Iterable[Verdict]) -> AsyncIterator[Comparison]:
        """One comparison for each verdict, in their order. Without a good chain there is nothing to compare with."""
        for bundle in bundles(verdicts, ROWS_AT_ONCE):
            ids = [one.episode_id for one in bundle if one.fault is None]
            found = {one.episode_id: one for one in await self._database.read_moment(partial(self._work, ids=ids))}
            for one in bundle:
                yield found.get(one.episode_id) or Comparison(one.episode_id, skipped="its chain is damaged")

    def _work(self, connection: Connection, ids: Sequence[str]) -> list[Comparison]:
        listed = {episode_id: Listed() for episode_id in ids}
        for table, key in _TABLES:
            for line in reading_anything(connection, partial(_lines, connection, table, ids)):
                name = "" if key is None else line[key]
                listed[line["episode_id"]].setdefault(table.name, {})[name] = line
        rows = self._rows(connection, ids)
        return [self._compare(connection, one, listed[one], rows.get(one, ())) for one in ids]

    def _rows(self, connection: Connection, ids: Sequence[str]) -> dict[str, Sequence[TrailRow]]:
        query = select(trail).where(trail.c.episode_id.in_(ids)).order_by(trail.c.episode_id, trail.c.sequence)
        try:
            rows = opened_rows(connection, self._ring, query)
        except (SealingError, ValueError):  # damaged since its chain was read, or by half: read each alone
            return {} if len(ids) == 1 else {k: v for one in ids for k, v in self._rows(connection, [one]).items()}
        return {episode_id: list(group) for episode_id, group in groupby(rows, key=lambda row: row.episode_id)}

    def _compare(self, connection: Connection, episode_id: str, listed: Listed, rows: Sequence[TrailRow]) -> Comparison:
        if not rows:
            return Comparison(episode_id, skipped="its rows can't be read")
        if any(row.payload is None for row in rows):
            return Comparison(episode_id, skipped="the client's key was destroyed")
        ahead = _ahead(listed, rows[-1])
        if ahead is not None:
            return Comparison(episode_id, ahead=ahead)
        try:
            events = [*map(event_of, rows)]
            episode = fold(events)
        except (ValueError, KeyError):  # says what people wrote
            return Comparison(episode_id, skipped="its rows are no steps of an episode")
        try:
            spec = self._shelf.take(connection, episode.protocol_hash)
        except ShelfError as error:
            lost = Disagreement("protocols", episode_id, episode.protocol_hash, "document", "otherwise", str(error))
            return Comparison(episode_id, lost)
        return Comparison(
            episode_id, next(_disagreements(episode_id, listed, expected(spec, episode, rows, events)), None)
        )


def folded(rows: Iterable[TrailRow]) -> Episode:
    """The state that recorded rows make. Raises ValueError for rows that are no episode."""
    return fold(map(event_of, rows))


def fold(events: Iterable[Event]) -> Episode:
    """The state that events make. Raises ValueError for events that are no episode."""
    episode: Episode | None = None
    for event in events:
        episode = evolve(episode, event)
    if episode is None:
        raise ValueError("an episode without rows")
    return episode


def expected(spec: ProtocolSpec, episode: Episode, rows: Sequence[TrailRow], events: Sequence[Event]) -> Listed:
    """What the lists must say of an episode of these rows, with the event of each."""
    summary: EpisodeSummary = summarise(spec, episode)
    owed: dict[Any, Line] = {
        one.obligation_id: {"episode_id": episode.episode_id, **_line(one)} for one in summary.obligations
    }
    return {
        "episodes": {"": {name: value for name, value in _line(summary).items() if name != "obligations"}},
        "obligations": owed,
        "rises": {one.sequence: _line(one) for one in risen(rows)},
        "pages": {one.page_id: _line(one) for one in page_summaries(rows, events)},
    }


def _line(one: DataclassInstance) -> dict[str, Any]:
    """The fields of a value by name, as they are: `asdict` copies whatever is in them."""
    return {name: getattr(one, name) for name in _names(type(one))}


@cache
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


def page_summaries(rows: Iterable[TrailRow], events: Iterable[Event]) -> tuple[PageSummary, ...]:
    """The pages that rows and their events tell of, in the order of their requests."""
    found: dict[str, PageSummary] = {}
    for row, event in zip(rows, events, strict=True):
        if isinstance(event, PageRequested) and event.page_id not in found:
            found[event.page_id] = _requested(row, event)
        elif isinstance(event, PageReported) and event.page_id in found:
            found[event.page_id] = _reported(found[event.page_id], row.recorded_at, event)
    return tuple(found.values())


def _requested(row: TrailRow, event: PageRequested) -> PageSummary:
    return PageSummary(
        *(event.page_id, row.episode_id, event.obligation_id, event.rung, event.role, event.channels),
        *(row.recorded_at, None, None, (), ""),
    )


def _reported(page: PageSummary, at: datetime, event: PageReported) -> PageSummary:
    return replace(page, reported_at=at, delivered=event.delivered, recipients=event.recipients, detail=event.detail)


def bundles(verdicts: Iterable[Verdict], least: int) -> Iterator[list[Verdict]]:
    """The verdicts in bundles of at least so many rows; the last may have fewer."""
    bundle: list[Verdict] = []
    rows = 0
    for one in verdicts:
        bundle.append(one)
        rows += one.rows
        if rows >= least:
            yield bundle
            bundle, rows = [], 0
    if bundle:
        yield bundle


def _lines(connection: Connection, table: Table, ids: Sequence[str]) -> list[Line]:
    dialect = connection.dialect.name
    query = select(*(_as_it_lies(column, dialect) for column in table.columns))
    lines = connection.execute(query.where(table.c.episode_id.in_(ids))).mappings()
    return [{name: _read(value) for name, value in line.items()} for line in lines]


def _as_it_lies(column: Column[Any], dialect: str) -> Any:
    """On SQLite without any reading of types: what somebody forced into a column must come out, not stumble."""
    return type_coerce(column, NullType()).label(column.name) if dialect == "sqlite" else column


def _read(value: Any) -> Any:
    return rfc3339(value) if isinstance(value, datetime) else value


def _ahead(listed: Listed, last: TrailRow) -> Fault | None:
    line = listed.get("episodes", {}).get("", {})
    revision = line.get("revision")
    if not isinstance(revision, int) or revision <= last.sequence:
        return None
    detail = f"the list of episodes knows row {revision}"
    return Fault(last.episode_id, last.sequence + 1, Wrong.TRUNCATED, detail)


def _disagreements(episode_id: str, listed: Listed, expected: Listed) -> Iterator[Disagreement]:
    for table, _ in _TABLES:
        name = table.name
        there, should = listed.get(name, {}), expected[name]
        for key in sorted({*there, *should}, key=str):
            called = str(key) if isinstance(key, int) else key
            if key not in there or key not in should:
                said = ("nothing", "that there is one") if key in should else ("that there is one", "nothing")
                yield Disagreement(name, episode_id, called, "", *said)
                continue
            for column in [one.name for one in table.columns]:
                if not _same(there[key][column], should[key][column]):
                    values = (_shown(there[key][column]), _shown(should[key][column]))
                    yield Disagreement(name, episode_id, called, column, *values)


def _same(listed: Any, recorded: Any) -> bool:
    if isinstance(recorded, tuple):
        return _as_list(listed) == [*recorded]
    return listed == (rfc3339(recorded) if isinstance(recorded, datetime) else recorded)


def _as_list(value: Any) -> Any:
    """SQLite keeps lists as JSON text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, tuple) else str(value)
    text = text if is_text(text) else shown(text)
    return f"{text[:LONGEST_SHOWN]}…" if len(text) > LONGEST_SHOWN else repr(text) if isinstance(value, str) else text
