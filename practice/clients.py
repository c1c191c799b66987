"""The practice's clients: who they are, whom one may call for them, what they agreed to. Sealed as a whole.

Nothing that describes a client is looked up in the database; lists open what they show.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from threading import Lock
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy import Connection, insert, select, update

from audit.database import Database
from practice.sealing import Seal
from practice.tables import caseloads, clients

MOST_AT_ONCE = 500
"""Files that are read in one go."""
MOST_CONTACTS = 12

Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Long = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]
Phone = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^(|[0-9+() .x-]{3,30})$")]
Answer = Literal["given", "refused", "revoked", "unknown"]


def _day(value: object) -> object:
    return date.fromisoformat(value) if isinstance(value, str) and value else value or None


Day = Annotated[date | None, BeforeValidator(_day)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Contact(_Part):
    """Somebody who may be called for the client, as far as the client agreed."""

    name: Name
    relation: Short = ""
    phone: Phone = ""
    consent: Answer = "unknown"
    scope: Short = ""
    """What may be told: `safety only`."""
    never: bool = False
    """Must not be called: a danger to the client."""


class Consent(_Part):
    """What the client agreed to."""

    kind: Name
    answer: Answer
    on: Day = None
    until: Day = None

    def lapsed(self, today: date) -> bool:
        """It was given, and its time is over."""
        return self.answer == "given" and self.until is not None and self.until < today


class ClientFile(_Part):
    """All that the practice keeps of a client outside their episodes."""

    name: Name
    born: Day = None
    phone: Phone = ""
    channel: Short = ""
    """How to reach them safely, in their words."""
    address: Short = ""
    """At intake. Where the client is now is asked in every session."""
    county: Short = ""
    language: Short = ""
    contacts: Annotated[tuple[Contact, ...], BeforeValidator(tuple), Field(max_length=MOST_CONTACTS)] = ()
    consents: Annotated[tuple[Consent, ...], BeforeValidator(tuple), Field(max_length=20)] = ()
    note: Long = ""


@dataclass(frozen=True, slots=True)
class Client:
    """A client with the state of their file."""

    client_ref: str
    file: ClientFile
    revision: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Named:
    """A client in a list."""

    client_ref: str
    name: str


class StaleClient(Exception):
    """Somebody else saved the file meanwhile."""


class Unreadable(Exception):
    """Something was written that can't be kept; `problems` are (field, words)."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{place}: {words}" for place, words in self.problems))


class Clients:
    """The files of the practice's clients."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal
        self._known: dict[str, tuple[int, str]] = {}
        """Revision and name of each client that was listed."""
        self._learning = Lock()

    async def add(self, file: ClientFile, now: datetime, client_ref: str = "") -> str:
        """Keep a new client; the opaque reference. One that is known already is left as it is."""
        client_ref = client_ref or f"client-{secrets.token_hex(6)}"
        row = {"client_ref": client_ref, "sealed": self._sealed(client_ref, file), "revision": 1}

        def work(connection: Connection) -> None:
            if connection.execute(select(clients.c.revision).where(clients.c.client_ref == client_ref)).first() is None:
                connection.execute(insert(clients), {**row, "created_at": now, "changed_at": now})

        await self._database.write(work)
        return client_ref

    async def add_all(self, files: Iterable[tuple[str, ClientFile]], now: datetime) -> None:
        """Keep many new clients by reference: all of them or, with an error, none. Those known already stay."""
        rows = [
            {"client_ref": ref, "sealed": self._sealed(ref, file), "revision": 1, "created_at": now, "changed_at": now}
            for ref, file in files
        ]

        def work(connection: Connection) -> None:
            known = set(connection.scalars(select(clients.c.client_ref)).all())
            new = [row for row in rows if row["client_ref"] not in known]
            if new:
                connection.execute(insert(clients), new)

        await self._database.write(work)

    async def save(self, client_ref: str, file: ClientFile, revision: int, now: datetime) -> None:
        """Replace a file that was seen at this revision. Raises StaleClient."""
        mine = (clients.c.client_ref == client_ref) & (clients.c.revision == revision)
        change = (
            update(clients)
            .where(mine)
            .values(sealed=self._sealed(client_ref, file), revision=revision + 1, changed_at=now)
        )
        if await self._database.write(lambda connection: connection.execute(change).rowcount) != 1:
            raise StaleClient

    async def get(self, client_ref: str) -> Client | None:
        """One client, None when there is none of this reference."""
        query = select(clients).where(clients.c.client_ref == client_ref)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else self._client(row)

    async def named(self, of: str | None = None, find: str = "") -> tuple[Named, ...]:
        """Clients by name: those on somebody's caseload, or all of the practice for None; whose name or reference fits.

        Names are unsealed once for each change of a file; whole files only when they are shown.
        """
        query = select(clients.c.client_ref, clients.c.revision)
        if of is not None:
            query = query.join(caseloads, caseloads.c.client_ref == clients.c.client_ref)
            query = query.where(caseloads.c.account_id == of)
        words = find.casefold().split()
        found = await self._database.read(lambda connection: self._names(connection, connection.execute(query).all()))
        fitting = (one for one in found if all(word in f"{one.name} {one.client_ref}".casefold() for word in words))
        return tuple(sorted(fitting, key=lambda one: (one.name.casefold(), one.client_ref)))

    async def several(self, refs: Iterable[str]) -> tuple[Client, ...]:
        """These clients in this order; who is not known is left out."""
        wanted = list(dict.fromkeys(refs))[:MOST_AT_ONCE]
        query = select(clients).where(clients.c.client_ref.in_(wanted))
        found = await self._database.read(
            lambda connection: {row.client_ref: self._client(row) for row in connection.execute(query).all()}
        )
        return tuple(found[ref] for ref in wanted if ref in found)

    async def names(self, refs: Iterable[str]) -> dict[str, str]:
        """The names of these clients; who is not known is left out."""
        wanted = sorted(set(refs))[:MOST_AT_ONCE]
        query = select(clients.c.client_ref, clients.c.revision).where(clients.c.client_ref.in_(wanted))
        found = await self._database.read(lambda connection: self._names(connection, connection.execute(query).all()))
        return {one.client_ref: one.name for one in found}

    def _names(self, connection: Connection, rows: Sequence[Any]) -> list[Named]:
        """The names of rows (reference, revision); read and unsealed where they changed. In a thread of the records."""
        known = self._known
        if self._unknown(rows):
            with self._learning:  # whoever asks at the same time waits for these names instead of unsealing them too
                self._learn(connection, self._unknown(rows))
        return [Named(row.client_ref, known[row.client_ref][1]) for row in rows if row.client_ref in known]

    def _unknown(self, rows: Sequence[Any]) -> list[str]:
        known = self._known
        return [row.client_ref for row in rows if known.get(row.client_ref, (0, ""))[0] != row.revision]

    def _learn(self, connection: Connection, refs: Sequence[str]) -> None:
        for start in range(0, len(refs), MOST_AT_ONCE):
            some = select(clients).where(clients.c.client_ref.in_(refs[start : start + MOST_AT_ONCE]))
            for row in connection.execute(some):
                opened = self._seal.open(row.sealed, "client", row.client_ref)
                self._known[row.client_ref] = (row.revision, str(opened["name"]))

    def _sealed(self, client_ref: str, file: ClientFile) -> bytes:
        return self._seal.close(file.model_dump(mode="json"), "client", client_ref)

    def _client(self, row: Any) -> Client:
        opened = self._seal.open(row.sealed, "client", row.client_ref)
        return Client(row.client_ref, ClientFile.model_validate(opened), row.revision, row.changed_at)


def read_file(written: dict[str, Any]) -> ClientFile:
    """A file from what was written into a form. Raises Unreadable."""
    try:
        return ClientFile.model_validate(written)
    except ValidationError as error:
        raise Unreadable(_problems(error)) from None


def _problems(error: ValidationError) -> list[tuple[str, str]]:
    said = {
        "string_too_short": "write something here",
        "string_too_long": "shorten this",
        "string_pattern_mismatch": "write digits, spaces, dashes and brackets only",
        "literal_error": "is one of given, refused, revoked, unknown",
        "value_error": "write a day as 1990-12-31",
        "missing": "write something here",
    }
    return [
        ("-".join(str(part) for part in one["loc"]), said.get(one["type"], one["msg"]))
        for one in error.errors(include_url=False, include_input=False, include_context=False)[:50]
    ]
