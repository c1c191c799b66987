"""The clients' data keys in the records: made when first needed, rewrapped, destroyed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, bindparam, select, update

from audit.database import Database
from audit.dialects import insert_or_skip
from audit.holds import refuse_held_in
from audit.sealing import ClientKey, Keyring, SealingError, new_data_key
from audit.tables import client_keys

_COLUMNS = (
    client_keys.c.key_id,
    client_keys.c.client_ref,
    client_keys.c.kek_id,
    client_keys.c.wrapped_key,
)

_USABLE = select(*_COLUMNS).where(
    client_keys.c.client_ref == bindparam("client_ref"), client_keys.c.destroyed_at.is_(None)
)


def key_of_client(connection: Connection, ring: Keyring, client_ref: str, now: datetime) -> ClientKey:
    """The client's data key, made if there is none that can be used. Raises SealingError."""
    row = (connection.execute(_USABLE, {"client_ref": client_ref})).one_or_none()
    if row is None:
        _make_key(connection, ring, client_ref, now)
        row = (connection.execute(_USABLE, {"client_ref": client_ref})).one()  # ours, or that of a writer who was first
    return WrappedKey(*row).unwrap(ring)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as the records hold it."""

    key_id: str
    client_ref: str
    kek_id: str | None
    wrapped_key: bytes | None

    @property
    def destroyed(self) -> bool:
        """Nothing that it sealed can ever be read again."""
        return self.wrapped_key is None

    def unwrap(self, ring: Keyring) -> ClientKey:
        """The key, ready for use. Raises SealingError."""
        if self.wrapped_key is None or self.kek_id is None:
            raise SealingError(f"data key {self.key_id} was destroyed")
        data_key = ring.unwrap(self.wrapped_key, self.kek_id, self.key_id, self.client_ref)
        return ClientKey(self.key_id, data_key)


def wrapped_keys(connection: Connection, ids: Iterable[str]) -> dict[str, WrappedKey]:
    """Data keys by id, destroyed ones included."""
    rows = connection.execute(select(*_COLUMNS).where(client_keys.c.key_id.in_(set(ids))))
    return {row.key_id: WrappedKey(*row) for row in rows}


async def rewrap(database: Database, ring: Keyring) -> int:
    """Wrap every data key with the active key-encryption key; how many changed. Raises SealingError.

    On PostgreSQL this needs the owner of the records: the application may not change keys.
    """

    def work(connection: Connection) -> int:
        stale = connection.execute(
            select(*_COLUMNS).where(client_keys.c.destroyed_at.is_(None), client_keys.c.kek_id != ring.active)
        ).all()
        for row in stale:
            data_key = ring.unwrap(row.wrapped_key, row.kek_id, row.key_id, row.client_ref)
            connection.execute(
                update(client_keys)
                .where(client_keys.c.key_id == row.key_id)
                .values(kek_id=ring.active, wrapped_key=ring.wrap(data_key, row.key_id, row.client_ref))
            )
        return len(stale)

    return await database.write(work)


async def destroy(database: Database, client_ref: str, now: datetime) -> int:
    """Make every payload of a client unreadable for good; how many keys were destroyed.

    The rows stay and their chains still verify. On PostgreSQL this needs the owner of the records. A backup
    keeps the key until it is overwritten. Raises HeldError.
    """
    return await database.write(lambda connection: destroy_in(connection, client_ref, now))


def destroy_in(connection: Connection, client_ref: str, now: datetime) -> int:
    """The same within a transaction."""
    refuse_held_in(connection, client_ref)
    statement = (
        update(client_keys)
        .where(client_keys.c.client_ref == client_ref, client_keys.c.destroyed_at.is_(None))
        .values(wrapped_key=None, kek_id=None, destroyed_at=now)
    )
    return connection.execute(statement).rowcount


def _make_key(connection: Connection, ring: Keyring, client_ref: str, now: datetime) -> None:
    key_id = uuid4().hex
    connection.execute(
        insert_or_skip(connection.dialect.name, client_keys),
        {
            "key_id": key_id,
            "client_ref": client_ref,
            "kek_id": ring.active,
            "wrapped_key": ring.wrap(new_data_key(), key_id, client_ref),
            "created_at": now,
        },
    )
