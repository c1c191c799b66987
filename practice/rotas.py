"""The rota as it is lived: the file of clinical operations, with the changes that were made in the application over it.

A change adds or takes away a leave, a shift or a holiday; it is kept with who and when, and can be undone.
Everybody who asks who is on shift asks here: pages, worker, watchdog and command line.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

import structlog
from pydantic import ValidationError
from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from audit.database import Database
from practice.tables import rota_changes
from protocol.rota import Rota

log = structlog.get_logger()

Part = Literal["leave", "shifts", "holidays"]
Act = Literal["add", "remove"]
MOST_CHANGES = 5_000
MOST_LISTED = 100

_COUNTING = (
    select(rota_changes)
    .where(rota_changes.c.undone_at.is_(None))
    .order_by(rota_changes.c.at, rota_changes.c.change_id)
    .limit(MOST_CHANGES)
)
"""Read for every page, so it is written once."""


class RotaSource(Protocol):
    """Where a rota is read from."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the rota."""
        ...

    async def current(self) -> Rota:
        """The rota as it is now."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """One change. Times are aware UTC."""

    change_id: str
    act: Act
    part: Part
    entry: dict[str, Any]
    """As the file would have it; a holiday is `{day, name}`."""
    at: datetime
    by: str
    undone_at: datetime | None = None
    undone_by: str | None = None


class RotaError(Exception):
    """The rota can't be changed like this; the message says why."""


class Rotas:
    """The rota with its changes."""

    def __init__(self, file: RotaSource, database: Database) -> None:
        self._file = file
        self._database = database
        self._known: tuple[Change, ...] = ()
        self._made: tuple[Rota, tuple[Change, ...], Rota] | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the rota; only the file says it."""
        return self._file.zone

    async def current(self) -> Rota:
        """The rota as it is now. While the records are away: with the changes that were last known."""
        file = await self._file.current()
        try:
            self._known = await self._counting()
        except SQLAlchemyError as error:
            log.warning("changes of the rota can't be read; those last known count", error_type=type(error).__name__)
        if self._made is None or self._made[0] is not file or self._made[1] != self._known:
            self._made = (file, self._known, overlaid(file, self._known))
        return self._made[2]

    async def tried(self, change: Change) -> Rota:
        """The rota as it would be after one more change. Raises RotaError."""
        return changed(await self.current(), change)

    async def save(self, change: Change) -> None:
        """Keep a change; the same one again is kept once. Raises RotaError when it does not fit."""
        there = select(rota_changes.c.change_id).where(rota_changes.c.change_id == change.change_id)
        if await self._database.read(lambda connection: connection.execute(there).first()) is not None:
            return
        await self.tried(change)
        row = {name: getattr(change, name) for name in ("change_id", "act", "part", "entry", "at", "by")}
        await self._database.write(lambda connection: connection.execute(insert(rota_changes), row))

    async def undo(self, change_id: str, by: str, now: datetime) -> None:
        """Let a change count no longer. Raises RotaError when what came later needs it, or it was undone already."""
        left = [one for one in await self._counting() if one.change_id != change_id]
        strict = await self._file.current()
        for one in left:
            strict = changed(strict, one)
        counts = (rota_changes.c.change_id == change_id) & rota_changes.c.undone_at.is_(None)
        change = update(rota_changes).where(counts).values(undone_at=now, undone_by=by)
        if await self._database.write(lambda connection: connection.execute(change).rowcount) != 1:
            raise RotaError("there is no such change any more; look at the list again")

    async def listed(self) -> tuple[Change, ...]:
        """The latest changes, undone ones too, the last one first."""
        order = (rota_changes.c.at.desc(), rota_changes.c.change_id)
        query = select(rota_changes).order_by(*order).limit(MOST_LISTED)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return tuple(Change(**row) for row in rows)

    async def _counting(self) -> tuple[Change, ...]:
        rows = await self._database.read(lambda connection: connection.execute(_COUNTING).mappings().all())
        return tuple(Change(**row) for row in rows)


def new_change(act: Act, part: Part, entry: dict[str, Any], by: str, now: datetime, change_id: str = "") -> Change:
    """A change that nobody has kept yet."""
    return Change(change_id or secrets.token_hex(8), act, part, entry, now, by)


def overlaid(rota: Rota, changes: Iterable[Change]) -> Rota:
    """The rota after these changes. One that does not fit the file any more changes nothing, and is reported."""
    for one in changes:
        try:
            rota = changed(rota, one)
        except RotaError as error:
            log.warning("a change of the rota fits no longer", change_id=one.change_id, reason_code=str(error))
    return rota


def changed(rota: Rota, change: Change) -> Rota:
    """The rota after one change. Raises RotaError."""
    document = rota.model_dump(mode="json", exclude_none=True)
    if change.part == "holidays":
        held = [{"day": day, "name": name} for day, name in document["holidays"].items()]
    else:
        held = list(document[change.part])
    if change.act == "add":
        if change.entry in held:
            raise RotaError("this stands in the rota already")
        held.append(change.entry)
    elif change.entry in held:
        held.remove(change.entry)
    else:
        raise RotaError("this does not stand in the rota any more")
    document[change.part] = {one["day"]: one["name"] for one in held} if change.part == "holidays" else held
    try:
        return Rota.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise RotaError(first["msg"].removeprefix("Value error, ")) from None
