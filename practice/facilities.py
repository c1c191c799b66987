"""Facilities that the practice asks for a place: what they take, how to reach them, when that was last checked."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from sqlalchemy import Connection, insert, select, update

from audit.cells import as_meant, harmless, wrong_heading
from audit.database import Database
from practice.tables import facilities

LIFETIME = timedelta(days=90)
"""An entry is to be checked again after this (program policy: needs clinical sign-off)."""
MOST_IMPORTED = 500
NEEDED = ("name", "kind", "checked")
"""Columns without which no line can be read."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=400)]
Phone = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^(|[0-9+() .x-]{3,30})$")]
Kind = Literal["php", "iop", "crisis_residential", "detox", "hospital", "other"]
KINDS: dict[Kind, str] = {
    "php": "Partial hospitalization",
    "iop": "Intensive outpatient",
    "crisis_residential": "Crisis residential",
    "detox": "Withdrawal management",
    "hospital": "Hospital",
    "other": "Other",
}


def _flag(value: object) -> object:
    words = {"yes": True, "no": False, "on": True, "": False}
    return words.get(value.strip().lower(), value) if isinstance(value, str) else value


def _day(value: object) -> object:
    return date.fromisoformat(value) if isinstance(value, str) else value


Flag = Annotated[bool, BeforeValidator(_flag)]


class Facility(BaseModel):
    """A facility as clinical operations keep it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: Name
    kind: Kind
    county: Short = ""
    phone: Phone = ""
    hours: Short = ""
    takes: Short = ""
    """Whom and what it takes: payers, dual diagnosis, age, evenings."""
    dual_diagnosis: Flag = False
    minors: Flag = False
    checked: Annotated[date, BeforeValidator(_day)]
    """When somebody last made sure of the entry."""

    def expired(self, today: date) -> bool:
        """The entry should have been checked again."""
        return today > self.checked + LIFETIME

    @property
    def expires(self) -> date:
        """The last day on which the entry counts as fresh."""
        return self.checked + LIFETIME


@dataclass(frozen=True, slots=True)
class Kept:
    """A facility with the state of its entry."""

    facility_id: str
    facility: Facility
    revision: int
    changed_at: datetime
    changed_by: str


class FacilityError(Exception):
    """The entry can't be kept like this; the message says why."""


class StaleFacility(Exception):
    """Somebody else saved the entry meanwhile."""


class Facilities:
    """The list of facilities."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, facility: Facility, by: str, now: datetime, facility_id: str = "") -> str:
        """Keep an entry, new or changed; its id, which is made of the name."""
        facility_id = facility_id or identity(facility.name)
        await self._database.write(lambda connection: _save(connection, facility_id, facility, by, now))
        return facility_id

    async def save_all(self, several: Iterable[Facility], by: str, now: datetime) -> None:
        """Keep many entries, new or changed: all of them or, with an error, none."""
        entries = [(identity(one.name), one) for one in several]

        def work(connection: Connection) -> None:
            for facility_id, facility in entries:
                _save(connection, facility_id, facility, by, now)

        await self._database.write(work)

    async def change(self, facility_id: str, facility: Facility, revision: int, by: str, now: datetime) -> None:
        """Replace an entry that was seen at this revision. Raises StaleFacility."""
        row = {"document": facility.model_dump(mode="json"), "changed_at": now, "changed_by": by}
        mine = (facilities.c.facility_id == facility_id) & (facilities.c.revision == revision)
        change = update(facilities).where(mine).values(**row, revision=revision + 1)
        if await self._database.write(lambda connection: connection.execute(change).rowcount) != 1:
            raise StaleFacility

    async def get(self, facility_id: str) -> Kept | None:
        """One entry, None when there is none of this id."""
        query = select(facilities).where(facilities.c.facility_id == facility_id)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _kept(row)

    async def listed(self, kind: str = "") -> tuple[Kept, ...]:
        """Entries by county and name; of one kind or all."""
        rows = await self._database.read(lambda connection: connection.execute(select(facilities).limit(2_000)).all())
        found = [one for one in map(_kept, rows) if kind in ("", one.facility.kind)]
        return tuple(sorted(found, key=lambda one: (one.facility.county.casefold(), one.facility.name.casefold())))


def _save(connection: Connection, facility_id: str, facility: Facility, by: str, now: datetime) -> None:
    row = {"document": facility.model_dump(mode="json"), "changed_at": now, "changed_by": by}
    mine = facilities.c.facility_id == facility_id
    changed = update(facilities).where(mine).values(**row, revision=facilities.c.revision + 1)
    if connection.execute(changed).rowcount == 0:
        connection.execute(insert(facilities), {**row, "facility_id": facility_id, "revision": 1})


def identity(name: str) -> str:
    """`Harbor House PHP` → `harbor-house-php`. Raises FacilityError for a name without letters."""
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    if not made:
        raise FacilityError("name: write a name with letters")
    return made


def read_facility(written: dict[str, Any]) -> Facility:
    """An entry from a form. Raises FacilityError that names the first wrong field."""
    try:
        return Facility.model_validate(written)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        remedies = {
            "kind": f"is one of {', '.join(KINDS)}",
            "phone": "write digits, spaces, dashes and brackets only",
            "checked": "write a day as 2026-11-23",
            "name": "write a name of at most 120 characters",
        }
        place = str(first["loc"][0]) if first["loc"] else ""
        raise FacilityError(f"{place}: {remedies.get(place, 'shorten this, or write yes or no')}") from None


def read_csv(text: str) -> tuple[Facility, ...]:
    """Entries from CSV with a heading of the fields' names. Raises FacilityError that names the line."""
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found: list[Facility] = []
    try:
        if (problem := wrong_heading(tuple(rows.fieldnames or ()), tuple(Facility.model_fields), NEEDED)) is not None:
            raise FacilityError(f"line 1: {problem}")
        for row in rows:
            if len(found) >= MOST_IMPORTED:
                raise FacilityError(f"line {rows.line_num}: import at most {MOST_IMPORTED} facilities at once")
            if None in row:
                raise FacilityError(f"line {rows.line_num}: more cells than the heading has")
            try:
                found.append(read_facility({key: as_meant(value or "") for key, value in row.items()}))
            except FacilityError as error:
                raise FacilityError(f"line {rows.line_num}: {error}") from None
    except csv.Error as error:
        raise FacilityError(f"line {rows.line_num} is no CSV: {error}") from None
    if not found:
        raise FacilityError("line 2: there is no facility below the heading")
    return tuple(found)


def write_csv(several: Iterable[Kept]) -> str:
    """The list as `read_csv` takes it back."""
    told = io.StringIO(newline="")
    lines = csv.DictWriter(told, list(Facility.model_fields), lineterminator="\n")
    lines.writeheader()
    for one in several:
        shown = one.facility.model_dump(mode="json")
        cells = {name: {True: "yes", False: "no"}.get(value, value) for name, value in shown.items()}
        lines.writerow({name: harmless(str(value)) for name, value in cells.items()})
    return told.getvalue()


def _kept(row: Any) -> Kept:
    return Kept(row.facility_id, Facility.model_validate(row.document), row.revision, row.changed_at, row.changed_by)
